//! Strict JSON for what outsiders send: bounded in every direction, no member twice, and neither
//! fractions nor nulls where nobody asked for them.
//!
//! A first pass over the text looks at its shape and builds nothing; only a text of good shape is
//! then read into a type (an object of any members is built as it is looked at). Objects with a member twice are refused at every level, because two
//! readers of such an object may disagree on what it says (RFC 8259, section 4).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess};
use serde_json::{Map, Value as Tree};

/// How large and of what shape a text may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole text.
    pub bytes: usize,
    /// Arrays and objects inside each other; a text of one flat object has depth 1.
    pub depth: usize,
    /// Bytes of a member's name, after its escapes are resolved.
    pub name: usize,
    /// Members of one object.
    pub members: usize,
    /// Bytes of a string, after its escapes are resolved.
    pub text: usize,
    /// Values in the whole text, arrays and objects included.
    pub values: usize,
    /// Whether numbers may have a fraction, an exponent, or lie beyond 64 bits.
    pub floats: bool,
    /// Whether `null` may stand for a value.
    pub nulls: bool,
}

impl Limits {
    /// A request's body: 1 MiB, of which most is evidence in base64.
    pub const REQUEST: Self = Self {
        bytes: 1 << 20,
        depth: 16,
        name: 256,
        members: 256,
        text: 1 << 20,
        values: 4096,
        floats: false,
        nulls: false,
    };

    /// The header or the claims of a token: 64 KiB.
    pub const TOKEN: Self = Self {
        bytes: 64 << 10,
        depth: 12,
        name: 256,
        members: 256,
        text: 32 << 10,
        values: 2048,
        floats: false,
        nulls: false,
    };

    /// These limits with other room for the whole text and its strings, in bytes.
    #[must_use]
    pub const fn with_bytes(self, bytes: usize) -> Self {
        Self { bytes, text: bytes, ..self }
    }
}

/// Why a text was refused. Repeats nothing of the text but the name of a member.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JsonError {
    /// An object names a member twice.
    #[error("the member `{0}` stands twice in one object")]
    DuplicateMember(String),
    /// A number is not a whole number of 64 bits.
    #[error("a number is not a whole number of 64 bits")]
    Float,
    /// Not JSON, or not of the type that was expected.
    #[error("{0}")]
    Malformed(String),
    /// A member's name is longer than is read.
    #[error("a member's name has more than {0} bytes")]
    NameTooLong(usize),
    /// `null` stands where a value was expected.
    #[error("null stands for a value; leave the member out instead")]
    Null,
    /// A string is longer than is read.
    #[error("a string has more than {0} bytes")]
    TextTooLong(usize),
    /// Arrays and objects are nested deeper than is read.
    #[error("arrays and objects are nested more than {0} deep")]
    TooDeep(usize),
    /// The text is longer than is read.
    #[error("the text has more than {0} bytes")]
    TooLarge(usize),
    /// An object has more members than are read.
    #[error("an object has more than {0} members")]
    TooManyMembers(usize),
    /// There are more values than are read.
    #[error("there are more than {0} values")]
    TooManyValues(usize),
}

/// Reads one JSON text (RFC 8259, UTF-8, nothing but white space after it) into `T`.
///
/// # Errors
/// [`JsonError`], of which each variant says which limit or rule the text broke.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, JsonError> {
    scan(bytes, limits)?;
    serde_json::from_slice(bytes).map_err(|error| JsonError::Malformed(describe(&error)))
}

/// Reads one JSON object, in a single pass.
///
/// # Errors
/// As [`parse`].
pub fn object(bytes: &[u8], limits: Limits) -> Result<Map<String, Tree>, JsonError> {
    match read::<Tree>(bytes, limits)? {
        Tree::Object(members) => Ok(members),
        _ => Err(JsonError::Malformed("not an object".to_owned())),
    }
}

/// Looks at the shape of the whole text.
fn scan(bytes: &[u8], limits: Limits) -> Result<(), JsonError> {
    read::<Shape>(bytes, limits).map(drop)
}

fn read<V: Built>(bytes: &[u8], limits: Limits) -> Result<V, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::TooLarge(limits.bytes));
    }
    let mut scan = Scan { limits, values: 0, fault: None };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outcome = Value { scan: &mut scan, depth: 0, made: PhantomData }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match (scan.fault, outcome) {
        (Some(fault), _) => Err(fault),
        (None, Err(error)) => Err(JsonError::Malformed(describe(&error))),
        (None, Ok(value)) => Ok(value),
    }
}

/// What becomes of a value whose shape is looked at.
trait Built: Sized {
    type Items: Default;
    type Members<'de>: Default;

