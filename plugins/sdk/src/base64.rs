//! Base64 (RFC 4648), both alphabets, with or without padding. Which bytes come out does not matter
//! for security: the host checks their signature.

/// The bytes, or none where the text is not base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    // First what each stands for, of many digits at once; then put together.
    let values: Vec<u8> = digits.iter().map(|digit| value(*digit)).collect();
    if values.iter().fold(0, |wrong, value| wrong | value) & NONE != 0 {
        return None;
    }
    let (groups, rest) = values.as_chunks::<8>();
    let mut bytes = vec![0; groups.len() * 6 + rest.len() * 3 / 4];
    let (places, behind) = bytes.as_chunks_mut::<6>();
    for (place, values) in places.iter_mut().zip(groups) {
        *place = group(*values);
    }
    // Filled up with zeros.
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(place, value)| *place = *value);
    behind.iter_mut().zip(group(last)).for_each(|(place, byte)| *place = byte);
    Some(bytes)
}

/// Six bytes of eight times six bits. Neighbours are put together, all at once: values in pairs, pairs in
/// fours, and these.
fn group(values: [u8; 8]) -> [u8; 6] {
    let bits = u64::from_be_bytes(values);
    let pairs = (bits & 0x3f00_3f00_3f00_3f00) >> 2 | bits & 0x003f_003f_003f_003f;
    let fours = (pairs & 0x0fff_0000_0fff_0000) >> 4 | pairs & 0x0000_0fff_0000_0fff;
    let whole = (fours & 0x00ff_ffff_0000_0000) >> 8 | fours & 0x00ff_ffff;
    let [_, _, bytes @ ..] = whole.to_be_bytes();
    bytes
}

/// The bytes in the URL-safe alphabet, without padding (section 5).
#[must_use]
pub fn url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
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
const NONE: u8 = 0x80;

/// What a byte stands for as a digit. By comparing, not by a table, which vectors have none of.
fn value(digit: u8) -> u8 {
    match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => NONE,
    }
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
