//! JSON (RFC 8259), as much as evidence needs: no number but whole ones from zero, eight levels. A
//! tenth of the code of a general parser. Texts stay where they stand, for evidence is mostly long ones.

use std::borrow::Cow;
use std::ops::Range;

use crate::{base64, hex};

const MAX_DEPTH: u32 = 8;

/// How PEM begins (RFC 7468).
const BEGIN: &str = "-----BEGIN";

/// A value.
#[derive(Debug, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Flag(bool),
    /// An array.
    List(Vec<Value<'a>>),
    /// Null.
    Null,
    /// A whole number from zero.
    Number(u64),
    /// The members in their order; no name stands twice.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
    /// A string.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// The member of an object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
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
        let byte = |value: &Value<'_>| match value {
            Value::Number(number) => u8::try_from(*number).ok(),
            _ => None,
        };
        values.iter().map(byte).collect()
    }

    /// Bytes in base64 of either alphabet, perhaps in lines, or as a list of numbers.
    #[must_use]
    pub fn in_base64(&self) -> Option<Vec<u8>> {
        match self {
            // Most stands in one line, and is read so at once.
            Self::Text(text) => base64::decode(text)
                .or_else(|| base64::decode(&text.split_ascii_whitespace().collect::<String>())),
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

    /// The same, put behind other bytes; false where it is neither.
    #[must_use]
    pub fn in_hex_behind(&self, bytes: &mut Vec<u8>) -> bool {
        match self {
            Self::Text(text) => hex::decode_behind(text, bytes),
            value => value.bytes().map(|value| bytes.extend(value)).is_some(),
        }
    }

    /// The same, with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Flag(flag) => Value::Flag(flag),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
            Self::Null => Value::Null,
            Self::Number(number) => Value::Number(number),
            Self::Object(members) => {
                let members = members.into_iter();
                Value::Object(
                    members.map(|(name, value)| (owned(name), value.into_owned())).collect(),
                )
            }
            Self::Text(text) => Value::Text(owned(text)),
        }
    }

    /// A certificate, or several: PEM as it is, or bytes as [`Value::in_base64`] reads them.
    #[must_use]
    pub fn in_pem(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(pem) if pem.starts_with(BEGIN) => Some(pem.as_bytes().to_vec()),
            // What has a space is no base64 in one line, so that this is not taken for it.
            Self::Text(text) => base64::decode(text).or_else(|| match text.contains(BEGIN) {
                true => Some(text.as_bytes().to_vec()),
                false => self.in_base64(),
            }),
            value => value.in_base64(),
        }
    }
}

/// Parses one value and nothing behind it.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &[u8]) -> Result<Value<'_>, &'static str> {
    let mut reader = Reader::new(text)?;
    let value = reader.value(MAX_DEPTH)?;
    reader.finish()?;
    Ok(value)
}