    fn plain(value: impl Into<Tree>) -> Self;
    fn text(text: &str) -> Self;
    fn add(items: &mut Self::Items, value: Self);
    fn has(members: &Self::Members<'_>, name: &str) -> bool;
    /// Answers how many there are.
    fn put<'de>(members: &mut Self::Members<'de>, name: Cow<'de, str>, value: Self) -> usize;
    fn list(items: Self::Items) -> Self;
    fn map(members: Self::Members<'_>) -> Self;
}

/// Nothing: the text is only looked at.
struct Shape;

impl Built for Shape {
    type Items = ();
    type Members<'de> = BTreeSet<Cow<'de, str>>;

    fn plain(_: impl Into<Tree>) -> Self {
        Self
    }

    fn text(_: &str) -> Self {
        Self
    }

    fn add((): &mut (), _: Self) {}

    fn has(members: &Self::Members<'_>, name: &str) -> bool {
        members.contains(name)
    }

    fn put<'de>(members: &mut Self::Members<'de>, name: Cow<'de, str>, _: Self) -> usize {
        members.insert(name);
        members.len()
    }

    fn list((): ()) -> Self {
        Self
    }

    fn map(_: Self::Members<'_>) -> Self {
        Self
    }
}

impl Built for Tree {
    type Items = Vec<Self>;
    type Members<'de> = Map<String, Self>;

    fn plain(value: impl Into<Self>) -> Self {
        value.into()
    }

    fn text(text: &str) -> Self {
        text.into()
    }

    fn add(items: &mut Vec<Self>, value: Self) {
        items.push(value);
    }

    fn has(members: &Map<String, Self>, name: &str) -> bool {
        members.contains_key(name)
    }

    fn put(members: &mut Map<String, Self>, name: Cow<'_, str>, value: Self) -> usize {
        members.insert(name.into_owned(), value);
        members.len()
    }

    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn map(members: Map<String, Self>) -> Self {
        Self::Object(members)
    }
}

/// Says what is wrong without repeating the text, which may hold a secret: of the parser's words
/// only those that name a member are kept, and of these no control characters.
fn describe(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let names_a_member = ["missing field", "unknown field", "duplicate field"]
        .iter()
        .any(|start| message.starts_with(start));
    if names_a_member {
        return message.chars().filter(|character| !character.is_control()).take(200).collect();
    }
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a value of the wrong type or form",
        _ => "not JSON",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}

/// What was counted so far, and what was found wrong.
struct Scan {
    limits: Limits,
    values: usize,
    fault: Option<JsonError>,
}

impl Scan {
    /// Remembers the fault; the error that is returned only stops the parser.
    fn refuse<T, E: de::Error>(&mut self, fault: JsonError) -> Result<T, E> {
        self.fault = Some(fault);
        Err(E::custom("refused"))
    }
}

/// One value at `depth` open arrays and objects.
struct Value<'s, V> {
    scan: &'s mut Scan,
    depth: usize,
    made: PhantomData<V>,
}

impl<V: Built> Value<'_, V> {
    /// The depth of what stands inside this array or object.
    fn enter<E: de::Error>(&mut self) -> Result<usize, E> {
        let limit = self.scan.limits.depth;
        if self.depth >= limit {
            return self.scan.refuse(JsonError::TooDeep(limit));
        }
        Ok(self.depth.saturating_add(1))
    }
}

