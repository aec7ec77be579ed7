//! DER (X.690), as much as it takes to find a value in a certificate's extension, or the names by
//! which certificates follow each other. The host reads certificates for itself, strictly; nothing is
//! decided here about whom to trust.

/// Tags of X.690 section 8, as they are encoded.
pub mod tag {
    /// A whole number.
    pub const INTEGER: u8 = 0x02;
    /// Bits, after the number of unused ones.
    pub const BIT_STRING: u8 = 0x03;
    /// Bytes.
    pub const OCTET_STRING: u8 = 0x04;
    /// An object identifier.
    pub const OID: u8 = 0x06;
    /// Text in UTF-8.
    pub const UTF8_STRING: u8 = 0x0c;
    /// Members in order.
    pub const SEQUENCE: u8 = 0x30;
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Element<'a> {
    /// Its tag, which has one byte here.
    pub tag: u8,
    /// What it says.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub raw: &'a [u8],
}

/// Values, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next value; none where there is none, or it is not DER.
    pub fn any(&mut self) -> Option<Element<'a>> {
        let whole = self.0;
        let (&tag, rest) = whole.split_first()?;
        // A tag of several bytes.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                let shortest = length > 0x7f && bytes.first() != Some(&0);
                (shortest.then_some(length)?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let raw = whole.get(..whole.len() - rest.len())?;
        self.0 = rest;
        Some(Element { tag, content, raw })
    }

    /// The next value, which must be of this tag.
    pub fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// What is inside the next value, which must be of this tag.
    pub fn nested(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(|element| Self(element.content))
    }

    /// The next value, where it is of this tag; else nothing is read.
    pub fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let before = self.0;
        let found = self.expect(tag);
        if found.is_none() {
            self.0 = before;
        }
        found
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_one_behind_the_other() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 7, 4, 0]);
        let mut inside = reader.nested(tag::SEQUENCE).unwrap();
        assert_eq!(inside.optional(tag::OID), None);
        assert_eq!(inside.expect(tag::INTEGER).unwrap().content, [7]);
        assert!(inside.is_empty() && inside.any().is_none());
        let last = reader.any().unwrap();
        assert_eq!((last.tag, last.content, last.raw), (tag::OCTET_STRING, &[][..], &[4, 0][..]));
        let long = [&[4, 0x81, 0x80][..], &[9; 0x80]].concat();
        assert_eq!(Reader::new(&long).any().unwrap().content, [9; 0x80]);
    }

    #[test]
    fn what_is_not_der_is_no_value() {
        for other in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 0],
            &[4, 0x82, 0, 0x80],
            &[0x1f, 1, 0],
            &[4, 0x84, 0, 0, 0, 1, 0],
        ] {
            assert_eq!(Reader::new(other).any(), None, "{other:x?}");
        }
    }
}
