//! Strict CBOR (RFC 8949) for what outsiders send: bounded in every direction, definite lengths and
//! shortest forms only, no key twice, no floats.
//!
//! As with [`crate::json`], a first pass looks at the shape and builds nothing, so that a declared
//! length allocates nothing; only an item of good shape is then read. The order of keys is free:
//! COSE does not ask for one.

use std::collections::BTreeSet;

pub use ciborium::Value;

/// How large and of what shape an item may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole item.
    pub bytes: usize,
    /// Arrays, maps and tags inside each other.
    pub depth: usize,
    /// Items in the whole, arrays, maps and tags included.
    pub items: usize,
}

impl Limits {
    /// A document that somebody signed: 128 KiB.
    pub const DOCUMENT: Self = Self { bytes: 128 << 10, depth: 16, items: 8192 };
}

/// Why an item was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CborError {
    /// A key stands twice in one map.
    #[error("a key stands twice in one map")]
    DuplicateKey,
    /// A float, `undefined`, or a simple value other than false, true and null.
    #[error("a float or a simple value that is not read")]
    Float,
    /// A length is not told before what it measures.
    #[error("an indefinite length")]
    Indefinite,
    /// A key is neither a whole number nor text nor bytes.
    #[error("a key that is no number, text or byte string")]
    Key,
    /// The bytes end early, go on behind the item, or are not CBOR.
    #[error("{0}")]
    Malformed(&'static str),
    /// A number or a length is not in its shortest form.
    #[error("a number or a length that is not in its shortest form")]
    NotShortest,
    /// Nested deeper than is read.
    #[error("nested more than {0} deep")]
    TooDeep(usize),
    /// More bytes than are read.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// More items than are read.
    #[error("more than {0} items")]
    TooManyItems(usize),
}

/// Reads the one item that fills `bytes`.
///
/// # Errors
/// [`CborError`], of which each variant says which limit or rule the bytes broke.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, CborError> {
    if bytes.len() > limits.bytes {
        return Err(CborError::TooLarge(limits.bytes));
    }
    let mut scan = Scan { rest: bytes, limits, items: 0 };
    scan.item(0)?;
    if !scan.rest.is_empty() {
        return Err(CborError::Malformed("bytes behind the item"));
    }
    ciborium::from_reader(bytes).map_err(|_| CborError::Malformed("not CBOR"))
}

/// What is still to be looked at, and what was counted so far.
struct Scan<'a> {
    rest: &'a [u8],
    limits: Limits,
    items: usize,
}

impl<'a> Scan<'a> {
    fn item(&mut self, depth: usize) -> Result<(), CborError> {
        self.items += 1;
        if self.items > self.limits.items {
            return Err(CborError::TooManyItems(self.limits.items));
        }
        let (major, argument) = self.head()?;
        if matches!(major, 4..=6) && depth >= self.limits.depth {
            return Err(CborError::TooDeep(self.limits.depth));
        }
        match major {
            0 | 1 => Ok(()),
            2 => self.take(argument).map(drop),
            3 => std::str::from_utf8(self.take(argument)?)
                .map(drop)
                .map_err(|_| CborError::Malformed("text that is not UTF-8")),
            4 => (0..argument).try_for_each(|_| self.item(depth + 1)),
            5 => self.map(argument, depth),
            6 => self.item(depth + 1),
            _ => match argument {
                20..=22 => Ok(()),
                _ => Err(CborError::Float),
            },
        }
    }

    fn map(&mut self, members: u64, depth: usize) -> Result<(), CborError> {
        let mut keys = BTreeSet::new();
        for _ in 0..members {
            let before = self.rest;
            if !matches!(before.first().map(|byte| byte >> 5), None | Some(0..=3)) {
                return Err(CborError::Key);
            }
            self.item(depth + 1)?;
            // Shortest forms only: two keys are the same where their bytes are.
            let key = before.get(..before.len() - self.rest.len()).unwrap_or_default();
            if !keys.insert(key) {
                return Err(CborError::DuplicateKey);
            }
            self.item(depth + 1)?;
        }
        Ok(())
    }

