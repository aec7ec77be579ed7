//! Values of PCRs as they come with a quote, put in the order in which the quote digests them.

use std::collections::BTreeMap;

use super::attest::Selection;
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::types::Span;

/// Values by bank and index: claimed by whoever sent them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Values(BTreeMap<(Bank, u32), Vec<u8>>);

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
    /// Adds a value; false where there is one already.
    pub fn add(&mut self, bank: Bank, index: u32, value: Vec<u8>) -> bool {
        self.0.insert((bank, index), value).is_none()
    }

    /// Values of one bank in the order of a list, from index 0 on.
    #[must_use]
    pub fn listed(bank: Bank, values: Vec<Vec<u8>>) -> Self {
        Self((0..).zip(values).map(|(index, value)| ((bank, index), value)).collect())
    }

    /// The values that are quoted, one behind the other as the TPM digests them (part 3, section 18.4:
    /// selection by selection, ascending), and where each stands. The quote's own selections say which
    /// these are.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] where one is missing or is not of its bank's size, and where one came
    /// that is not quoted: nobody vouches for it.
    pub fn quoted(&self, selections: &[Selection]) -> Result<(Vec<u8>, Vec<Place>), Rejection> {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for Selection { bank, indexes } in selections {
            for index in indexes {
                let value = self.0.get(&(*bank, *index)).filter(|value| value.len() == bank.size());
                let value = value.ok_or_else(|| {
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
        let further = self.0.len() > places.len();
        let quoted = |(bank, index): &(Bank, u32)| {
            places.iter().any(|place| place.bank == *bank && place.index == *index)
        };
        match self.0.keys().find(|key| further && !quoted(key)) {
            Some((bank, index)) => Err(malformed(&format!(
                "a value of PCR {index}, bank {}, which the quote does not cover",
                bank.name()
            ))),
            None if places.is_empty() => Err(malformed("the quote covers no PCR")),
            None => Ok((bytes, places)),
        }
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}
