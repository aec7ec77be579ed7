//! Base64 (RFC 4648), both alphabets, with or without padding. Which bytes come out does not matter
//! for security: the host checks their signature.

/// The URL-safe alphabet (section 5).
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The bytes, or none where the text is not base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let (pairs, rest) = digits.as_chunks::<8>();
    // Of a pair eight bytes are written, the two behind it for the next to write over.
    let mut bytes = vec![0; pairs.len() * 6 + 8];
    let (mut all, mut behind) = (0, bytes.as_mut_slice());
    for [a, b, c, d, e, f, g, h] in pairs {
        let (first, second) = (group([*a, *b, *c, *d]), group([*e, *f, *g, *h]));
        all |= first | second;
        let place = behind.first_chunk_mut()?;
        *place = (u64::from(first) << 40 | u64::from(second) << 16).to_be_bytes();
        behind = behind.get_mut(6..)?;
    }
    // Filled up with zeros.
    let mut last = [b'A'; 8];
    last.iter_mut().zip(rest).for_each(|(place, digit)| *place = *digit);
    let [a, b, c, d, e, f, g, h] = last;
    let (first, second) = (group([a, b, c, d]), group([e, f, g, h]));
    *behind.first_chunk_mut()? = (u64::from(first) << 40 | u64::from(second) << 16).to_be_bytes();
    bytes.truncate(digits.len() * 3 / 4);
    ((all | first | second) & NONE == 0).then_some(bytes)
}

/// The 24 bits that four digits stand for.
#[allow(clippy::indexing_slicing, reason = "each table has a place for every byte")]
fn group(digits: [u8; 4]) -> u32 {
    let [a, b, c, d] = digits.map(usize::from);
    let [first, second, third, fourth] = &PLACES;
    first[a] | second[b] | third[c] | fourth[d]
}

/// The bytes in the URL-safe alphabet, without padding (section 5).
#[must_use]
pub fn url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=group.len() {
            let value = bits >> (18 - 6 * digit) & 63;
            let found = usize::try_from(value).ok().and_then(|value| DIGITS.get(value));
            text.extend(found.map(|digit| char::from(*digit)));
        }
    }
    text
}

/// Stands for what is no digit.
const NONE: u32 = 1 << 31;

/// What a byte stands for as the first, second, third and fourth digit of a group: its six bits where they
/// belong. Four small tables are looked up faster than one whose bits are moved, or than comparing.
static PLACES: [[u32; 256]; 4] = [places(18), places(12), places(6), places(0)];

#[allow(clippy::indexing_slicing, reason = "outside, it would not compile")]
const fn places(shift: u32) -> [u32; 256] {
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        table[DIGITS[value] as usize] = (value as u32) << shift;
        value += 1;
    }
    // The other alphabet's (section 4).
    table[b'+' as usize] = 62 << shift;
    table[b'/' as usize] = 63 << shift;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4648 section 10
    #[test]
    fn the_test_vectors_of_the_rfc_decode() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("-_+/"), Some(vec![0xfb, 0xff, 0xbf]));
        for text in ["A", "AAAAA", "A===", "AA A", "AA\n", "=A"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    // Many digits are read at a time: the same comes out as of one by one.
    #[test]
    fn a_text_of_any_length_is_read_and_a_wrong_digit_found_wherever_it_stands() {
        for length in 0..80_u8 {
            let bytes: Vec<u8> = (0..length).map(|number| number.wrapping_mul(0x9d)).collect();
            let text = url(&bytes);
            assert_eq!(decode(&text), Some(bytes));
            for place in 0..text.len() {
                for wrong in ["!", "=", ".", "@", "[", "`", "{", ":", " ", "\u{7f}"] {
                    let end = text.get(place + 1..).unwrap();
                    let other = format!("{}{wrong}{end}", text.get(..place).unwrap());
                    // At the end it may be the padding.
                    if wrong != "=" || place + 2 < text.len() {
                        assert_eq!(decode(&other), None, "{other}");
                    }
                }
            }
        }
    }

    // RFC 4648 section 10
    #[test]
    fn base64url_is_written_without_padding() {
        for (bytes, wanted) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")]
        {
            assert_eq!(url(bytes.as_bytes()), wanted);
        }
        assert_eq!(url(&[0xfb, 0xff, 0xbf]), "-_-_");
    }
}
