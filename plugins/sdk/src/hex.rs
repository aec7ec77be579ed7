//! Hexadecimal text, both cases. Which bytes come out does not matter for security: the host checks
//! their signature.

/// The bytes; none where the text is not hexadecimal. `0x` may stand before it, and white space
/// around it.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// The text, in lower case.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_cases_are_read_and_nothing_else() {
        for text in ["00ffAb", "0x00FFab", " 00ffAB\n"] {
            assert_eq!(decode(text), Some(vec![0, 0xff, 0xab]), "{text:?}");
        }
        assert_eq!(encode(&[0, 0xff, 0xab]), "00ffab");
        assert_eq!(decode(""), Some(Vec::new()));
        for text in ["0", "0g", "00 ff", "x0", "é", "+1"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
