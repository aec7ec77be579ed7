//! The history of one register: what it began as, and by what it was extended.

use super::bank::Bank;
use super::event::{Event, kind};
use super::log::EventLog;

/// PCRs that only a dynamic launch resets; before one they are all ones (PC Client TPM Profile,
/// section 4.6.2).
const DYNAMIC: std::ops::RangeInclusive<u32> = 17..=22;

/// What a log says about one register, for `custody.replay`.
#[derive(Clone, Debug)]
pub struct Register<'a> {
    /// Its value before the first event.
    pub initial: Vec<u8>,
    /// The events that extended it, in order.
    pub events: Vec<Event<'a>>,
    /// Their digests: entry by entry what it was extended by.
    pub entries: Vec<Vec<u8>>,
}

impl<'a> EventLog<'a> {
    /// What happened to the register of that number in a bank. The same numbers in the log of a TD
    /// mean other registers, all of which begin with zeros.
    ///
    /// # Errors
    /// Where an event has no digest for this bank, or the log tells two beginnings.
    pub fn register(&self, number: u32, bank: Bank) -> Result<Register<'a>, &'static str> {
        let mut register = Register {
            initial: vec![if DYNAMIC.contains(&number) { 0xff } else { 0 }; bank.size()],
            events: Vec::new(),
            entries: Vec::new(),
        };
        let mut locality = None;
        for event in self.events().filter(|event| event.register == number) {
            if let Some(told) = event.startup_locality() {
                if locality.is_some_and(|before| before != told) {
                    return Err("the log tells two beginnings");
                }
                locality = Some(told);
            }
            if !event.extends() {
                continue;
            }
            if event.kind == kind::EFI_HCRTM_EVENT && number == 0 && register.events.is_empty() {
                // Measured before the TPM was started, at locality 4 (PFP 1.06, section 2.3.4).
                locality = Some(4);
            }
            let digest = event.digest(bank).ok_or("an event has no digest for this bank")?;
            register.entries.push(digest.to_vec());
            register.events.push(event);
        }
        if let (Some(locality), 0, Some(last)) = (locality, number, register.initial.last_mut()) {
            *last = locality;
        }
        Ok(register)
    }
}
