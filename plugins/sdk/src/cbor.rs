//! CBOR (RFC 8949), as much as signed evidence needs, and strictly: definite lengths, shortest
//! forms, no key twice, no floating point, bounded depth and number of items.
//!
//! Every item knows where it stands, for a verifier points at bytes of a statement rather than copy
//! them.

use crate::verifier::types::Span;

/// Deeper than any token here: collection, signature, claims, components and their members.
const MAX_DEPTH: u32 = 12;
/// In one text, all levels together.
const MAX_ITEMS: usize = 4096;
/// Of one map, so that looking for a key twice stays cheap.
const MAX_MEMBERS: u64 = 256;

/// One data item, borrowed from the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Item<'a> {
    /// What it says.
    pub value: Value<'a>,
    /// Its encoding, head included.
    pub raw: &'a [u8],
    /// Where the encoding begins in the text that was parsed, in bytes.
    pub start: usize,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A byte string.
    Bytes(&'a [u8]),
    /// `false` or `true`.
    Flag(bool),
    /// An array.
    List(Vec<Item<'a>>),
    /// A map, in the order in which it came.
    Map(Vec<(Item<'a>, Item<'a>)>),
    /// The number -1 - n.
    Negative(u64),
    /// `null`.
    Null,
    /// A tag and what it stands before.
    Tag(u64, Box<Item<'a>>),
    /// A text string.
    Text(&'a str),
    /// A whole number from zero.
    Unsigned(u64),
}

/// Parses one item and nothing behind it.
///
/// # Errors
/// What is wrong, in a few words for a person.
pub fn parse(text: &[u8]) -> Result<Item<'_>, &'static str> {
    Reader { text, rest: text, items: 0, streamed: false }.whole()
}

/// The same, where lists and maps may come without a length in front (RFC 8949, section 3.2.2), as an
/// encoder writes them that does not count first. Strings may not.
///
/// # Errors
/// What is wrong, in a few words for a person.
pub fn parse_streamed(text: &[u8]) -> Result<Item<'_>, &'static str> {
    Reader { text, rest: text, items: 0, streamed: true }.whole()
}

impl<'a> Item<'a> {
    /// A byte string's content.
    #[must_use]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A text string's content.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number from zero.
    #[must_use]
    pub fn unsigned(&self) -> Option<u64> {
        match self.value {
            Value::Unsigned(number) => Some(number),
            _ => None,
        }
    }

    /// A whole number, where it fits.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self.value {
            Value::Unsigned(number) => i64::try_from(number).ok(),
            Value::Negative(number) => i64::try_from(number).ok().map(|number| -1 - number),
            _ => None,
        }
    }

    /// An array's entries.
    #[must_use]
    pub fn list(&self) -> Option<&[Item<'a>]> {
        match &self.value {
            Value::List(entries) => Some(entries),
            _ => None,
        }
    }

    /// A map's members.
    #[must_use]
    pub fn map(&self) -> Option<&[(Item<'a>, Item<'a>)]> {
        match &self.value {
            Value::Map(members) => Some(members),
            _ => None,
        }
    }

    /// What stands behind this tag, or none where it is no item of this tag.
    #[must_use]
    pub fn tagged(&self, tag: u64) -> Option<&Item<'a>> {
        match &self.value {
            Value::Tag(found, inner) if *found == tag => Some(inner),
            _ => None,
        }
    }

    /// The member of a map whose key is this number.
    #[must_use]
    pub fn numbered(&self, key: i64) -> Option<&Item<'a>> {
        self.map()?.iter().find(|(present, _)| present.integer() == Some(key)).map(|(_, item)| item)
    }

    /// The member of a map whose key is this text.
    #[must_use]
    pub fn named(&self, key: &str) -> Option<&Item<'a>> {
        self.map()?.iter().find(|(present, _)| present.text() == Some(key)).map(|(_, item)| item)
    }

    /// Where the encoding stands, in a statement in which the parsed text begins at `base`.
    #[must_use]
    pub fn span(&self, base: usize) -> Option<Span> {
        span(base.checked_add(self.start)?, self.raw.len())
    }

    /// Where the content of a string stands, in a statement in which the parsed text begins at `base`.
    /// None for an empty one, at which nobody can point.
    #[must_use]
    pub fn content(&self, base: usize) -> Option<Span> {
        let length = match self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Text(text) => text.len(),
            _ => return None,
        };
        let head = self.raw.len().checked_sub(length)?;
        span(base.checked_add(self.start)?.checked_add(head)?, length)
    }
}

fn span(start: usize, length: usize) -> Option<Span> {
    let (start, length) = (u32::try_from(start).ok()?, u32::try_from(length).ok()?);
    (length > 0).then_some(Span { start, length })
}

struct Reader<'a> {
    text: &'a [u8],
    rest: &'a [u8],
    items: usize,
    /// Whether lists and maps may have no length in front.
    streamed: bool,
}

impl<'a> Reader<'a> {
    fn whole(mut self) -> Result<Item<'a>, &'static str> {
        let item = self.item(MAX_DEPTH)?;
        if self.rest.is_empty() { Ok(item) } else { Err("something behind the item") }
    }