/// An object whose member of this name, where it has one, is a list; and where in the text each entry of
/// that list stands.
///
/// # Errors
/// What is wrong, in words.
pub fn with_entries<'a>(
    text: &'a [u8],
    member: &str,
) -> Result<(Value<'a>, Vec<Range<usize>>), &'static str> {
    let mut reader = Reader::new(text)?;
    let mut places = Vec::new();
    let whole = reader.rest.len();
    let value = reader.members(|reader, name| {
        if name != member {
            return reader.value(MAX_DEPTH - 1);
        }
        reader.skip_space();
        reader.entries(|reader| {
            reader.skip_space();
            let start = whole - reader.rest.len();
            let entry = reader.value(MAX_DEPTH - 2)?;
            places.push(start..whole - reader.rest.len());
            Ok(entry)
        })
    })?;
    reader.finish()?;
    Ok((value, places))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Result<Self, &'static str> {
        let rest = std::str::from_utf8(text).map_err(|_| "not UTF-8")?;
        Ok(Self { rest })
    }

    fn finish(mut self) -> Result<(), &'static str> {
        self.skip_space();
        if self.rest.is_empty() { Ok(()) } else { Err("something behind the value") }
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>, &'static str> {
        let depth = depth.checked_sub(1).ok_or("nested too deep")?;
        self.skip_space();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.text().map(Value::Text),
            Some(b'[') => self.entries(|reader| reader.value(depth)),
            Some(b'{') => self.members(|reader, _| reader.value(depth)),
            Some(b'0'..=b'9') => self.number(),
            _ if self.word("null") => Ok(Value::Null),
            _ if self.word("true") => Ok(Value::Flag(true)),
            _ if self.word("false") => Ok(Value::Flag(false)),
            _ => Err("not a value"),
        }
    }

    fn entries(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<Value<'a>, &'static str>,
    ) -> Result<Value<'a>, &'static str> {
        let mut values = Vec::new();
        self.expect("[")?;
        if self.skip("]") {
            return Ok(Value::List(values));
        }
        loop {
            values.push(entry(self)?);
            if self.skip("]") {
                return Ok(Value::List(values));
            }
            self.expect(",")?;
        }
    }

    fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &str) -> Result<Value<'a>, &'static str>,
    ) -> Result<Value<'a>, &'static str> {
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        self.expect("{")?;
        if self.skip("}") {
            return Ok(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            if members.iter().any(|(present, _)| *present == name) {
                return Err("a member twice");
            }
            self.expect(":")?;
            let value = member(self, &name)?;
            members.push((name, value));
            if self.skip("}") {
                return Ok(Value::Object(members));
            }
            self.expect(",")?;
        }
    }

    fn number(&mut self) -> Result<Value<'a>, &'static str> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.split(length)?;
        let padded = length > 1 && digits.starts_with('0');
        if padded || rest.starts_with(['.', 'e', 'E']) {
            return Err("not a whole number");
        }
        self.rest = rest;
        let number = digits.bytes().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        number.map(Value::Number).ok_or("too large a number")
    }

    fn text(&mut self) -> Result<Cow<'a, str>, &'static str> {
        self.expect("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let (plain, rest) = self.split(plain(self.rest.as_bytes()))?;
            match text.is_empty() {
                true => text = Cow::Borrowed(plain),
                false => text.to_mut().push_str(plain),
            }
            self.rest = rest;
            match rest.as_bytes().first() {
                _ if self.word("\"") => return Ok(text),
                _ if self.word("\\") => text.to_mut().push(self.escaped()?),
                Some(_) => return Err("a control character"),
                None => return Err("a text without end"),
            }
        }
    }

    /// What is left, parted behind so many bytes.
    fn split(&self, at: usize) -> Result<(&'a str, &'a str), &'static str> {
        self.rest.split_at_checked(at).ok_or("a text without end")
    }

    fn escaped(&mut self) -> Result<char, &'static str> {
        let mut characters = self.rest.chars();
        let character = characters.next().ok_or("a text without end")?;
        self.rest = characters.as_str();
        match character {
            '"' | '\\' | '/' => Ok(character),
            'b' => Ok('\u{8}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => self.unicode(),
            _ => Err("an unknown escape"),
        }
    }

    /// A character by its number; those beyond 16 bits are two halves (RFC 8259 section 7).
    fn unicode(&mut self) -> Result<char, &'static str> {
        const HALF: &str = "half a character";
        let first = self.unit()?;
        let number = match first {
            0xd800..0xdc00 if self.word("\\u") => match self.unit()? {
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
        digits.chars().try_fold(0, |number, digit| {
            let digit = digit.to_digit(16).ok_or(DIGITS)?;
            Ok(number << 4 | digit)
        })
    }

    fn word(&mut self, word: &str) -> bool {
        let found = self.rest.strip_prefix(word);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// Skips space and then this, if it comes.
    fn skip(&mut self, word: &str) -> bool {
        self.skip_space();
        self.word(word)
    }

    fn expect(&mut self, word: &str) -> Result<(), &'static str> {
        if self.skip(word) { Ok(()) } else { Err("another character than expected") }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// How many bytes stand for themselves in a text, from the first on: up to a quotation mark, a backslash or a
/// control character. A block at a time, the question asked of all its bytes: of a few vectors first, then of
/// one.
fn plain(text: &[u8]) -> usize {
    let blocks = 64 * plain_blocks::<64>(text);
    let rest = text.get(blocks..).unwrap_or_default();
    let before = 16 * plain_blocks::<16>(rest);
    let rest = rest.get(before..).unwrap_or_default();
    blocks + before + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len())
}

fn plain_blocks<const N: usize>(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<N>();
    let is_plain = |block: &&[u8; N]| !block.iter().fold(false, |any, byte| any | ends(*byte));
    blocks.iter().take_while(is_plain).count()
}

/// The quotation mark differs in one bit from what follows the control characters, which makes one comparison
/// of two.
fn ends(byte: u8) -> bool {
    (byte ^ 2 <= b'"' ^ 2) | (byte == b'\\')
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
        let (value, found) = with_entries(text, "keys").unwrap();
        assert_eq!(value, parse(text).unwrap());
        assert_eq!(&text[found[0].clone()], br#"{"kid": "]"}"#);
        assert_eq!(&text[found[1].clone()], b"7");
        assert_eq!(found.len(), 2);
        assert_eq!(with_entries(text, "c").unwrap().1, []);
        assert!(with_entries(text, "b").is_err());
        assert!(with_entries(br#"{"keys": [1], "keys": [2]}"#, "keys").is_err());
        assert!(with_entries(br#"{"keys": [1]} 2"#, "keys").is_err());
        assert!(with_entries(b"[]", "keys").is_err());
        let deep = |levels: usize| {
            format!(r#"{{"keys": {0}{1}}}"#, "[".repeat(levels), "]".repeat(levels))
        };
        for levels in [7, 8] {
            let text = deep(levels);
            let found = with_entries(text.as_bytes(), "keys").is_ok();
            assert_eq!((found, parse(text.as_bytes()).is_ok()), (levels == 7, levels == 7));
        }
    }

    #[test]
    fn a_text_ends_where_it_ends_wherever_that_is() {
        for length in 0..40 {
            let plain = "aé\u{7f}~ !#[]".repeat(4).chars().take(length).collect::<String>();
            let text = format!("\"{plain}\"");
            assert_eq!(parse(text.as_bytes()), Ok(Value::Text(plain.as_str().into())));
            for (special, meant) in [("\\n", Some("\n")), ("\u{1f}", None), ("\0", None)] {
                let text = format!("\"{plain}{special}{plain}\"");
                let wanted =
                    meant.map(|meant| Value::Text(format!("{plain}{meant}{plain}").into()));
                assert_eq!(parse(text.as_bytes()).ok(), wanted, "{text:?}");
            }
        }
    }

    #[test]
    fn an_owned_value_is_the_same() {
        let text = br#"{"a": [0, null, true, {"b": "x\ny"}], "c": "z"}"#;
        assert_eq!(parse(text).unwrap().into_owned(), parse(text).unwrap());
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
