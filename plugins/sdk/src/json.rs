//! JSON (RFC 8259), as much as evidence needs: no number but whole ones from zero, eight levels. A
//! tenth of the code of a general parser.

use std::ops::Range;

use crate::{base64, hex};

const MAX_DEPTH: u32 = 8;

/// A value.
#[derive(Debug, PartialEq)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// An array.
    List(Vec<Value>),
    /// Null.
    Null,
    /// A whole number from zero.
    Number(u64),
    /// The members in their order; no name stands twice.
    Object(Vec<(String, Value)>),
    /// A string.
    Text(String),
}

impl Value {
    /// The member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().find(|(present, _)| present == name);
        found.map(|(_, value)| value)
    }

    /// A list of numbers up to 255, as bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        let Self::List(values) = self else {
            return None;
        };
        let byte = |value: &Value| match value {
            Self::Number(number) => u8::try_from(*number).ok(),
            _ => None,
        };
        values.iter().map(byte).collect()
    }

    /// Bytes in base64 of either alphabet, perhaps in lines, or as a list of numbers.
    #[must_use]
    pub fn in_base64(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => match text.bytes().any(|byte| byte.is_ascii_whitespace()) {
                true => base64::decode(&text.split_ascii_whitespace().collect::<String>()),
                false => base64::decode(text),
            },
            value => value.bytes(),
        }
    }

    /// Bytes in hexadecimal, or as a list of numbers.
    #[must_use]
    pub fn in_hex(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => hex::decode(text),
            value => value.bytes(),
        }
    }

    /// A certificate, or several: PEM as it is, or bytes as [`Value::in_base64`] reads them.
    #[must_use]
    pub fn in_pem(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(pem) if pem.contains("-----BEGIN") => Some(pem.clone().into_bytes()),
            value => value.in_base64(),
        }
    }
}

/// Parses one value and nothing behind it.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &[u8]) -> Result<Value, &'static str> {
    let mut reader = Reader { rest: text };
    let value = reader.value(MAX_DEPTH)?;
    reader.skip_space();
    if reader.rest.is_empty() { Ok(value) } else { Err("something behind the value") }
}

