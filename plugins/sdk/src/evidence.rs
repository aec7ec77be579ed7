//! A reader of evidence whose every step says what was missing: its error is a verifier's rejection.

use crate::bytes::Bytes;
use crate::verifier::Rejection;

/// What is left to read, and how far it is from the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: Bytes<'a>,
    offset: usize,
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident: $number:ty, $bytes:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, what: &str) -> Result<$number, Rejection> {
            let number = self.rest.$name();
            self.step(what, $bytes, number)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A reader of all of it.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Bytes(bytes), offset: 0 }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, what: &str, length: usize) -> Result<&'a [u8], Rejection> {
        let taken = self.rest.take(length);
        self.step(what, length, taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Rejection> {
        let taken = self.rest.array();
        self.step(what, N, taken)
    }

    /// As many bytes as a number said that came before, and at most `most`.
    pub fn counted(
        &mut self,
        what: &str,
        length: impl TryInto<usize>,
        most: usize,
    ) -> Result<&'a [u8], Rejection> {
        let length = length.try_into().ok().filter(|length| *length <= most);
        let length = length.ok_or_else(|| {
            Rejection::Malformed(format!("{what}: longer than {most} bytes, at {}", self.offset))
        })?;
        self.take(what, length)
    }

    numbers! {
        /// One byte.
        byte: u8, 1;
        /// Two bytes, big-endian.
        u16_be: u16, 2;
        /// Two bytes, little-endian.
        u16_le: u16, 2;
        /// Four bytes, big-endian.
        u32_be: u32, 4;
        /// Four bytes, little-endian.
        u32_le: u32, 4;
        /// Eight bytes, big-endian.
        u64_be: u64, 8;
        /// Eight bytes, little-endian.
        u64_le: u64, 8;
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), Rejection> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(Rejection::Malformed(format!("more than is read, from {}", self.offset))),
        }
    }

    fn step<T>(&mut self, what: &str, length: usize, taken: Option<T>) -> Result<T, Rejection> {
        let missing =
            || Rejection::Malformed(format!("{what}: it ends before, at {}", self.offset));
        let taken = taken.ok_or_else(missing)?;
        self.offset += length;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_says_what_was_missing_and_where() {
        let mut reader = Reader::new(&[1, 0, 2, 9, 9]);
        assert_eq!(reader.byte("the kind").unwrap(), 1);
        let length = reader.u16_be("the length").unwrap();
        assert_eq!(reader.counted("the body", length, 16).unwrap(), [9, 9]);
        assert!(reader.finish().is_ok());
        let refused = |rejection: Rejection| match rejection {
            Rejection::Malformed(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(reader.u32_le("the end").unwrap_err()), "the end: it ends before, at 5");
        let mut reader = Reader::new(&[0; 8]);
        let words = refused(reader.counted("the body", u64::MAX, 16).unwrap_err());
        assert_eq!(words, "the body: longer than 16 bytes, at 0");
        reader.array::<4>("the head").unwrap();
        assert_eq!(refused(reader.finish().unwrap_err()), "more than is read, from 4");
    }
}
