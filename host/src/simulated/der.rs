//! Writing DER (ITU-T X.690): just what certificates, revocation lists and key identifiers need.
//!
//! Every function returns one whole element: tag, length, content. Nothing is checked; a forger
//! wants to write nonsense too.

use time::OffsetDateTime;

use crate::clock::Timestamp;

/// An object identifier, arc by arc: `&[2, 5, 29, 19]`.
pub type Oid = &'static [u64];

/// An element of any tag.
#[must_use]
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => der.push(0),
        [short] if *short < 0x80 => der.push(*short),
        long => {
            // Eight bytes at most: the count fits in the low bits.
            der.push(0x80 | long.len() as u8);
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

/// SEQUENCE of the given elements.
#[must_use]
pub fn sequence<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Vec<u8> {
    element(0x30, &concatenate(parts))
}

/// SET of the given elements, in the given order.
#[must_use]
pub fn set<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Vec<u8> {
    element(0x31, &concatenate(parts))
}

/// `[number]` EXPLICIT around one element.
#[must_use]
pub fn explicit(number: u8, inner: &[u8]) -> Vec<u8> {
    element(0xa0 | number, inner)
}

/// INTEGER, not negative, from its big-endian magnitude.
#[must_use]
pub fn integer(magnitude: &[u8]) -> Vec<u8> {
    let mut content: Vec<u8> = magnitude.iter().copied().skip_while(|byte| *byte == 0).collect();
    if content.first().is_none_or(|first| *first >= 0x80) {
        content.insert(0, 0);
    }
    element(0x02, &content)
}

/// INTEGER of a machine number.
#[must_use]
pub fn number(value: u64) -> Vec<u8> {
    integer(&value.to_be_bytes())
}

/// BOOLEAN.
#[must_use]
pub fn boolean(value: bool) -> Vec<u8> {
    element(0x01, &[if value { 0xff } else { 0 }])
}

/// NULL.
#[must_use]
pub fn null() -> Vec<u8> {
    element(0x05, &[])
}

/// OBJECT IDENTIFIER.
#[must_use]
pub fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut content = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        base128(&mut content, first * 40 + second);
        for arc in rest {
            base128(&mut content, *arc);
        }
    }
    element(0x06, &content)
}

/// BIT STRING of whole bytes.
#[must_use]
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], bytes].concat())
}

/// BIT STRING that is a list of named bits below 8, without trailing zero bits (X.690 §11.2.2).
#[must_use]
pub fn named_bits(bits: &[u8]) -> Vec<u8> {
    let byte = bits
        .iter()
        .fold(0_u8, |byte, bit| byte | 0x80_u8.checked_shr(u32::from(*bit)).unwrap_or(0));
    match byte {
        0 => element(0x03, &[0]),
        // A trailing-zero count of a byte that is not zero is at most 7.
        _ => element(0x03, &[byte.trailing_zeros() as u8, byte]),
    }
}

/// OCTET STRING.
#[must_use]
pub fn octet_string(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

/// UTF8String.
#[must_use]
pub fn utf8(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

/// PrintableString.
#[must_use]
pub fn printable(text: &str) -> Vec<u8> {
    element(0x13, text.as_bytes())
}

/// IA5String.
#[must_use]
pub fn ia5(text: &str) -> Vec<u8> {
    element(0x16, text.as_bytes())
}

/// Time as RFC 5280 §4.1.2.5 wants it: UTCTime until 2049, GeneralizedTime from 2050. A moment
/// past the year 9999 becomes that year's last second, "no well-defined end".
#[must_use]
pub fn time(at: Timestamp) -> Vec<u8> {
    const END: &str = "99991231235959Z";
    let moment = i64::try_from(at.0)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(moment) = moment else {
        return element(0x18, END.as_bytes());
    };
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(moment.month()),
        moment.day(),
        moment.hour(),
        moment.minute(),
        moment.second()
    );
    match moment.year() {
        year @ 1950..=2049 => element(0x17, format!("{:02}{rest}", year % 100).as_bytes()),
        year => element(0x18, format!("{year:04}{rest}").as_bytes()),
    }
}

fn concatenate<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut content = Vec::new();
    for part in parts {
        content.extend_from_slice(part.as_ref());
    }
    content
}

/// Seven bits a byte, the highest first, the top bit set on all but the last.
fn base128(content: &mut Vec<u8>, arc: u64) {
    for group in (1..10).rev() {
        if arc >> (7 * group) != 0 {
            content.push(0x80 | (arc >> (7 * group)) as u8);
        }
    }
    content.push((arc & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_short_form_while_they_can() {
        assert_eq!(element(0x04, &[7; 127])[..2], [0x04, 0x7f]);
        assert_eq!(element(0x04, &[7; 128])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(element(0x04, &[7; 1080])[..4], [0x04, 0x82, 0x04, 0x38]);
        assert_eq!(null(), [0x05, 0x00]);
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(number(0), [0x02, 0x01, 0x00]);
        assert_eq!(number(0x7f), [0x02, 0x01, 0x7f]);
        assert_eq!(number(0xd9), [0x02, 0x02, 0x00, 0xd9]);
        assert_eq!(number(0x10001), [0x02, 0x03, 0x01, 0x00, 0x01]);
    }

    #[test]
    fn object_identifiers_are_the_bytes_that_amd_writes() {
        assert_eq!(
            oid(&[1, 3, 6, 1, 4, 1, 3704, 1, 3, 8]),
            [0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, 0x03, 0x08]
        );
    }

    #[test]
    fn named_bits_drop_their_trailing_zeros() {
        assert_eq!(named_bits(&[5, 6]), [0x03, 0x02, 0x01, 0x06]);
        assert_eq!(named_bits(&[5]), [0x03, 0x02, 0x02, 0x04]);
        assert_eq!(named_bits(&[]), [0x03, 0x01, 0x00]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let text = |at: &str| {
            let der = time(Timestamp::parse(at).unwrap());
            (der[0], String::from_utf8(der[2..].to_vec()).unwrap())
        };
        assert_eq!(text("2049-12-31T23:59:59Z"), (0x17, "491231235959Z".into()));
        assert_eq!(text("2050-01-01T00:00:00Z"), (0x18, "20500101000000Z".into()));
        assert_eq!(time(Timestamp(u64::MAX))[0], 0x18);
    }
}
