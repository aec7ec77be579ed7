//! What an event log says about how the machine was started, as far as its PCRs prove it.

use super::quote::Quoted;
use crate::tcg::{Bank, EventLog, Register, Summary};
use crate::verifier::custody::{self, Digest, Statement};
use crate::verifier::types::{Claim, Span, Value};
use crate::verifier::{Rejection, log};

/// PCRs that firmware alone extends: their history is the log's or the log is not this machine's.
/// Others are extended later too, by systems that keep logs of their own (PFP 1.06, section 3.3.4).
const FIRMWARE: std::ops::RangeInclusive<u32> = 0..=7;
/// The one of the firmware's Secure Boot policy (PFP 1.06, section 3.3.4.8).
const POLICY: u32 = 7;
/// All that are not reset while the system runs.
const STATIC: std::ops::RangeInclusive<u32> = 0..=15;

/// What was learnt of a log.
#[derive(Debug, Default)]
pub struct Boot {
    /// Which PCRs the log accounts for.
    pub registers: Vec<u32>,
    /// Whether UEFI Secure Boot was on; none where the log does not prove it.
    pub secure_boot: Option<bool>,
    /// Whether the firmware handed the machine over to an operating system.
    pub exited_boot_services: Option<bool>,
    /// What the events of those PCRs are.
    pub summary: Summary,
}

/// The log among what came along: whatever begins as one.
#[must_use]
pub fn find_log(attachments: &[Vec<u8>]) -> Option<&[u8]> {
    let begins =
        |one: &&Vec<u8>| one.get(32..).is_some_and(|rest| rest.starts_with(b"Spec ID Event03\0"));
    attachments.iter().find(begins).map(Vec::as_slice)
}

/// Replays a log against the PCRs of a bank.
///
/// # Errors
/// [`Rejection::Untrusted`] where it leads to other values than the quoted ones of firmware's PCRs;
/// [`Rejection::Malformed`]; [`Rejection::Unsupported`] for a log that knows SHA-1 alone.
pub fn replay(quoted: &Quoted, bank: Bank, log: &[u8]) -> Result<Boot, Rejection> {
    let log = EventLog::read(log).map_err(|why| Rejection::Malformed(why.to_string()))?;
    let Some(digest) = bank.digest().filter(|_| log.has(bank)) else {
        let why = format!("an event log without digests of the bank {}", bank.name());
        return Err(Rejection::Unsupported(why));
    };
    let mut boot = Boot::default();
    for place in quoted.places.iter().filter(|place| place.bank == bank) {
        let index = place.index;
        if !STATIC.contains(&index) {
            continue;
        }
        let register = log.register(index, bank).map_err(|why| Rejection::Malformed(why.into()))?;
        let history = custody::replay(
            &quoted.registers,
            place.at,
            digest,
            &register.initial,
            &register.entries,
        );
        match history {
            Ok(entries) => {
                boot.registers.push(index);
                boot.learn(index, bank, digest, &entries, &register);
            }
            Err(custody::Fault::Untrusted(why)) if FIRMWARE.contains(&index) => {
                return Err(Rejection::Untrusted(format!("PCR {index}: {why}")));
            }
            // Not this log's to explain; what it says of this PCR is not believed.
            Err(custody::Fault::Untrusted(_)) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(boot)
}

impl Boot {
    /// Reads what the events of a PCR say. `entries`: the statement of their digests.
    fn learn(
        &mut self,
        index: u32,
        bank: Bank,
        digest: Digest,
        entries: &Statement,
        register: &Register<'_>,
    ) {
        let size = match digest {
            Digest::Sha256 => 32,
            Digest::Sha384 => 48,
            Digest::Sha512 => 64,
        };
        let is_digest = |number: u32, bytes: &[u8]| {
            let at = Span { start: number.saturating_mul(size), length: size };
            custody::vouch(entries, at, digest, bytes).is_ok()
        };
        if index == POLICY {
            self.secure_boot = register.secure_boot(bank, is_digest);
        }
        for (number, event) in (0_u32..).zip(&register.events) {
            // An event's data is what its digest is of, or it is a remark.
            let is_digested = |bytes: &[u8]| is_digest(number, bytes);
            self.summary.tell(&format!("pcr{index}"), bank, event, is_digested);
            let said = || is_digested(event.data);
            if index == 5 {
                let exits = event.is_exit_of_boot_services() && said();
                self.exited_boot_services = Some(exits || self.exited_boot_services == Some(true));
            }
        }
        log::write(log::Level::Trace, &format!("PCR {index} is as the event log says"));
    }

    /// `<prefix>secure_boot`, `<prefix>boot_completed`, `<prefix>eventlog_pcrs`, and `eventlog.*`.
    #[must_use]
    pub fn claims(self, prefix: &str) -> Vec<Claim> {
        let claim = |name: &str, value| Claim { name: format!("{prefix}{name}"), value };
        let pcrs = self.registers.iter().map(u32::to_string).collect();
        let mut claims = vec![claim("eventlog_pcrs", Value::Texts(pcrs))];
        let flags =
            [("secure_boot", self.secure_boot), ("boot_completed", self.exited_boot_services)];
        let told = flags.into_iter().filter_map(|(name, flag)| Some((name, flag?)));
        claims.extend(told.map(|(name, flag)| claim(name, Value::Flag(flag))));
        claims.extend(self.summary.claims(self.secure_boot));
        claims
    }
}
