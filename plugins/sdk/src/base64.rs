//! Base64 (RFC 4648), both alphabets, with or without padding. Which bytes come out does not matter
//! for security: the host checks their signature.

/// The bytes, or none where the text is not base64.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let (groups, rest) = digits.as_chunks::<4>();
    let mut bytes = vec![0; groups.len() * 3 + rest.len().saturating_sub(1)];
    let (places, behind) = bytes.as_chunks_mut::<3>();
    let mut wrong = 0;
    for (place, digits) in places.iter_mut().zip(groups) {
        *place = group(*digits, &mut wrong);
    }
    // Filled up with zeros.
    let mut last = [b'A'; 4];
    last.iter_mut().zip(rest).for_each(|(place, digit)| *place = *digit);
    let last = group(last, &mut wrong);
    behind.iter_mut().zip(last).for_each(|(place, byte)| *place = byte);
    (wrong & NONE == 0).then_some(bytes)
}

/// Three bytes. Of a digit that is none the highest bit gets into `wrong`, to be looked for once.
fn group(digits: [u8; 4], wrong: &mut u8) -> [u8; 3] {
    let [a, b, c, d] = digits.map(value);
    *wrong |= a | b | c | d;
    let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
    let [_, first, second, third] = bits.to_be_bytes();
    [first, second, third]
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

/// What each byte stands for as a digit.
#[expect(clippy::indexing_slicing, reason = "at compile time, where it would be told")]
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        let digit = match value {
            0..26 => b'A' + value,
            26..52 => b'a' + value - 26,
            52..62 => b'0' + value - 52,
            62 => b'+',
            _ => b'/',
        };
        values[digit as usize] = value;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

fn value(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(NONE)
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
