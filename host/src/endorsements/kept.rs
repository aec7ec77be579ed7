//! An endorsement that was checked, and for when it holds. It is public, and sealed all the same: so
//! nobody changes it where it lies.

use crate::clock::Timestamp;
use crate::quote::Validity;
use crate::store::{SealedStore, StoreError};

/// Of its time, this part is left when it is to be renewed: a fifth.
const LAST_PART: u64 = 5;

/// What is kept.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Kept {
    /// As they came; what is wanted, and certificates of who signed it.
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) validity: Validity,
}

impl Kept {
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        (self.validity.from..=self.validity.until).contains(&now)
    }

    /// Whether little of its time is left.
    pub(super) fn is_aging(&self, now: Timestamp) -> bool {
        let Validity { from, until } = self.validity;
        let whole = until.0.saturating_sub(from.0);
        until.0.saturating_sub(now.0) < whole / LAST_PART
    }

    /// Whether the other was issued before this one: it would be a way back.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        self.validity.from > other.validity.from
    }

    /// From the store; none where it is not there or not readable.
    pub(super) fn load(store: &SealedStore, name: &str) -> Option<Self> {
        let record = store.get(&key(name)).ok()??;
        let record = record.expose();
        let (from, rest) = record.split_first_chunk::<8>()?;
        let (until, bytes) = rest.split_first_chunk::<8>()?;
        let moment = |bytes: &[u8; 8]| Timestamp(u64::from_be_bytes(*bytes));
        let validity = Validity { from: moment(from), until: moment(until) };
        let (mut parts, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (part, behind) = behind.split_at_checked(length)?;
            parts.push(part.to_vec());
            rest = behind;
        }
        Some(Self { parts, validity })
    }

    /// Into the store, in the place of an older one.
    pub(super) fn save(&self, store: &SealedStore, name: &str) -> Result<(), StoreError> {
        let key = key(name);
        let mut record = self.validity.from.0.to_be_bytes().to_vec();
        record.extend_from_slice(&self.validity.until.0.to_be_bytes());
        for part in &self.parts {
            // Sources give less than 4 GiB.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            record.extend_from_slice(&length.to_be_bytes());
            record.extend_from_slice(part);
        }
        let present = store.get(&key)?;
        // Where another writer was faster, its record is as good.
        store.swap(&key, present.as_ref().map(crate::secret::Secret::expose), Some(&record))?;
        Ok(())
    }
}

fn key(name: &str) -> String {
    format!("host/endorsements/{name}")
}
