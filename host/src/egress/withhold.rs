//! Values of an answer that stay in the host: cut out of the JSON text before the plugin sees it.
//!
//! The operator names them by JSON pointers (RFC 6901), in which a step `*` stands for every member
//! or element. The text is not rebuilt: what is not withheld arrives byte for byte.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::json::{self, Limits};
use crate::secret::Secret;

/// The shape of an answer in which values are withheld.
pub(super) const SHAPE: Limits = Limits {
    bytes: 4 << 20,
    depth: 24,
    name: 1_024,
    members: 4_096,
    text: 4 << 20,
    values: 65_536,
    floats: true,
    nulls: true,
};

/// Which values: steps of a JSON pointer. Without steps: the whole body, whatever it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    fn is_whole(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let wrong = || format!("{text:?} is no JSON pointer (RFC 6901): /data/data/value");
        let steps = text.strip_prefix('/').ok_or_else(wrong)?.split('/');
        let steps = steps.map(|step| {
            let odd = step.split('~').skip(1).any(|behind| !behind.starts_with(['0', '1']));
            (!odd).then(|| step.replace("~1", "/").replace("~0", "~"))
        });
        Ok(Self(steps.collect::<Option<_>>().ok_or_else(wrong)?))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "/{}", escaped(step)))
    }
}

fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

/// What is left of a body, and what was cut out of it, each with its pointer.
pub(super) type Parted = (Zeroizing<Vec<u8>>, Vec<(String, Secret)>);

/// Cuts the values out. A string is withheld as the text that it means, anything else as it is
/// written; null is no value.
///
/// # Errors
/// The body is not JSON, or of a shape that is not read: then nobody can say what must be withheld.
pub(super) fn part(body: Zeroizing<Vec<u8>>, pointers: &[Pointer]) -> Result<Parted, &'static str> {
    if pointers.is_empty() {
        return Ok((body, Vec::new()));
    }
    if pointers.iter().any(Pointer::is_whole) {
        let whole = Secret::new(body.to_vec());
        return Ok((Zeroizing::new(b"null".to_vec()), vec![(String::new(), whole)]));
    }
    json::parse::<IgnoredAny>(&body, SHAPE).map_err(|_| "the answer is not JSON in good shape")?;
    let mut reader = Reader { text: &body, at: 0 };
    let mut found = Vec::new();
    let steps: Vec<&[String]> = pointers.iter().map(|pointer| pointer.0.as_slice()).collect();
    reader.value(&steps, "", &mut found).ok_or("the answer is not JSON in good shape")?;
    let mut left = Zeroizing::new(Vec::with_capacity(body.len() + 8));
    let (mut withheld, mut from) = (Vec::new(), 0);
    for (pointer, range) in found {
        let value = body.get(range.clone()).unwrap_or_default();
        if value == b"null" {
            continue;
        }
        let secret = match value {
            [b'"', ..] => Secret::new(unescape(value).ok_or("a string that cannot be read")?),
            value => Secret::new(value.to_vec()),
        };
        left.extend_from_slice(body.get(from..range.start).unwrap_or_default());
        left.extend_from_slice(b"null");
        from = range.end;
        withheld.push((pointer, secret));
    }
    left.extend_from_slice(body.get(from..).unwrap_or_default());
    Ok((left, withheld))
}

