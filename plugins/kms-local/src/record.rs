//! What is remembered of a key: one record with all its versions, so that one compare-and-swap
//! changes it wholly or not at all.
//!
//! ```text
//! offset  length  what (integers big-endian)
//!      0       1  version of this layout: 1
//!      1       1  flags: 1 enabled, 2 exportable, 4 deleted
//!      2       1  kind: 0 oct, 1 rsa, 2 ec-p256, 3 ec-p384, 4 ec-p521, 5 ed25519
//!      3       4  bits of oct and rsa, else 0
//!      7       4  first number of this key's versions
//!     11       4  first number that no version was ever given
//!     15    21×n  versions, oldest first: number (4), flags (1: 1 enabled), created (8), updated (8)
//! ```

use claviger_plugin_sdk::kms::sealed_keys::Kind;

const LAYOUT: u8 = 1;
const ENABLED: u8 = 1;
const EXPORTABLE: u8 = 2;
const DELETED: u8 = 4;

/// A key and its versions.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) enabled: bool,
    pub(crate) exportable: bool,
    /// A deleted key's record stays: it says which numbers were given, and may not be again.
    pub(crate) deleted: bool,
    /// Where the numbers of its versions begin.
    pub(crate) first: u32,
    /// The lowest number that was never given.
    pub(crate) next: u32,
    /// Oldest first.
    pub(crate) versions: Vec<Version>,
}

/// A version of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) number: u32,
    pub(crate) enabled: bool,
    /// Seconds since the Unix epoch.
    pub(crate) created: u64,
    /// Seconds since the Unix epoch.
    pub(crate) updated: u64,
}

impl Record {
    /// The version that is released where none is named.
    pub(crate) fn latest(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.enabled)
    }

    /// As it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let (kind, bits) = kind_number(self.kind);
        let mut bytes = vec![
            LAYOUT,
            flag(self.enabled, ENABLED)
                | flag(self.exportable, EXPORTABLE)
                | flag(self.deleted, DELETED),
            kind,
        ];
        bytes.extend(bits.to_be_bytes());
        bytes.extend(self.first.to_be_bytes());
        bytes.extend(self.next.to_be_bytes());
        for version in &self.versions {
            bytes.extend(version.number.to_be_bytes());
            bytes.push(flag(version.enabled, ENABLED));
            bytes.extend(version.created.to_be_bytes());
            bytes.extend(version.updated.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Record::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let [layout, flags, kind] = bytes.take()?;
        let record = Self {
            kind: kind_of(kind, u32::from_be_bytes(bytes.take()?))?,
            enabled: flags & ENABLED != 0,
            exportable: flags & EXPORTABLE != 0,
            deleted: flags & DELETED != 0,
            first: u32::from_be_bytes(bytes.take()?),
            next: u32::from_be_bytes(bytes.take()?),
            versions: bytes.versions()?,
        };
        (layout == LAYOUT && flags <= ENABLED | EXPORTABLE | DELETED).then_some(record)
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn versions(&mut self) -> Option<Vec<Version>> {
        let mut versions = Vec::new();
        while !self.0.is_empty() {
            let number = u32::from_be_bytes(self.take()?);
            let [flags] = self.take()?;
            versions.push(Version {
                number,
                enabled: flags & ENABLED != 0,
                created: u64::from_be_bytes(self.take()?),
                updated: u64::from_be_bytes(self.take()?),
            });
        }
        Some(versions)
    }
}

fn kind_number(kind: Kind) -> (u8, u32) {
    match kind {
        Kind::Oct(bits) => (0, bits),
        Kind::Rsa(bits) => (1, bits),
        Kind::EcP256 => (2, 0),
        Kind::EcP384 => (3, 0),
        Kind::EcP521 => (4, 0),
        Kind::Ed25519 => (5, 0),
    }
}

fn kind_of(number: u8, bits: u32) -> Option<Kind> {
    match (number, bits) {
        (0, bits) => Some(Kind::Oct(bits)),
        (1, bits) => Some(Kind::Rsa(bits)),
        (2, 0) => Some(Kind::EcP256),
        (3, 0) => Some(Kind::EcP384),
        (4, 0) => Some(Kind::EcP521),
        (5, 0) => Some(Kind::Ed25519),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_bytes() {
        let version = |number, enabled| Version {
            number,
            enabled,
            created: u64::from(number) * 1_000,
            updated: u64::MAX,
        };
        let record = Record {
            kind: Kind::Rsa(3072),
            enabled: true,
            exportable: true,
            deleted: false,
            first: 1,
            next: 4,
            versions: vec![version(1, true), version(2, true), version(3, false)],
        };
        let bytes = record.encode();
        let read = Record::decode(&bytes).unwrap();
        assert_eq!(read.versions, record.versions);
        assert_eq!((read.first, read.next), (1, 4));
        assert!(read.enabled && read.exportable && !read.deleted);
        assert_eq!(read.latest().unwrap().number, 2);
        assert_eq!(read.encode(), bytes);
        for length in (0..bytes.len()).filter(|length| *length < 15 || (length - 15) % 21 != 0) {
            assert!(Record::decode(&bytes[..length]).is_none(), "{length}");
        }
        for (at, value) in [(0, 2), (1, 8), (2, 6)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(Record::decode(&changed).is_none(), "{at}");
        }
    }
}