    /// Major type and argument.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.take(1)?.first().copied().unwrap_or_default();
        let (major, low) = (first >> 5, first & 0x1f);
        let (length, least): (u64, u64) = match low {
            0..=23 => return Ok((major, low.into())),
            24 => (1, 24),
            // What follows here is a float of the length that the argument would have.
            25..=27 if major == 7 => return Err(CborError::Float),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Malformed("a reserved length")),
        };
        let argument = self.take(length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        if argument < least {
            return Err(CborError::NotShortest);
        }
        Ok((major, argument))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let split =
            usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let (taken, rest) = split.ok_or(CborError::Malformed("it ends early"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// A map with numbers as keys, of which every member must be asked for: what nobody asked for may
/// be a condition, and a condition that is not understood is not met.
pub(crate) struct Members {
    members: Vec<(Value, Value)>,
}

impl Members {
    /// The members of `value`; none where it is no map.
    pub(crate) fn of(value: Value) -> Option<Self> {
        value.into_map().ok().map(|members| Self { members })
    }

    /// Takes the member `key` out.
    pub(crate) fn take(&mut self, key: i64) -> Option<Value> {
        let place = self.members.iter().position(|(name, _)| *name == Value::from(key))?;
        Some(self.members.swap_remove(place).1)
    }

    /// The key of a member that nobody took, as text.
    pub(crate) fn left(&self) -> Option<String> {
        self.members.first().map(|(key, _)| match key {
            Value::Integer(number) => i128::from(*number).to_string(),
            Value::Text(text) => format!("{text:?}"),
            _ => "bytes".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Value, CborError> {
        parse(bytes, Limits::DOCUMENT)
    }

    #[test]
    fn plain_items_are_read() {
        let value = read(&[0xa2, 0x01, 0x63, b'a', b'b', b'c', 0x20, 0x82, 0xf5, 0xf6]).unwrap();
        let mut members = Members::of(value).unwrap();
        assert_eq!(members.take(1), Some(Value::from("abc")));
        assert_eq!(members.take(2), None);
        assert_eq!(members.left().as_deref(), Some("-1"));
    }

    // attack 36
    #[test]
    fn a_bomb_is_refused_by_name_and_before_it_is_built() {
        let deep = [vec![0x81; 17], vec![0x00]].concat();
        let tags = [vec![0xc1; 17], vec![0x00]].concat();
        let many = [vec![0x99, 0x20, 0x01], vec![0x00; 0x2001]].concat();
        for (bytes, fault) in [
            (&[0xa2, 0x01, 0x00, 0x01, 0x01][..], CborError::DuplicateKey),
            (&[0xa1, 0x02, 0xa2, 0x61, b'a', 0x00, 0x61, b'a', 0x00], CborError::DuplicateKey),
            (&[0x9f, 0xff], CborError::Indefinite),
            (&[0x5f, 0x41, 0x00, 0xff], CborError::Indefinite),
            (&[0xbf, 0xff], CborError::Indefinite),
            (&[0x18, 0x17], CborError::NotShortest),
            (&[0x58, 0x01, 0x00], CborError::NotShortest),
            (&[0xb8, 0x01, 0x00, 0x00], CborError::NotShortest),
            (
                &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Malformed("it ends early"),
            ),
            (
                &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Malformed("it ends early"),
            ),
            (
                &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Malformed("it ends early"),
            ),
            (&[0x00, 0x00], CborError::Malformed("bytes behind the item")),
            (&[0x1c], CborError::Malformed("a reserved length")),
            (&[0x61, 0xff], CborError::Malformed("text that is not UTF-8")),
            (&[0xf9, 0x3c, 0x00], CborError::Float),
            (&[0xf7], CborError::Float),
            (&[0xa1, 0xc2, 0x41, 0x01, 0x00], CborError::Key),
            (&deep, CborError::TooDeep(16)),
            (&tags, CborError::TooDeep(16)),
            (&many, CborError::TooManyItems(8192)),
            (&[0; 1 + (128 << 10)], CborError::TooLarge(128 << 10)),
        ] {
            assert_eq!(read(bytes), Err(fault), "{:02x?}", bytes.get(..16).unwrap_or(bytes));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }

        // What the scan lets through, the parser reads as the same bytes.
        #[test]
        fn what_is_read_is_written_as_it_came(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(value) = read(&bytes) {
                let mut written = Vec::new();
                ciborium::into_writer(&value, &mut written).unwrap();
                let same = written == bytes || bytes.iter().any(|byte| matches!(byte, 0xc2 | 0xc3));
                prop_assert!(same, "{:02x?} {:02x?}", bytes, written);
            }
        }
    }
}