    fn item(&mut self, depth: u32) -> Result<Item<'a>, &'static str> {
        let depth = depth.checked_sub(1).ok_or("nested too deep")?;
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err("too many items");
        }
        let before = self.rest;
        if let (true, Some((&first @ (0x9f | 0xbf), rest))) = (self.streamed, before.split_first())
        {
            self.rest = rest;
            let value = match first {
                0x9f => self.list(None, depth)?,
                _ => self.map(None, depth)?,
            };
            return self.ended(before, value);
        }
        let value = match self.head()? {
            (0, number) => Value::Unsigned(number),
            (1, number) => Value::Negative(number),
            (2, length) => Value::Bytes(self.take(length)?),
            (3, length) => {
                let text = std::str::from_utf8(self.take(length)?);
                Value::Text(text.map_err(|_| "a text that is not UTF-8")?)
            }
            (4, count) => self.list(Some(count), depth)?,
            (5, count) => self.map(Some(count), depth)?,
            (6, tag) => Value::Tag(tag, Box::new(self.item(depth)?)),
            (_, 20) => Value::Flag(false),
            (_, 21) => Value::Flag(true),
            (_, 22) => Value::Null,
            _ => return Err("a simple value or floating point number"),
        };
        self.ended(before, value)
    }

    /// The item that began at `before` and ends here.
    fn ended(&self, before: &'a [u8], value: Value<'a>) -> Result<Item<'a>, &'static str> {
        let length = before.len() - self.rest.len();
        let raw = before.get(..length).ok_or(TRUNCATED)?;
        Ok(Item { value, raw, start: self.text.len() - before.len() })
    }

    fn list(&mut self, count: Option<u64>, depth: u32) -> Result<Value<'a>, &'static str> {
        let mut entries = Vec::new();
        while !self.ends(count, entries.len()) {
            entries.push(self.item(depth)?);
        }
        Ok(Value::List(entries))
    }

    fn map(&mut self, count: Option<u64>, depth: u32) -> Result<Value<'a>, &'static str> {
        const TOO_LARGE: &str = "a map of this size";
        if count.is_some_and(|count| count > MAX_MEMBERS) {
            return Err(TOO_LARGE);
        }
        let mut members: Vec<(Item<'a>, Item<'a>)> = Vec::new();
        while !self.ends(count, members.len()) {
            if members.len() as u64 == MAX_MEMBERS {
                return Err(TOO_LARGE);
            }
            let key = self.item(depth)?;
            if !matches!(key.value, Value::Negative(_) | Value::Text(_) | Value::Unsigned(_)) {
                return Err("a key that is neither number nor text");
            }
            // Each key has one encoding, for each form is the shortest.
            if members.iter().any(|(present, _)| present.raw == key.raw) {
                return Err("a key twice");
            }
            members.push((key, self.item(depth)?));
        }
        Ok(Value::Map(members))
    }

    /// Whether a list or map ends here: it has all that it should, or, without a length, its break.
    fn ends(&mut self, count: Option<u64>, read: usize) -> bool {
        match (count, self.rest.split_first()) {
            (Some(count), _) => read as u64 == count,
            (None, Some((0xff, rest))) => {
                self.rest = rest;
                true
            }
            (None, _) => false,
        }
    }

    /// Major type and argument.
    fn head(&mut self) -> Result<(u8, u64), &'static str> {
        let (&first, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
        let major = first >> 5;
        let (length, least) = match first & 0x1f {
            value @ 0..=23 => {
                self.rest = rest;
                return Ok((major, u64::from(value)));
            }
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err("an indefinite length"),
        };
        if major == 7 {
            return Err("a simple value or floating point number");
        }
        let (argument, rest) = rest.split_at_checked(length).ok_or(TRUNCATED)?;
        let argument = argument.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.rest = rest;
        if argument < least {
            return Err("a number that is not in its shortest form");
        }
        Ok((major, argument))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(length).map_err(|_| TRUNCATED)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(bytes)
    }
}

