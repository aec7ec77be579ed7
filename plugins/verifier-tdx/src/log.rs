//! What the event log says, as far as the registers of the quote carry it.
//!
//! Every event's SHA-384 digest is replayed by the host against RTMR0 to RTMR2 (and RTMR3 where the log has
//! events for it); a log that does not lead to them is refused. Event data counts only where it is
//! what was digested, which the host checks too.

use claviger_plugin_sdk::places::dcap::{td, within};
use claviger_plugin_sdk::tcg::{Bank, Event, EventLog, Summary, kind};
use claviger_plugin_sdk::verifier::custody::{self, Digest, Fault, Statement};
use claviger_plugin_sdk::verifier::types::{Claim, Quote, Span, Value};
use claviger_plugin_sdk::verifier::{Rejection, custody::Fault::Untrusted};

/// Bytes of a register and of an entry.
const SIZE: u32 = 48;
/// Register numbers of the log (UEFI 2.10, table 38.4): 0 is MRTD, 1 to 4 are RTMR0 to RTMR3.
const REGISTERS: u32 = 4;

/// Kinds of events beside those that the SDK names.
const EVENT_TAG: u32 = 6;
const EFI_PLATFORM_FIRMWARE_BLOB2: u32 = 0x8000_000a;
const EFI_HANDOFF_TABLES2: u32 = 0x8000_000b;
/// The register of the firmware's Secure Boot policy, where a TPM has PCR 7 (UEFI 2.10, table 38.4).
const POLICY: u32 = 0;

const COMMAND_LINE: &str = "ccel.cmdline";

/// Longer logs are refused.
const MAX_EVENTS: usize = 4096;
/// Digests of one kind that are claimed.
const MAX_DIGESTS: usize = 16;
/// A command line of this many bytes is claimed.
const MAX_LINE: usize = 4096;

/// What rests on the log.
#[derive(Default)]
pub(crate) struct Log {
    /// In this order behind the quote's own statement.
    pub(crate) statements: Vec<Statement>,
    pub(crate) claims: Vec<Claim>,
}

/// Replays a log. `body`: where the TD report begins in the statement.
pub(crate) fn replay(quote: &Statement, body: u32, log: &[u8]) -> Result<Log, Rejection> {
    let log = EventLog::read(log).map_err(|why| Rejection::Malformed(why.to_string()))?;
    let mut found = Log::default();
    let mut summary = Summary::default();
    let mut secure_boot = None;
    let measured: Vec<Event<'_>> = log.events().filter(Event::extends).collect();
    if measured.len() > MAX_EVENTS {
        return Err(Rejection::Malformed("an event log with more events than are read".into()));
    }
    if let Some(other) = measured.iter().find(|event| !(1..=REGISTERS).contains(&event.register)) {
        let reason = format!("the event log measures into register {}", other.register);
        return Err(Rejection::Malformed(reason));
    }
    for (register, place) in (1..=REGISTERS).zip(td::RTMR) {
        let history = log
            .register(register, Bank::Sha384)
            .map_err(|why| Rejection::Malformed(format!("event log: {why}")))?;
        let events = &history.events;
        // What the guest measures later is in no log of the firmware's.
        if register == REGISTERS && events.is_empty() {
            continue;
        }
        let number = register - 1;
        let at = within(body, place);
        let initial = [0; SIZE as usize];
        let statement = custody::replay(quote, at, Digest::Sha384, &initial, &history.entries)
            .map_err(|fault| of_register(fault, number))?;
        found.tell(number, &statement, events);
        for (place, event) in (0_u32..).zip(events) {
            let is_digested = |bytes: &[u8]| is_digest(&statement, place, bytes);
            summary.tell(&format!("rtmr{number}"), Bank::Sha384, event, is_digested);
        }
        if number == POLICY {
            let is_digested = |place, bytes: &[u8]| is_digest(&statement, place, bytes);
            secure_boot = history.secure_boot(Bank::Sha384, is_digested);
        }
        found.statements.push(statement);
    }
    let count = u64::try_from(measured.len()).unwrap_or(u64::MAX);
    found.claim("ccel.events", Value::Unsigned(count));
    if let Some(on) = secure_boot {
        found.claim("ccel.secure_boot", Value::Flag(on));
    }
    found.claims.extend(summary.claims(secure_boot));
    Ok(found)
}