/// The entries of a list that is a member of the object, each with where it stands in the text.
///
/// # Errors
/// What is wrong, in words; a member that is not there is a list without entries.
pub fn entries(text: &[u8], member: &str) -> Result<Vec<(Range<usize>, Value)>, &'static str> {
    parse(text)?;
    let mut reader = Reader { rest: text };
    let mut entries = Vec::new();
    reader.expect(b'{')?;
    while !reader.skip(b'}') {
        reader.skip_space();
        let name = reader.text()?;
        reader.expect(b':')?;
        if name != member {
            reader.value(MAX_DEPTH)?;
        } else if reader.skip(b'[') {
            while !reader.skip(b']') {
                reader.skip_space();
                let start = text.len() - reader.rest.len();
                let value = reader.value(MAX_DEPTH)?;
                entries.push((start..text.len() - reader.rest.len(), value));
                reader.skip(b',');
            }
        } else {
            return Err("not a list");
        }
        reader.skip(b',');
    }
    Ok(entries)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Result<Value, &'static str> {
        let depth = depth.checked_sub(1).ok_or("nested too deep")?;
        self.skip_space();
        match self.rest.first() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            Some(b'0'..=b'9') => self.number(),
            _ if self.word(b"null") => Ok(Value::Null),
            _ if self.word(b"true") => Ok(Value::Flag(true)),
            _ if self.word(b"false") => Ok(Value::Flag(false)),
            _ => Err("not a value"),
        }
    }

    fn list(&mut self, depth: u32) -> Result<Value, &'static str> {
        let mut values = Vec::new();
        self.expect(b'[')?;
        if self.skip(b']') {
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth)?);
            if self.skip(b']') {
                return Ok(Value::List(values));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, &'static str> {
        let mut members: Vec<(String, Value)> = Vec::new();
        self.expect(b'{')?;
        if self.skip(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            if members.iter().any(|(present, _)| *present == name) {
                return Err("a member twice");
            }
            self.expect(b':')?;
            members.push((name, self.value(depth)?));
            if self.skip(b'}') {
                return Ok(Value::Object(members));
            }
            self.expect(b',')?;
        }
    }

    fn number(&mut self) -> Result<Value, &'static str> {
        let length = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(length);
        let padded = length > 1 && digits.starts_with(b"0");
        if padded || matches!(rest.first(), Some(b'.' | b'e' | b'E')) {
            return Err("not a whole number");
        }
        self.rest = rest;
        let number = digits.iter().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        number.map(Value::Number).ok_or("too large a number")
    }

    fn text(&mut self) -> Result<String, &'static str> {
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            // What stands for itself, all at once: evidence is mostly long texts.
            let end = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            let (plain, rest) = self.rest.split_at(end.ok_or("a text without end")?);
            text.extend_from_slice(plain);
            let (&byte, rest) = rest.split_first().ok_or("a text without end")?;
            self.rest = rest;
            match byte {
                b'"' => return String::from_utf8(text).map_err(|_| "not UTF-8"),
                b'\\' => {
                    let character = self.escaped()?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err("a control character"),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, &'static str> {
        let (&byte, rest) = self.rest.split_first().ok_or("a text without end")?;
        self.rest = rest;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err("an unknown escape"),
        }
    }

    /// A character by its number; those beyond 16 bits are two halves (RFC 8259 section 7).
    fn unicode(&mut self) -> Result<char, &'static str> {
        const HALF: &str = "half a character";
        let first = self.unit()?;
        let number = match first {
            0xd800..0xdc00 if self.word(b"\\u") => match self.unit()? {
                second @ 0xdc00..0xe000 => 0x1_0000 + ((first - 0xd800) << 10 | (second - 0xdc00)),
                _ => return Err(HALF),
            },
            number => number,
        };
        char::from_u32(number).ok_or(HALF)
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, &'static str> {
        const DIGITS: &str = "not four hexadecimal digits";
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(DIGITS)?;
        self.rest = rest;
        digits.iter().try_fold(0, |number, digit| {
            let digit = char::from(*digit).to_digit(16).ok_or(DIGITS)?;
            Ok(number << 4 | digit)
        })
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.rest.strip_prefix(word);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Skips space and then this character, if it comes.
    fn skip(&mut self, character: u8) -> bool {
        self.skip_space();
        self.word(&[character])
    }

    fn expect(&mut self, character: u8) -> Result<(), &'static str> {
        if self.skip(character) { Ok(()) } else { Err("another character than expected") }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let value = parse(br#" {"a": [1, 2.0]} "#);
        assert_eq!(value, Err("not a whole number"));
        let value =
            parse(br#" {"a": [0, 255, null, true], "b": {"c": "x\n\"y"}, "d": []} "#).unwrap();
        let list = [Value::Number(0), Value::Number(255), Value::Null, Value::Flag(true)];
        assert_eq!(value.member("a"), Some(&Value::List(list.into())));
        let inner = value.member("b").and_then(|b| b.member("c"));
        assert_eq!(inner, Some(&Value::Text("x\n\"y".into())));
        assert_eq!(value.member("d"), Some(&Value::List(Vec::new())));
    }

    #[test]
    fn the_entries_of_a_member_are_found_where_they_stand() {
        let text = br#" {"a": [0], "keys": [ {"kid": "]"} , 7 ], "b": "keys"} "#;
        let found = entries(text, "keys").unwrap();
        assert_eq!(&text[found[0].0.clone()], br#"{"kid": "]"}"#);
        assert_eq!((&text[found[1].0.clone()], &found[1].1), (&b"7"[..], &Value::Number(7)));
        assert_eq!(found.len(), 2);
        assert_eq!(entries(text, "c"), Ok(Vec::new()));
        assert!(entries(text, "b").is_err());
        assert!(entries(br#"{"keys": [1], "keys": [2]}"#, "keys").is_err());
        assert!(entries(b"[]", "keys").is_err());
    }

    #[test]
    fn every_escape_is_read() {
        for (text, meant) in [
            (r#""\u0041\u002b\u00e9\u20ac""#, "A+é€"),
            (r#""\ud83d\uDE00""#, "😀"),
            (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(Value::Text(meant.into())));
        }
    }

    // attack 35
    #[test]
    fn deep_double_and_broken_json_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(parse(deep.as_bytes()), Err("nested too deep"));
        assert_eq!(parse(br#"{"a": 1, "a": 2}"#), Err("a member twice"));
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "\"",
            "\"\\",
            "\"\\u004\"",
            "\"\\u00g0\"",
            "\"\\u+041\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ude00\"",
            "\"\\x\"",
            "nul",
            "01",
            "-1",
            "1 2",
            "99999999999999999999",
            "\"\u{1}\"",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}