/// A walk over a text that was found to be JSON.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Walks over a value, and notes where the wanted ones stand.
    fn value(
        &mut self,
        wanted: &[&[String]],
        path: &str,
        found: &mut Vec<(String, Range<usize>)>,
    ) -> Option<()> {
        self.space();
        let start = self.at;
        match self.peek()? {
            b'{' => self.members(wanted, path, found, true)?,
            b'[' => self.members(wanted, path, found, false)?,
            b'"' => {
                self.string()?;
            }
            _ => {
                let rest = self.text.get(start..)?;
                let ends = |byte: &u8| b",]} \t\r\n".contains(byte);
                self.at = start + rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        if wanted.iter().any(|steps| steps.is_empty()) {
            // What was found inside goes with the whole.
            found.retain(|(_, range)| range.start < start);
            found.push((path.to_owned(), start..self.at));
        }
        Some(())
    }

    fn members(
        &mut self,
        wanted: &[&[String]],
        path: &str,
        found: &mut Vec<(String, Range<usize>)>,
        named: bool,
    ) -> Option<()> {
        let close = if named { b'}' } else { b']' };
        self.at += 1;
        self.space();
        if self.peek()? == close {
            self.at += 1;
            return Some(());
        }
        for index in 0_usize.. {
            self.space();
            let step = if named {
                let name = self.string()?;
                self.space();
                self.at += 1;
                let name = unescape(self.text.get(name)?)?;
                String::from_utf8(name).ok()?
            } else {
                index.to_string()
            };
            let inner: Vec<&[String]> = wanted
                .iter()
                .filter_map(|steps| steps.split_first())
                .filter(|(first, _)| *first == "*" || **first == step)
                .map(|(_, rest)| rest)
                .collect();
            let path = match inner.is_empty() {
                true => String::new(),
                false => format!("{path}/{}", escaped(&step)),
            };
            self.value(&inner, &path, found)?;
            self.space();
            let behind = self.peek()?;
            self.at += 1;
            if behind == close {
                return Some(());
            }
        }
        None
    }

    /// Walks over a string; where it stands, quotes included.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(start..self.at)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

/// What a JSON string means, in UTF-8.
fn unescape(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut rest = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut text = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let (escape, behind) = rest.split_first()?;
        rest = behind;
        match escape {
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'u' => {
                let mut unit = || {
                    let (digits, behind) = rest.split_at_checked(4)?;
                    rest = behind;
                    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
                };
                let first = unit()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    rest = rest.strip_prefix(b"\\u")?;
                    let (digits, behind) = rest.split_at_checked(4)?;
                    rest = behind;
                    let second = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    0x10000 + ((first - 0xd800) << 10) + low
                } else {
                    first
                };
                let mut buffer = [0; 4];
                text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
            }
            plain => text.push(*plain),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(body: &str, pointers: &[&str]) -> Option<(String, Vec<(String, String)>)> {
        let pointers: Vec<_> = pointers.iter().map(|pointer| pointer.parse().unwrap()).collect();
        let (left, withheld) = part(Zeroizing::new(body.as_bytes().to_vec()), &pointers).ok()?;
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let withheld = withheld.iter().map(|(pointer, secret)| (pointer.clone(), text(secret)));
        Some((String::from_utf8(left.to_vec()).unwrap(), withheld.collect()))
    }

    fn of(pointer: &str, value: &str) -> (String, String) {
        (pointer.to_owned(), value.to_owned())
    }

    // invariant 10
    #[test]
    fn what_is_withheld_is_cut_out_and_the_rest_stays_as_it_is() {
        let body =
            r#" {"data": {"data": {"value" : "c2Vj\/cmV0" , "n":1.50}, "v":[7,"x"]},"e":""} "#;
        let (left, withheld) = cut(body, &["/data/data/value", "/data/v/1", "/not/there"]).unwrap();
        assert_eq!(
            left,
            r#" {"data": {"data": {"value" : null , "n":1.50}, "v":[7,null]},"e":""} "#
        );
        assert_eq!(withheld, [of("/data/data/value", "c2Vj/cmV0"), of("/data/v/1", "x")]);
    }

    #[test]
    fn a_star_stands_for_every_member_and_an_object_goes_as_a_whole() {
        let body =
            r#"{"data":{"keys":{"1":"a","2":"b","3":null,"x\/y~":{"deep":["c"]}},"name":"n"}}"#;
        let (left, withheld) = cut(body, &["/data/keys/*"]).unwrap();
        assert_eq!(
            left,
            r#"{"data":{"keys":{"1":null,"2":null,"3":null,"x\/y~":null},"name":"n"}}"#
        );
        assert_eq!(
            withheld,
            [
                of("/data/keys/1", "a"),
                of("/data/keys/2", "b"),
                of("/data/keys/x~1y~0", r#"{"deep":["c"]}"#)
            ]
        );
        let (left, withheld) = cut(body, &["/data/keys/1", "/data/keys"]).unwrap();
        assert_eq!(left, r#"{"data":{"keys":null,"name":"n"}}"#);
        assert_eq!(withheld.len(), 1);
        assert_eq!(cut("anything", &[""]).unwrap(), ("null".into(), vec![of("", "anything")]));
    }

    // invariant 10
    #[test]
    fn a_name_in_another_spelling_is_the_same_name() {
        let body = r#"{"v\u0061lue":"\u0073\ud83d\ude00\n"}"#;
        let (left, withheld) = cut(body, &["/value"]).unwrap();
        assert_eq!(left, r#"{"v\u0061lue":null}"#);
        assert_eq!(withheld, [of("/value", "s\u{1f600}\n")]);
    }

    // invariants 6 and 10
    #[test]
    fn of_a_body_that_is_in_doubt_nothing_is_passed_on() {
        for body in [
            "",
            "{",
            "<html>key</html>",
            r#"{"value":"a","value":"b"}"#,
            r#"{"value":"a"} {"value":"b"}"#,
            "{\"value\":\"a\n\"}",
            &"[".repeat(100),
        ] {
            assert!(cut(body, &["/value"]).is_none(), "{body}");
        }
        assert!("value".parse::<Pointer>().is_err());
        assert!("/a~2".parse::<Pointer>().is_err());
        assert_eq!("/a~1b/*".parse::<Pointer>().unwrap().to_string(), "/a~1b/*");
    }
}
