//! Hexadecimal text, both cases. Which bytes come out does not matter for security: the host checks
//! their signature.

/// The bytes; none where the text is not hexadecimal. `0x` may stand before it, and white space
/// around it.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    decode_behind(text, &mut bytes).then_some(bytes)
}

/// Puts the bytes behind others: many values need no memory each. False where the text is not hexadecimal;
/// what stands behind the others then is of no use.
#[must_use]
pub fn decode_behind(text: &str, bytes: &mut Vec<u8>) -> bool {
    let text = text.trim_ascii();
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut wrong = 0;
    bytes.extend(pairs.iter().map(|[high, low]| {
        let (high, low) = (value(*high), value(*low));
        wrong |= high | low;
        high << 4 | low & 15
    }));
    // Of a digit that is none the highest bits are set, which is looked for once.
    rest.is_empty() && wrong & 0xf0 == 0
}

/// What a byte stands for as a digit; more than 15 where it is none. By comparing, not by a table: of many
/// digits at once.
fn value(digit: u8) -> u8 {
    let (number, letter) = (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a'));
    match (number, letter) {
        (0..10, _) => number,
        (_, 0..6) => letter + 10,
        _ => 0xff,
    }
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
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(decode(&encode(&all)), Some(all.clone()));
        assert_eq!(decode(&encode(&all).to_uppercase()), Some(all));
        for wrong in ["/", ":", "@", "G", "`", "g", "\u{10}", "\u{1a}"] {
            for place in 0..64 {
                let mut text = "0".repeat(64);
                text.replace_range(place..=place, wrong);
                assert_eq!(decode(&text), None, "{text:?}");
            }
        }
        assert_eq!(decode(""), Some(Vec::new()));
        for text in ["0", "0g", "00 ff", "x0", "é", "+1"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
