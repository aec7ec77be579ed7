//! A strict reader of DER (X.690): definite, minimal lengths, low tag numbers, nothing left over.
//!
//! Certificates and revocation lists are hostile input, and what is read here is compared with
//! signed bytes; so there is one way to read each value, and whatever is left unread is an error.

use std::fmt;

use time::{Date, Month, OffsetDateTime, Time};

use super::fault::Fault;
use crate::clock::Timestamp;

/// Identifier octets that this reader meets.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8: u8 = 0x0c;
    pub(crate) const PRINTABLE: u8 = 0x13;
    pub(crate) const IA5: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]`, constructed.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

/// What is wrong with the bytes; [`NotDer::within`] adds where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotDer(pub(crate) &'static str);

impl NotDer {
    /// The same as a [`Fault`] that names the structure.
    pub(crate) fn within(self, structure: &str) -> Fault {
        Fault::Malformed(format!("{structure}: {self}"))
    }
}

impl fmt::Display for NotDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The result of reading DER.
pub(crate) type Result<T> = std::result::Result<T, NotDer>;

/// One value: its tag, its content, and both with the length between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads inside `content`.
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self(content)
    }

    /// Reads inside the one value that fills `bytes`.
    pub(crate) fn whole(bytes: &'a [u8], tag: u8) -> Result<Self> {
        let mut reader = Self(bytes);
        let inside = reader.nested(tag)?;
        reader.finish()?;
        Ok(inside)
    }

    /// Whether everything is read.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The end must be reached.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0 {
            [] => Ok(()),
            _ => Err(NotDer("bytes left over")),
        }
    }

    /// The next value, whatever its tag.
    pub(crate) fn any(&mut self) -> Result<Element<'a>> {
        const SHORT: NotDer = NotDer("ends too early");
        let whole = self.0;
        let (&tag, rest) = whole.split_first().ok_or(SHORT)?;
        if tag & 0x1f == 0x1f {
            return Err(NotDer("a high tag number"));
        }
        let (&first, rest) = rest.split_first().ok_or(SHORT)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) =
                    rest.split_at_checked(usize::from(first & 0x7f)).ok_or(SHORT)?;
                let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                if bytes.first() == Some(&0) || length < 0x80 {
                    return Err(NotDer("a length that is not minimal"));
                }
                (length, rest)
            }
            _ => return Err(NotDer("an indefinite or excessive length")),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
        let (raw, _) = whole.split_at_checked(whole.len() - rest.len()).ok_or(SHORT)?;
        self.0 = rest;
        Ok(Element { tag, content, raw })
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Element<'a>> {
        let element = self.any()?;
        match element.tag == tag {
            true => Ok(element),
            false => Err(NotDer("another type than expected")),
        }
    }

    /// The next value where it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>> {
        match self.0.first() {
            Some(next) if *next == tag => self.any().map(Some),
            _ => Ok(None),
        }
    }

    /// Reads inside the next value, which must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Result<Self> {
        self.expect(tag).map(|element| Self(element.content))
    }
}

/// An INTEGER's content as an unsigned number, big-endian, without leading zeros (`[0]` for zero).
pub(crate) fn unsigned(content: &[u8]) -> Result<&[u8]> {
    match content {
        [] => Err(NotDer("an empty integer")),
        [0] => Ok(content),
        [0, next, ..] if *next < 0x80 => Err(NotDer("an integer that is not minimal")),
        [0, number @ ..] => Ok(number),
        [first, ..] if *first >= 0x80 => Err(NotDer("a negative integer")),
        _ => Ok(content),
    }
}

/// An INTEGER's content as a number from zero.
pub(crate) fn small(content: &[u8]) -> Result<u64> {
    let digits = unsigned(content)?;
    match digits.len() {
        0..=8 => Ok(digits.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
        _ => Err(NotDer("an integer that is too large")),
    }
}

/// A BOOLEAN's content.
pub(crate) fn boolean(content: &[u8]) -> Result<bool> {
    match content {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(NotDer("a boolean that is neither")),
    }
}

/// A BIT STRING's content, where it holds whole octets.
pub(crate) fn octets_of_bits(content: &[u8]) -> Result<&[u8]> {
    match content {
        [0, octets @ ..] => Ok(octets),
        _ => Err(NotDer("a bit string with a broken octet")),
    }
}

/// A UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has it: UTC, with seconds, no fraction.
/// What lies before 1970 counts as 1970.
pub(crate) fn moment(element: Element<'_>) -> Result<Timestamp> {
    const BAD: NotDer = NotDer("a time that is not one");
    let two = |digits: &[u8]| match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok((tens - b'0') * 10 + (ones - b'0')),
        _ => Err(BAD),
    };
    let (year, rest) = match element.tag {
        tag::UTC_TIME => {
            let (year, rest) = element.content.split_at_checked(2).ok_or(BAD)?;
            let year = i32::from(two(year)?);
            (year + if year < 50 { 2000 } else { 1900 }, rest)
        }
        tag::GENERALIZED_TIME => {
            let (century, rest) = element.content.split_at_checked(2).ok_or(BAD)?;
            let (year, rest) = rest.split_at_checked(2).ok_or(BAD)?;
            (i32::from(two(century)?) * 100 + i32::from(two(year)?), rest)
        }
        _ => return Err(NotDer("another type than a time")),
    };
    let [m1, m2, d1, d2, h1, h2, n1, n2, s1, s2, b'Z'] = *rest else {
        return Err(BAD);
    };
    let month = Month::try_from(two(&[m1, m2])?).map_err(|_| BAD)?;
    let date = Date::from_calendar_date(year, month, two(&[d1, d2])?).map_err(|_| BAD)?;
    let time =
        Time::from_hms(two(&[h1, h2])?, two(&[n1, n2])?, two(&[s1, s2])?).map_err(|_| BAD)?;
    let seconds = OffsetDateTime::new_utc(date, time).unix_timestamp();
    Ok(Timestamp(u64::try_from(seconds).unwrap_or(0)))
}

/// The content octets of a dotted object identifier, where it is one.
pub(crate) fn oid(dotted: &str) -> Option<Vec<u8>> {
    let mut arcs = dotted.split('.').map(|arc| {
        let digits = !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
        arc.parse::<u64>().ok().filter(|_| digits)
    });
    let (first, second) = (arcs.next()??, arcs.next()??);
    if first > 2 || (first < 2 && second > 39) {
        return None;
    }
    let mut content = Vec::with_capacity(dotted.len());
    let mut push = |arc: u64| {
        let groups = (64 - (arc | 1).leading_zeros()).div_ceil(7);
        for group in (0..groups).rev() {
            let bits = (arc >> (7 * group)) as u8 & 0x7f;
            content.push(if group > 0 { bits | 0x80 } else { bits });
        }
    };
    push(first.checked_mul(40)?.checked_add(second)?);
    for arc in arcs {
        push(arc?);
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal_and_nothing_is_left_over() {
        let read = |bytes: &[u8]| Reader::whole(bytes, tag::SEQUENCE).map(|inside| inside.0.len());
        assert_eq!(read(&[0x30, 0x01, 0x00]), Ok(1));
        assert!(read(&[0x30, 0x81, 0x01, 0x00]).is_err());
        assert!(read(&[0x30, 0x80, 0x00, 0x00]).is_err());
        assert!(read(&[0x30, 0x01, 0x00, 0x00]).is_err());
        assert!(read(&[0x30, 0x02, 0x00]).is_err());
        assert!(read(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(read(&[0x3f, 0x01, 0x00]).is_err());
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(small(&[0x00]), Ok(0));
        assert_eq!(small(&[0x00, 0xce]), Ok(206));
        assert!(small(&[0x00, 0x01]).is_err());
        assert!(small(&[0xce]).is_err());
        assert!(small(&[]).is_err());
        assert!(small(&[1; 9]).is_err());
    }

    #[test]
    fn times_are_utc_to_the_second() {
        let read = |tag, text: &str| {
            moment(Element { tag, content: text.as_bytes(), raw: &[] }).map(|at| at.0)
        };
        assert_eq!(read(tag::UTC_TIME, "250101000000Z"), Ok(1_735_689_600));
        assert_eq!(read(tag::GENERALIZED_TIME, "20250101000000Z"), Ok(1_735_689_600));
        assert_eq!(read(tag::UTC_TIME, "500101000000Z"), Ok(0));
        assert!(read(tag::UTC_TIME, "2501010000Z").is_err());
        assert!(read(tag::UTC_TIME, "250101000000+0100").is_err());
        assert!(read(tag::UTC_TIME, "251301000000Z").is_err());
        assert!(read(tag::GENERALIZED_TIME, "20250101000000.5Z").is_err());
    }

    #[test]
    fn object_identifiers_are_encoded_by_arcs() {
        assert_eq!(oid("1.2.840.10045.2.1"), Some(vec![0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]));
        assert_eq!(
            oid("2.16.840.1.101.3.4.3.18"),
            Some(vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 0x12])
        );
        for bad in ["", "1", "3.1", "1.40", "1.2.", "1.+2", "a.b"] {
            assert_eq!(oid(bad), None, "{bad}");
        }
    }
}
