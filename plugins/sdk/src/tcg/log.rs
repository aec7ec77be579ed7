//! A log and its events, read where they lie.

use super::bank::Bank;
use super::event::{Event, kind};
use crate::bytes::Bytes;

/// A log may have this many bytes; those of real machines have some ten thousands.
const MAX_LENGTH: usize = 1 << 20;

/// A log may have this many hash algorithms: there are five.
const MAX_BANKS: usize = 8;

/// The first event of a crypto-agile log (PFP 1.06, section 10.4.5.1).
const SPEC_ID: &[u8; 16] = b"Spec ID Event03\0";

/// The same of a log of the older form, which may lack it (section 10.4.5.1, note; TCG EFI Platform
/// 1.22, section 7.4).
const SPEC_ID_OLD: &[u8; 16] = b"Spec ID Event02\0";
const SPEC_ID_OLDEST: &[u8; 16] = b"Spec ID Event00\0";

/// A log is none, or not whole. Says at which byte of it the event begins that is wrong, and what is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// Where the event begins.
    pub at: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "event log, byte {}: {}", self.at, self.why)
    }
}

/// A log that was read to its end once.
#[derive(Clone, Debug)]
pub struct EventLog<'a> {
    banks: Banks,
    events: &'a [u8],
    /// Where the events begin.
    start: usize,
    agile: bool,
}

/// The algorithms of a log by number, with the sizes of their digests.
#[derive(Clone, Debug)]
pub(super) struct Banks {
    list: Vec<(u16, usize)>,
}

impl Banks {
    pub(super) fn size(&self, number: u16) -> Option<usize> {
        self.list.iter().find(|(present, _)| *present == number).map(|(_, size)| *size)
    }

    fn legacy() -> Self {
        Self { list: vec![(Bank::Sha1.number(), Bank::Sha1.size())] }
    }
}

impl<'a> EventLog<'a> {
    /// Reads a log: crypto-agile (TCG_PCR_EVENT2 behind a Spec ID event), or of the older form with
    /// SHA-1 alone (TCG_PCClientPCREvent). It may be padded with bytes 0 or 0xff, as tables in ACPI
    /// are.
    ///
    /// # Errors
    /// The first event that is not whole or cannot be. Nothing is allocated by a number that stands in
    /// the log.
    pub fn read(log: &'a [u8]) -> Result<Self, Malformed> {
        let malformed = |why| Malformed { at: 0, why };
        if log.len() > MAX_LENGTH {
            return Err(malformed("a log of this size"));
        }
        let mut bytes = Bytes(log);
        let first = Event::first(&mut bytes).ok_or_else(|| malformed("no event"))?;
        let banks = if first.kind == kind::NO_ACTION {
            Self::identification(&first).map_err(malformed)?
        } else {
            None
        };
        // In the older form the first event may be like any other.
        let (agile, events) = match &banks {
            Some(_) => (true, bytes.0),
            None => (false, log),
        };
        let read = Self {
            banks: banks.unwrap_or_else(Banks::legacy),
            start: log.len() - events.len(),
            events,
            agile,
        };
        read.walk().try_for_each(|event| event.map(drop))?;
        Ok(read)
    }

    /// The events in order, without the one that tells the log's form.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + '_ {
        // Every one was there when the log was read.
        self.walk().map_while(Result::ok)
    }

    /// Whether every event has a digest for each bank, or SHA-1 is all there is.
    #[must_use]
    pub fn is_crypto_agile(&self) -> bool {
        self.agile
    }

    /// Whether the log has digests of this bank.
    #[must_use]
    pub fn has(&self, bank: Bank) -> bool {
        self.banks.size(bank.number()).is_some()
    }

    fn walk(&self) -> impl Iterator<Item = Result<Event<'a>, Malformed>> + '_ {
        let mut rest = Bytes(self.events);
        let mut over = false;
        std::iter::from_fn(move || {
            if over || padding(rest.0) {
                return None;
            }
            let at = self.start + self.events.len() - rest.0.len();
            let event = match self.agile {
                true => Event::agile(&mut rest, &self.banks),
                false => Event::first(&mut rest).ok_or("it is not whole"),
            };
            over = event.is_err();
            Some(event.map_err(|why| Malformed { at, why }))
        })
    }

    /// The algorithms that a Spec ID event names; none for that of an older form.
    fn identification(event: &Event<'_>) -> Result<Option<Banks>, &'static str> {
        let wrong = "the first event does not tell the log's form";
        let mut bytes = Bytes(event.data);
        let signature: [u8; 16] = bytes.array().ok_or(wrong)?;
        if &signature == SPEC_ID_OLD || &signature == SPEC_ID_OLDEST {
            return Ok(None);
        }
        // A TPM's log begins in register 0, a CCEL in the first that a TD can extend.
        if &signature != SPEC_ID || event.register > 1 {
            return Err(wrong);
        }
        let banks = Self::banks(&mut bytes).ok_or("the Spec ID event is not whole")?;
        if banks.list.is_empty() || !bytes.is_empty() {
            return Err("the Spec ID event is not whole");
        }
        let known = |(number, size): &(u16, usize)| {
            Bank::of(*number).is_none_or(|bank| bank.size() == *size)
                && banks.list.iter().filter(|(other, _)| other == number).count() == 1
        };
        match banks.list.iter().all(known) {
            true => Ok(Some(banks)),
            false => Err("an algorithm twice, or of another size than it has"),
        }
    }

    /// TCG_EfiSpecIDEvent behind its signature: platform class, three bytes of version, the size of
    /// addresses, the algorithms, the vendor's own.
    fn banks(bytes: &mut Bytes<'_>) -> Option<Banks> {
        bytes.take(4 + 3 + 1)?;
        let count = usize::try_from(bytes.u32_le()?).ok().filter(|count| *count <= MAX_BANKS)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push((bytes.u16_le()?, bytes.u16_le()?.into()));
        }
        let length = bytes.byte()?;
        bytes.take(length.into())?;
        Some(Banks { list })
    }
}

/// Nothing is left, or what fills a table: an event that begins so has no digests.
fn padding(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == 0) || rest.iter().all(|byte| *byte == 0xff)
}
