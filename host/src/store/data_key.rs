//! The data key as it lies in the store: wrapped by the master key, under a versioned header.
//!
//! ```text
//! offset  length  what
//!      0       1  version of this layout: 1
//!      1       1  how the master key is derived: 0 direct, 1 argon2id
//!   [  2      12  argon2id only: memory in KiB, passes, lanes; u32 each, big-endian ]
//!   [ 14      16  argon2id only: salt ]
//!      -      12  nonce
//!      -      48  the data key by AES-256-GCM, and its tag; everything before the nonce, then the
//!                 store key of this record, is authenticated with it
//! ```

use super::aead::{self, NONCE_LENGTH, TAG_LENGTH};
use super::master_key::{Argon2id, Derivation, KEY_LENGTH};
use crate::random::{Random, RandomnessFailed};
use crate::secret::Secret;

const VERSION: u8 = 1;
const DIRECT: u8 = 0;
const ARGON2ID: u8 = 1;

/// A wrapped data key.
#[derive(Debug)]
pub(super) struct Wrapped<'a> {
    /// How to derive the master key; believed only after unwrapping.
    pub(super) derivation: Derivation,
    header: &'a [u8],
    sealed: &'a [u8],
}

/// The record is not of a layout that this host knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unreadable;

/// Wraps `data_key` for the store key `place`.
pub(super) fn wrap(
    data_key: &Secret,
    master_key: &Secret,
    derivation: &Derivation,
    place: &str,
    random: &dyn Random,
) -> Result<Vec<u8>, RandomnessFailed> {
    let mut record = header(derivation);
    let authenticated = [record.as_slice(), place.as_bytes()].concat();
    let cipher = aead::cipher(master_key).ok_or(RandomnessFailed)?;
    record.extend(aead::seal(&cipher, data_key.expose(), &authenticated, random)?);
    Ok(record)
}

impl<'a> Wrapped<'a> {
    /// Reads a record; checks its form only.
    pub(super) fn parse(record: &'a [u8]) -> Result<Self, Unreadable> {
        let (derivation, sealed) = match record {
            [VERSION, DIRECT, sealed @ ..] => (Derivation::Direct, sealed),
            [VERSION, ARGON2ID, rest @ ..] => {
                let (memory, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (passes, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (lanes, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
                let (salt, sealed) = rest.split_first_chunk().ok_or(Unreadable)?;
                let parameters = Argon2id {
                    memory: u32::from_be_bytes(*memory),
                    passes: u32::from_be_bytes(*passes),
                    lanes: u32::from_be_bytes(*lanes),
                };
                (Derivation::Argon2id(parameters, *salt), sealed)
            }
            _ => return Err(Unreadable),
        };
        if sealed.len() != NONCE_LENGTH + KEY_LENGTH + TAG_LENGTH {
            return Err(Unreadable);
        }
        let header = record.len() - sealed.len();
        let header = record.get(..header).ok_or(Unreadable)?;
        Ok(Self { derivation, header, sealed })
    }

    /// The data key; none where `master_key` is not the one that wrapped it, or the record of
    /// `place` was altered.
    pub(super) fn unwrap(&self, master_key: &Secret, place: &str) -> Option<Secret> {
        let authenticated = [self.header, place.as_bytes()].concat();
        aead::open(&aead::cipher(master_key)?, self.sealed, &authenticated)
    }
}

fn header(derivation: &Derivation) -> Vec<u8> {
    match derivation {
        Derivation::Direct => vec![VERSION, DIRECT],
        Derivation::Argon2id(parameters, salt) => [
            [VERSION, ARGON2ID].as_slice(),
            &parameters.memory.to_be_bytes(),
            &parameters.passes.to_be_bytes(),
            &parameters.lanes.to_be_bytes(),
            salt,
        ]
        .concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;

    #[test]
    fn no_bit_of_a_wrapped_data_key_can_be_changed() {
        let (data, master) = (Secret::new(vec![1; 32]), Secret::new(vec![2; 32]));
        for derivation in [Derivation::Direct, Derivation::Argon2id(Argon2id::default(), [9; 16])] {
            let random = SystemRandomness::default();
            let record = wrap(&data, &master, &derivation, "here", &random).unwrap();
            let wrapped = Wrapped::parse(&record).unwrap();
            assert_eq!(wrapped.derivation, derivation);
            let opened = wrapped.unwrap(&master, "here").unwrap();
            assert!(opened.matches(data.expose()));
            assert!(wrapped.unwrap(&master, "there").is_none());
            assert!(wrapped.unwrap(&data, "here").is_none());
            for bit in 0..record.len() * 8 {
                let mut record = record.clone();
                record[bit / 8] ^= 1 << (bit % 8);
                let opened = Wrapped::parse(&record).map(|w| w.unwrap(&master, "here").is_some());
                assert!(!opened.unwrap_or(false), "bit {bit}");
            }
            for length in 0..record.len() {
                assert!(Wrapped::parse(&record[..length]).is_err(), "{length}");
            }
        }
    }
}