/// Whether the entry at a place of a register's statement is the digest of these bytes, as the host finds.
fn is_digest(statement: &Statement, place: u32, bytes: &[u8]) -> bool {
    let at = Span { start: place.saturating_mul(SIZE), length: SIZE };
    custody::vouch(statement, at, Digest::Sha384, bytes).is_ok()
}

/// The host's finding, with the register's name.
fn of_register(fault: Fault, number: u32) -> Rejection {
    match fault {
        Untrusted(why) => Rejection::Untrusted(format!("event log, RTMR{number}: {why}")),
        other => other.into(),
    }
}

impl Log {
    /// What the events of one register say. `statement`: their digests, one behind the other.
    fn tell(&mut self, number: u32, statement: &Statement, events: &[Event<'_>]) {
        let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.claim(&format!("ccel.rtmr{number}.events"), Value::Unsigned(count));
        for (name, wanted) in [
            ("firmware", EFI_PLATFORM_FIRMWARE_BLOB2),
            ("tables", EFI_HANDOFF_TABLES2),
            ("application", kind::EFI_BOOT_SERVICES_APPLICATION),
            ("ipl", kind::IPL),
            ("tag", EVENT_TAG),
            ("separator", kind::SEPARATOR),
        ] {
            let of_kind = (0_u32..).zip(events).filter(|(_, event)| event.kind == wanted);
            for (index, (place, _)) in of_kind.take(MAX_DIGESTS).enumerate() {
                let value = self.quoted(place);
                self.claim(&format!("ccel.rtmr{number}.{name}{index}"), value);
            }
        }
        for (place, event) in (0_u32..).zip(events) {
            self.load_options(statement, place, event);
        }
    }

    /// The options with which Linux was started, where they are what was digested: the data of an event tag
    /// behind its head.
    fn load_options(&mut self, statement: &Statement, place: u32, event: &Event<'_>) {
        let line = Some(event).filter(|event| event.kind == EVENT_TAG);
        let Some(line) = line.and_then(|event| load_options(event.data)) else { return };
        let digested = event.data.get(8..).unwrap_or_default();
        let known = self.claims.iter().any(|claim| claim.name == COMMAND_LINE);
        if !known && is_digest(statement, place, digested) {
            self.claim(COMMAND_LINE, Value::Text(line));
        }
    }

    /// The digest at a place of the register's statement that is being told.
    fn quoted(&self, place: u32) -> Value {
        // The quote's own statement is the first.
        let statement = u32::try_from(self.statements.len()).unwrap_or(u32::MAX).saturating_add(1);
        Value::Quoted(Quote { statement, at: Span { start: place * SIZE, length: SIZE } })
    }

    fn claim(&mut self, name: &str, value: Value) {
        self.claims.push(Claim { name: name.into(), value });
    }
}

/// The options with which Linux' boot stub was started: an event tag of number 0x8f3b22ed, whose data is
/// UTF-16 (Linux, `drivers/firmware/efi/libstub`).
fn load_options(data: &[u8]) -> Option<String> {
    const LOAD_OPTIONS: u32 = 0x8f3b_22ed;
    let (tag, rest) = data.split_first_chunk::<4>()?;
    let (_length, text) = rest.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*tag) == LOAD_OPTIONS && text.len() <= 2 * MAX_LINE).then_some(())?;
    utf16(text).map(|line| line.trim_end_matches('\0').to_owned())
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    rest.is_empty().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn load_options_are_text() {
        let tag = |number: u32, text: &[u8]| [&number.to_le_bytes(), &[0; 4], text].concat();
        let line = tag(0x8f3b_22ed, &wide("console=ttyS0\0"));
        assert_eq!(load_options(&line).as_deref(), Some("console=ttyS0"));
        assert_eq!(load_options(&tag(1, &wide("x"))), None);
        assert_eq!(load_options(&tag(0x8f3b_22ed, b"odd")), None);
        assert_eq!(load_options(&tag(0x8f3b_22ed, &[0, 0xd8])), None);
        assert_eq!(load_options(&tag(0x8f3b_22ed, &vec![b'x'; 2 * MAX_LINE + 2])), None);
    }
}