impl<'de, V: Built> DeserializeSeed<'de> for Value<'_, V> {
    type Value = V;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V, D::Error> {
        self.scan.values = self.scan.values.saturating_add(1);
        let limit = self.scan.limits.values;
        if self.scan.values > limit {
            return self.scan.refuse(JsonError::TooManyValues(limit));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: Built> de::Visitor<'de> for Value<'_, V> {
    type Value = V;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<V, E> {
        Ok(V::plain(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<V, E> {
        Ok(V::plain(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<V, E> {
        Ok(V::plain(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<V, E> {
        if self.scan.limits.floats {
            return Ok(V::plain(number));
        }
        self.scan.refuse(JsonError::Float)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V, E> {
        let limit = self.scan.limits.text;
        if text.len() > limit {
            return self.scan.refuse(JsonError::TextTooLong(limit));
        }
        Ok(V::text(text))
    }

    fn visit_unit<E: de::Error>(self) -> Result<V, E> {
        if self.scan.limits.nulls {
            return Ok(V::plain(()));
        }
        self.scan.refuse(JsonError::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<V, A::Error> {
        let depth = self.enter()?;
        let mut items = V::Items::default();
        while let Some(item) =
            access.next_element_seed(Value { scan: &mut *self.scan, depth, made: PhantomData })?
        {
            V::add(&mut items, item);
        }
        Ok(V::list(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<V, A::Error> {
        let depth = self.enter()?;
        let limits = self.scan.limits;
        let mut members = V::Members::default();
        let mut count = 0;
        while let Some(name) = access.next_key_seed(Name)? {
            if name.len() > limits.name {
                return self.scan.refuse(JsonError::NameTooLong(limits.name));
            }
            if V::has(&members, &name) {
                let name = name.chars().filter(|c| !c.is_control()).collect();
                return self.scan.refuse(JsonError::DuplicateMember(name));
            }
            if count >= limits.members {
                return self.scan.refuse(JsonError::TooManyMembers(limits.members));
            }
            let value = access.next_value_seed(Value {
                scan: &mut *self.scan,
                depth,
                made: PhantomData,
            })?;
            count = V::put(&mut members, name, value);
        }
        Ok(V::map(members))
    }
}

/// A member's name, borrowed from the text where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> de::Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    const SMALL: Limits = Limits {
        bytes: 1000,
        depth: 3,
        name: 8,
        members: 4,
        text: 20,
        values: 10,
        floats: false,
        nulls: false,
    };

    /// By both ways of reading, which refuse the same.
    fn shape(text: &str) -> Result<Value, JsonError> {
        let parsed: Result<Value, _> = parse(text.as_bytes(), SMALL);
        let read = read::<Value>(text.as_bytes(), SMALL);
        assert_eq!(parsed, read, "{text}");
        parsed
    }

    #[test]
    fn a_text_within_the_limits_is_read() {
        let value = shape(r#"{"a":[1,-2,true],"b":{"c":"d"}}"#).unwrap();
        assert_eq!(value["b"]["c"], "d");
    }

    // attack 35
    #[test]
    fn a_text_over_its_size_is_not_looked_at() {
        let text = format!("[{}]", " ".repeat(1000));
        assert_eq!(shape(&text), Err(JsonError::TooLarge(1000)));
    }

    // attack 35
    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        assert!(shape("[[[1]]]").is_ok());
        assert_eq!(shape("[[[[1]]]]"), Err(JsonError::TooDeep(3)));
        assert_eq!(shape(r#"{"a":{"a":{"a":{}}}}"#), Err(JsonError::TooDeep(3)));
        let bomb = "[".repeat(1 << 20);
        let outcome: Result<Value, _> = parse(bomb.as_bytes(), Limits::REQUEST);
        assert_eq!(outcome, Err(JsonError::TooDeep(16)));
    }

    // attack 35
    #[test]
    fn a_member_that_stands_twice_is_refused_at_every_level_and_in_every_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"[{"a":1,"a":2}]"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert_eq!(shape(text), Err(JsonError::DuplicateMember("a".to_owned())), "{text}");
        }
        assert!(shape(r#"{"a":{"a":1}}"#).is_ok());
    }

    // attack 35
    #[test]
    fn too_many_members_values_and_too_long_strings_are_refused() {
        assert_eq!(shape(r#"{"a":1,"b":1,"c":1,"d":1,"e":1}"#), Err(JsonError::TooManyMembers(4)));
        assert_eq!(shape("[1,2,3,4,5,6,7,8,9,10]"), Err(JsonError::TooManyValues(10)));
        assert_eq!(shape(r#"{"aaaaaaaaa":1}"#), Err(JsonError::NameTooLong(8)));
        assert_eq!(shape(r#""aaaaaaaaaaaaaaaaaaaaa""#), Err(JsonError::TextTooLong(20)));
    }

    // attack 35
    #[test]
    fn floats_and_nulls_are_refused_unless_they_are_asked_for() {
        for text in ["1.0", "1e3", "-0", "18446744073709551616", "[1.5]"] {
            assert_eq!(shape(text), Err(JsonError::Float), "{text}");
        }
        assert_eq!(shape(r#"{"a":null}"#), Err(JsonError::Null));
        let lenient = Limits { floats: true, nulls: true, ..SMALL };
        assert!(parse::<Value>(b"[1.5,null]", lenient).is_ok());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "{}x", "{} {}", "nul", "\u{feff}{}", "{\"a\":1,}"] {
            assert!(matches!(shape(text), Err(JsonError::Malformed(_))), "{text}");
        }
        assert!(parse::<Value>(b"\"\xff\"", SMALL).is_err());
    }

    // attacks 41 and 62
    #[test]
    fn an_error_repeats_no_value_and_no_control_characters() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Numbers {
            #[expect(dead_code, reason = "only parsed")]
            n: u64,
        }
        let error = parse::<Numbers>(br#"{"n":"hunter2"}"#, SMALL).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = parse::<Numbers>(br#"{"n":1,"x\ny":2}"#, SMALL).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `xy`"), "{error}");
        let error = parse::<Numbers>(br#"{}"#, SMALL).unwrap_err();
        assert_eq!(error, JsonError::Malformed("missing field `n` at line 1 column 2".to_owned()));
    }
}
