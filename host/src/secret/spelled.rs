//! A secret found in a text, however it is spelled there: as it is, escaped as in JSON or in a URL, in
//! base64 of either alphabet and at any offset, in hexadecimal, as a list of numbers; and these
//! inside escapes. What is encoded in another way (encrypted, turned round) nobody can find.

use std::collections::HashSet;
use std::ops::Range;

use zeroize::Zeroizing;

/// Of a secret as long as this or longer, so many bytes in a row are a part of it.
const PART: usize = 6;

/// Escapes inside escapes that are looked through.
const LAYERS: usize = 3;

/// The place of a run of read bytes in the text.
type Place<'a> = &'a dyn Fn(Range<usize>) -> Range<usize>;

/// What is done with one reading of a text.
type Visit<'a> = &'a mut dyn FnMut(&[u8], Place<'_>);

/// Where the text holds the secret, in order and without overlaps.
pub(crate) fn places(text: &[u8], secret: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if secret.is_empty() {
        return found;
    }
    each_reading(text, &mut |read, place| {
        let mut from = 0;
        while let Some(at) = read.get(from..).and_then(|rest| find(rest, secret)) {
            let at = from + at;
            found.push(place(at..at + secret.len()));
            from = at + secret.len();
        }
    });
    found.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Whether the text holds the secret.
pub(crate) fn holds(text: &[u8], secret: &[u8]) -> bool {
    let mut found = false;
    each_reading(text, &mut |read, _| found |= find(read, secret).is_some());
    found && !secret.is_empty()
}

/// Whether the text holds the secret or six bytes of it in a row.
pub(crate) fn holds_part(text: &[u8], secret: &[u8]) -> bool {
    if secret.len() <= PART {
        return holds(text, secret);
    }
    let parts: HashSet<&[u8]> = secret.windows(PART).collect();
    let mut found = false;
    each_reading(text, &mut |read, _| {
        found = found || read.windows(PART).any(|window| parts.contains(window));
    });
    found
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let (first, last) = (wanted.first()?, bytes.len().checked_sub(wanted.len())?);
    let mut from = 0;
    while from <= last {
        let at = from + bytes.get(from..=last)?.iter().position(|byte| byte == first)?;
        if bytes.get(at..at + wanted.len())? == wanted {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// Visits the text as it is and without its escapes, each of them also decoded.
fn each_reading(text: &[u8], visit: Visit<'_>) {
    decoded(text, &|range| range, visit);
    let mut outer = None;
    for _ in 1..LAYERS {
        let layer = match &outer {
            None => Unescaped::of(text, &|range| range),
            Some(Unescaped { bytes, places }) => Unescaped::of(bytes, &|range| span(places, range)),
        };
        let Some(layer) = layer else { return };
        decoded(&layer.bytes, &|range| span(&layer.places, range), visit);
        outer = Some(layer);
    }
}

/// Visits the bytes as they are, and what stands in them in digits.
fn decoded(bytes: &[u8], place: Place<'_>, visit: Visit<'_>) {
    visit(bytes, place);
    in_digits(bytes, base64_digit, 6, place, visit);
    in_digits(bytes, hex_digit, 4, place, visit);
    in_numbers(bytes, place, visit);
}

/// Runs of digits of so many bits each, from each digit at which a byte may begin.
fn in_digits(
    bytes: &[u8],
    digit: fn(u8) -> Option<u8>,
    bits: usize,
    place: Place<'_>,
    visit: Visit<'_>,
) {
    let mut from = 0;
    while from < bytes.len() {
        let rest = bytes.get(from..).unwrap_or_default();
        let length = rest.iter().position(|byte| digit(*byte).is_none()).unwrap_or(rest.len());
        // A byte begins at one of four digits of base64, at one of two of hexadecimal.
        for offset in (0..8 / (8 - bits)).take_while(|offset| *offset < length) {
            let run = rest.get(offset..length).unwrap_or_default();
            let mut read = Zeroizing::new(Vec::with_capacity(run.len() * bits / 8));
            let (mut gathered, mut waiting) = (0_u32, 0);
            for value in run.iter().filter_map(|byte| digit(*byte)) {
                gathered = gathered << bits | u32::from(value);
                waiting += bits;
                if waiting >= 8 {
                    waiting -= 8;
                    read.push(u8::try_from(gathered >> waiting & 0xff).unwrap_or_default());
                }
            }
            let begins = from + offset;
            let within = |range: Range<usize>| {
                let start = begins + range.start * 8 / bits;
                place(start..begins + (range.end * 8).div_ceil(bits))
            };
            visit(&read, &within);
        }
        from += length + 1;
    }
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Lists of numbers below 256: `115, 46, 51`, as `{:?}` writes bytes.
fn in_numbers(bytes: &[u8], place: Place<'_>, visit: Visit<'_>) {
    let (mut read, mut places) = (Zeroizing::new(Vec::new()), Vec::new());
    let mut at = 0;
    let mut told = |read: &mut Zeroizing<Vec<u8>>, places: &mut Vec<Range<usize>>| {
        if read.len() > 1 {
            visit(read, &|range| span(places, range));
        }
        read.clear();
        places.clear();
    };
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest.get(..length).and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| digits.parse().ok()) {
            Some(number) => {
                read.push(number);
                places.push(place(at..at + length));
            }
            None if matches!(byte, b',' | b' ' | b'\n') => {}
            None => told(&mut read, &mut places),
        }
        at += length.max(1);
    }
    told(&mut read, &mut places);
}

/// From the first of these places to the last.
fn span(places: &[Range<usize>], range: Range<usize>) -> Range<usize> {
    let first = places.get(range.start).map_or(0, |place| place.start);
    let last = range.end.checked_sub(1).and_then(|last| places.get(last));
    first..last.map_or(first, |place| place.end)
}

/// A text without its escapes, and where each of its bytes stood.
struct Unescaped {
    bytes: Zeroizing<Vec<u8>>,
    places: Vec<Range<usize>>,
}

impl Unescaped {
    /// None: there is no escape in it.
    fn of(text: &[u8], place: Place<'_>) -> Option<Self> {
        if !text.iter().any(|byte| matches!(byte, b'%' | b'\\')) {
            return None;
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
        let (mut places, mut at, mut any) = (Vec::with_capacity(text.len()), 0, false);
        while let Some(byte) = text.get(at) {
            let rest = text.get(at..).unwrap_or_default();
            let escape = escaped(rest);
            any |= escape.is_some();
            let (meant, length) = escape.unwrap_or((char::from(*byte), 1));
            let mut buffer = [0; 4];
            let raw = [*byte];
            // Above ASCII `%ff`, `\\xff` and a byte as it is are bytes, not characters.
            let byte = [u8::try_from(u32::from(meant)).unwrap_or_default()];
            let written: &[u8] = match rest {
                [b'%', ..] | [b'\\', b'x', ..] if length > 1 => &byte,
                _ if length > 1 => meant.encode_utf8(&mut buffer).as_bytes(),
                _ => &raw,
            };
            for byte in written {
                bytes.push(*byte);
                places.push(place(at..at + length));
            }
            at += length;
        }
        any.then_some(Self { bytes, places })
    }
}

/// The character that an escape at the beginning of the text means, and the escape's length: `%2F`
/// (RFC 3986), `\u002f`, `\/` (RFC 8259), and `\u{2f}`, `\x2f` as programs write them.
fn escaped(text: &[u8]) -> Option<(char, usize)> {
    let code = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let character =
        |digits: Option<&[u8]>, length: usize| Some((char::from_u32(code(digits?)?)?, length));
    match text {
        [b'%', ..] => character(text.get(1..3), 3),
        [b'\\', b'x', ..] => character(text.get(2..4), 4),
        [b'\\', b'u', b'{', rest @ ..] => {
            let length = rest.iter().take(7).position(|byte| *byte == b'}')?;
            character(rest.get(..length), length + 4)
        }
        [b'\\', b'u', ..] => {
            let first = code(text.get(2..6)?)?;
            match (first, text.get(6..8), text.get(8..12)) {
                (0xd800..0xdc00, Some(b"\\u"), Some(second)) => {
                    let low = code(second)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?, 12))
                }
                _ => Some((char::from_u32(first)?, 6)),
            }
        }
        [b'\\', letter, ..] => {
            let meant = match letter {
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'"' | b'\\' | b'/' => char::from(*letter),
                _ => return None,
            };
            Some((meant, 2))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

    use super::*;

    const SECRET: &[u8] = b"s3cr\"et/+\xff\xfe\\tok%en";

    /// The secret in its spellings, each by its name.
    fn spellings(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
        let percent: String = secret.iter().map(|byte| format!("%{byte:02x}")).collect();
        let mixed: Vec<u8> = secret
            .iter()
            .flat_map(|byte| match byte.is_ascii_alphanumeric() {
                true => vec![*byte],
                false => format!("%{byte:02X}").into_bytes(),
            })
            .collect();
        let in_url = BASE64.encode(secret).replace('+', "%2B").replace('/', "%2f");
        let in_json = BASE64.encode(secret).replace('/', "\\/").replace('+', "\\u002b");
        vec![
            ("plain", secret.to_vec()),
            ("base64", BASE64.encode(secret).into_bytes()),
            ("base64url", BASE64URL_NOPAD.encode(secret).into_bytes()),
            ("hex", HEXLOWER.encode(secret).into_bytes()),
            ("upper hex", HEXUPPER.encode(secret).into_bytes()),
            ("percent", percent.clone().into_bytes()),
            ("percent in part", mixed),
            ("percent twice", percent.replace('%', "%25").into_bytes()),
            ("numbers", format!("{secret:?}").into_bytes()),
            ("base64 in percent", in_url.into_bytes()),
            ("base64 in JSON", in_json.into_bytes()),
        ]
    }

    // attack 50, invariant 9
    #[test]
    fn a_secret_is_found_in_every_spelling_and_at_every_offset() {
        for (name, spelled) in spellings(SECRET) {
            for before in ["", "x", "bad token ", "a1b", "{\"e\":\"", "user:"] {
                let text = [before.as_bytes(), &spelled, b"\"} and more"].concat();
                assert!(holds(&text, SECRET), "{name} behind {before:?}");
                let found = places(&text, SECRET);
                assert_eq!(found.len(), 1, "{name} behind {before:?}: {found:?}");
                // Without what stands there, nothing of the secret is left.
                let mut left = text.clone();
                left.drain(found[0].clone());
                assert!(!holds_part(&left, SECRET), "{name}: {}", String::from_utf8_lossy(&left));
                assert!(left.starts_with(before.as_bytes()) || name != "plain");
                assert!(left.ends_with(b" and more"), "{name}");
            }
        }
        for offset in 0..4 {
            let inner = [&b"user"[..offset], SECRET, b":and more"].concat();
            let text = BASE64.encode(&inner);
            assert!(holds(text.as_bytes(), SECRET), "{offset}");
        }
        let text = serde_json::json!({ "e": "t\"ok\u{1f600}\n/en" }).to_string();
        assert!(holds(text.as_bytes(), "t\"ok\u{1f600}\n/en".as_bytes()));
        assert!(holds(br"t\u0022ok\ud83d\ude00\n\/en", "t\"ok\u{1f600}\n/en".as_bytes()));
        assert!(holds(br"t\u{22}ok\u{1f600}\u{a}/en", "t\"ok\u{1f600}\n/en".as_bytes()));
    }

    // attack 50
    #[test]
    fn a_half_of_a_secret_is_a_part_of_it_and_other_text_is_not() {
        let secret = b"hvs.CAESIJ0aZpQ2Lm";
        let (half, rest) = secret.split_at(9);
        for half in [half, rest] {
            for (name, spelled) in spellings(half) {
                assert!(holds_part(&spelled, secret), "{name}");
                assert!(!holds(&spelled, secret), "{name}");
            }
        }
        for text in [
            "",
            "the service answers with status 403",
            "00112233445566778899aabbccddeeff",
            "no grant covers GET localhost:8200/v1/secret/data/claviger/default/k",
            "%zz \\u12 \\ud800 \\x %",
            "1, 2, 3, 4, 5, 6, 7, 8, 999",
        ] {
            assert!(!holds_part(text.as_bytes(), secret), "{text}");
        }
        assert!(!holds(b"anything", b"") && places(b"anything", b"").is_empty());
        assert!(holds_part(b"it is abc", b"abc"));
    }

    #[test]
    fn every_place_of_a_secret_is_told_once() {
        let found = places(b"s3cr3t-s3cr3ts3cr3t czNjcjN0 x s3cr3t", b"s3cr3t");
        assert_eq!(found, [0..6, 7..13, 13..19, 20..28, 31..37]);
    }
}
