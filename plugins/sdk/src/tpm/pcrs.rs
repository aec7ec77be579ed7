//! Values of PCRs as they come with a quote, put in the order in which the quote digests them.

use std::ops::Range;

use super::attest::Selection;
use crate::json;
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::types::Span;

/// A TPM quotes no PCR beyond: a bitmap has four bytes at most.
const MAX_INDEX: u32 = 31;

/// Values by bank and index: claimed by whoever sent them.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// One behind the other, as they came.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    bank: Bank,
    index: u32,
    /// Where it stands in those bytes.
    at: Range<usize>,
}

/// One register in the bytes that the quote's digest vouches for.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its bank.
    pub bank: Bank,
    /// Its index.
    pub index: u32,
    /// Where it stands.
    pub at: Span,
}

impl Values {
    /// Adds a value; false where there is one already, which stays, or no TPM has such a register. So there are
    /// never many, however many are sent.
    #[must_use]
    pub fn add(&mut self, bank: Bank, index: u32, value: &[u8]) -> bool {
        self.add_with(bank, index, |bytes| {
            bytes.extend_from_slice(value);
            true
        })
    }

    /// Adds one that stands in JSON, in hexadecimal or as a list of bytes; false where it does not, too.
    #[must_use]
    pub fn add_json(&mut self, bank: Bank, index: u32, value: &json::Value<'_>) -> bool {
        self.add_with(bank, index, |bytes| value.in_hex_behind(bytes))
    }

    /// Values of one bank from a list in JSON, from index 0 on; none where one of them is no value.
    #[must_use]
    pub fn listed(bank: Bank, list: &[json::Value<'_>]) -> Option<Self> {
        let mut values = Self::default();
        let all = (0..).zip(list).all(|(index, value)| values.add_json(bank, index, value));
        all.then_some(values)
    }

    /// Whether one of this bank is there.
    #[must_use]
    pub fn has(&self, bank: Bank) -> bool {
        self.entries.iter().any(|entry| entry.bank == bank)
    }

    fn add_with(
        &mut self,
        bank: Bank,
        index: u32,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let start = self.bytes.len();
        let free = index <= MAX_INDEX && self.find(bank, index, 0).is_none();
        if !free || !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        self.entries.push(Entry { bank, index, at: start..self.bytes.len() });
        true
    }

    /// The value of a register; most often it is at this place of the list.
    fn find(&self, bank: Bank, index: u32, place: usize) -> Option<&[u8]> {
        let is_it = |entry: &&Entry| entry.index == index && entry.bank == bank;
        let there = self.entries.get(place).filter(is_it);
        let entry = there.or_else(|| self.entries.iter().find(is_it))?;
        self.bytes.get(entry.at.clone())
    }

    /// The values that are quoted, one behind the other as the TPM digests them (part 3, section 18.4:
    /// selection by selection, ascending), and where each stands. The quote's own selections say which
    /// these are.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] where one is missing or is not of its bank's size, and where one came
    /// that is not quoted: nobody vouches for it.
    pub fn quoted(&self, selections: &[Selection]) -> Result<(Vec<u8>, Vec<Place>), Rejection> {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut places = Vec::with_capacity(self.entries.len());
        for Selection { bank, indexes } in selections {
            for index in indexes {
                let value = self.find(*bank, *index, places.len());
                let value = value.filter(|value| value.len() == bank.size()).ok_or_else(|| {
                    malformed(&format!(
                        "the value of PCR {index}, bank {}, is not there",
                        bank.name()
                    ))
                })?;
                let (start, length) = (bytes.len(), value.len());
                let at =
                    Span { start: start.try_into().unwrap_or(u32::MAX), length: length as u32 };
                places.push(Place { bank: *bank, index: *index, at });
                bytes.extend_from_slice(value);
            }
        }
        // Each place has a value of its own: as many values as places are these.
        let further = self.entries.len() > places.len();
        let quoted = |entry: &Entry| {
            places.iter().any(|place| place.bank == entry.bank && place.index == entry.index)
        };
        match self.entries.iter().find(|entry| further && !quoted(entry)) {
            Some(Entry { bank, index, .. }) => Err(malformed(&format!(
                "a value of PCR {index}, bank {}, which the quote does not cover",
                bank.name()
            ))),
            None if places.is_empty() => Err(malformed("the quote covers no PCR")),
            None => Ok((bytes, places)),
        }
    }
}

/// In whichever order they came.
impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len()
            && self.entries.iter().enumerate().all(|(place, Entry { bank, index, at })| {
                self.bytes.get(at.clone()) == other.find(*bank, *index, place)
            })
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}
