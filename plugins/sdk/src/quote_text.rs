//! Quotes of Intel's (DCAP) in the forms in which clients send them: as they are, in hexadecimal or base64,
//! and as a member of a JSON object.

use crate::json::{self, Value};
use crate::{base64, hex};

/// A quote, and what else stood in the object.
#[derive(Debug, PartialEq)]
pub struct Packed<'a> {
    /// The quote.
    pub quote: Vec<u8>,
    /// The members beside it; none where there is no object.
    pub beside: Option<Value<'a>>,
}

/// The quote itself, or its text in hexadecimal or base64. Which of them it is the first two bytes say: the
/// version, 3 to 5, little-endian, is no text.
///
/// # Errors
/// What is wrong, in words.
pub fn raw(bytes: Vec<u8>) -> Result<Packed<'static>, &'static str> {
    if matches!(bytes.as_slice(), [3..=5, 0, ..]) {
        return Ok(Packed { quote: bytes, beside: None });
    }
    let text = str::from_utf8(&bytes).map_err(|_| "not a quote of version 3, 4 or 5")?;
    let quote = text_of(text).ok_or("neither a quote nor one in hexadecimal or base64")?;
    Ok(Packed { quote, beside: None })
}

/// `{"quote": …}`, alone or under `evidence`: hexadecimal, base64 or a list of bytes.
///
/// # Errors
/// What is wrong, in words.
pub fn object(text: &[u8]) -> Result<Packed<'_>, &'static str> {
    let value = json::parse(text)?;
    let evidence = match value {
        Value::Object(members) if members.iter().any(|(name, _)| name == "evidence") => members
            .into_iter()
            .find(|(name, _)| name == "evidence")
            .map_or(Value::Null, |(_, one)| one),
        value => value,
    };
    let quote = match evidence.member("quote") {
        Some(Value::Text(text)) => text_of(text),
        Some(value) => value.bytes(),
        None => return Err("no member `quote`"),
    };
    let quote = quote.ok_or("`quote` is neither hexadecimal, base64 nor bytes")?;
    Ok(Packed { quote, beside: Some(evidence) })
}

/// Hexadecimal where it can be that: base64 of a quote never is, for it has 4,000 digits.
fn text_of(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.split_ascii_whitespace().collect();
    let found = hex::decode(&digits).or_else(|| base64::decode(&digits));
    found.filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_itself_hexadecimal_or_base64() {
        let quote = vec![4, 0, 2, 0, 0x81];
        for text in [&quote[..], b"0400020081", b"0x0400 0200\n81", b"BAACAIE=", b"BAACAIE"] {
            assert_eq!(raw(text.to_vec()).unwrap().quote, quote);
        }
        for text in ["", "\u{fffd}", "04000200811!", "{}"] {
            assert!(raw(text.into()).is_err(), "{text}");
        }
        for text in [r#""0400020081""#, r#""BAACAIE=""#, "[4, 0, 2, 0, 129]"] {
            let inner = format!(r#"{{"quote": {text}, "aael": null}}"#);
            let packed = object(inner.as_bytes()).unwrap();
            assert_eq!(packed.quote, quote);
            assert_eq!(packed.beside.unwrap().member("aael"), Some(&Value::Null));
            let wrapped = format!(r#"{{"tee": "tdx", "evidence": {inner}}}"#);
            assert_eq!(object(wrapped.as_bytes()).unwrap().quote, quote);
        }
        for text in ["{}", "[]", r#"{"quote": null}"#, r#"{"quote": "*"}"#, r#"{"quote": [256]}"#] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }
}