const TRUNCATED: &str = "it ends too early";

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &[u8]) -> &'static str {
        parse(text).unwrap_err()
    }

    // RFC 8949 appendix A
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let number = |text: &[u8]| parse(text).unwrap().integer();
        assert_eq!(number(&[0x17]), Some(23));
        assert_eq!(number(&[0x19, 0x03, 0xe8]), Some(1000));
        assert_eq!(number(&[0x38, 0x63]), Some(-100));
        let large = [0x1b, 0, 0, 0, 0xe8, 0xd4, 0xa5, 0x10, 0];
        assert_eq!(number(&large), Some(1_000_000_000_000));
        let least = [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(parse(&least).unwrap().value, Value::Negative(u64::MAX));
        assert_eq!(number(&least), None);
        assert_eq!(parse(&[0xf4]).unwrap().value, Value::Flag(false));
        assert_eq!(parse(&[0xf6]).unwrap().value, Value::Null);
        assert_eq!(parse(b"\x62\xc3\xbc").unwrap().text(), Some("\u{fc}"));
        let tagged = parse(b"\xc1\x1a\x51\x4b\x67\xb0").unwrap();
        assert_eq!(tagged.tagged(1).and_then(Item::unsigned), Some(1_363_896_240));
        assert_eq!(tagged.tagged(2), None);
        let nested = parse(&[0x83, 0x01, 0x82, 0x02, 0x03, 0x82, 0x04, 0x05]).unwrap();
        let inner = &nested.list().unwrap()[2];
        assert_eq!((inner.raw, inner.start), (&[0x82, 0x04, 0x05][..], 5));
        let map = parse(b"\xa2\x61a\x01\x20\x82\x02\x03").unwrap();
        assert_eq!(map.named("a").and_then(Item::unsigned), Some(1));
        assert_eq!(map.numbered(-1).and_then(Item::list).map(<[_]>::len), Some(2));
        assert_eq!(map.numbered(0), None);
    }

    #[test]
    fn an_item_says_where_it_stands() {
        let mut text = vec![0x82, 0x01, 0x58, 0x18];
        text.extend([7; 24]);
        let list = parse(&text).unwrap();
        let bytes = &list.list().unwrap()[1];
        let at = |span: Option<Span>| span.map(|span| (span.start, span.length));
        assert_eq!(at(bytes.span(0)), Some((2, 26)));
        assert_eq!(at(bytes.content(100)), Some((104, 24)));
        assert_eq!(at(list.content(0)), None);
        assert_eq!(at(parse(&[0x40]).unwrap().content(0)), None);
        assert_eq!(at(bytes.content(usize::MAX)), None);
    }

    // attack 36
    #[test]
    fn an_item_has_one_spelling() {
        assert_eq!(error(&[0x18, 0x17]), "a number that is not in its shortest form");
        assert_eq!(error(&[0x59, 0x00, 0x01, 0x00]), "a number that is not in its shortest form");
        for endless in [&[0x5f, 0x41, 0x00, 0xff][..], &[0x9f, 0xff], &[0xbf, 0xff], &[0x7f, 0xff]]
        {
            assert_eq!(error(endless), "an indefinite length");
        }
        assert_eq!(error(b"\xa2\x61a\x01\x61a\x02"), "a key twice");
        assert_eq!(error(&[0xa1, 0x40, 0x01]), "a key that is neither number nor text");
        assert_eq!(error(&[0x01, 0x01]), "something behind the item");
        assert_eq!(error(&[0x62, 0xff, 0xff]), "a text that is not UTF-8");
        for other in [&[0xf9, 0x3c, 0x00][..], &[0xf8, 0x20], &[0xf7], &[0xe0]] {
            assert_eq!(error(other), "a simple value or floating point number", "{other:x?}");
        }
    }

    #[test]
    fn a_list_or_map_without_a_length_ends_at_its_break() {
        let text = [0xbf, 0x61, b'a', 0x9f, 0x01, 0x80, 0xff, 0x02, 0xa0, 0xff];
        let map = parse_streamed(&text).unwrap();
        let list = map.named("a").unwrap();
        assert_eq!((list.raw, list.start), (&text[3..7], 3));
        assert_eq!(list.list().map(<[_]>::len), Some(2));
        assert_eq!(map.numbered(2).and_then(Item::map).map(<[_]>::len), Some(0));
        assert_eq!(error(&text), "an indefinite length");
        for wrong in [
            &[0xbf, 0x01, 0xff][..],
            &[0x9f, 0x01],
            &[0xff],
            &[0x81, 0xff],
            &[0x9f, 0xff, 0xff],
            &[0x5f, 0x41, 0x00, 0xff],
            &[0xbf, 0x01, 0x02, 0x01, 0x03, 0xff],
            &[0xc1, 0xff],
        ] {
            assert!(parse_streamed(wrong).is_err(), "{wrong:x?}");
        }
        // A length that says "no length" is one: far too many.
        assert!(parse_streamed(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 0xff]).is_err());
        let mut many = vec![0xbf];
        (0..300_u16).for_each(|key| many.extend([0x19, (key >> 8) as u8 | 0x80, key as u8, 0x00]));
        many.push(0xff);
        assert_eq!(parse_streamed(&many).unwrap_err(), "a map of this size");
    }

    // attack 36
    #[test]
    fn what_it_costs_is_bounded() {
        assert_eq!(error(&[0x81; 100_000]), "nested too deep");
        assert_eq!(error(&[0xc1; 100_000]), "nested too deep");
        let mut many = vec![0x99, 0xff, 0xff];
        many.extend([0; 65_535]);
        assert_eq!(error(&many), "too many items");
        assert_eq!(error(&[0x9b, 0xff, 0, 0, 0, 0, 0, 0, 0]), TRUNCATED);
        assert_eq!(error(&[0x5b, 0xff, 0, 0, 0, 0, 0, 0, 0]), TRUNCATED);
        assert_eq!(error(&[0xb9, 0x01, 0x01]), "a map of this size");
        let whole = b"\xa2\x61a\x83\x01\xc1\x41\x07\x62bc\x19\x03\xe8\xf5";
        parse(whole).unwrap();
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
    }
}
