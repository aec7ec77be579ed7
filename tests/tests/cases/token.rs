//! What is wanted of a token, member by member, and how one is altered without its key.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What must stand at a JSON pointer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum Wanted {
    /// This value.
    Is(Value),
    /// Nothing.
    Absent(True),
    /// A value of this JSON type.
    Type(Type),
    /// Text that begins so.
    BeginsWith(String),
    /// Base64url without padding of so many bytes.
    Base64urlBytes(usize),
    /// These members and no others, sorted.
    Members(Vec<String>),
    /// A whole number, so much larger than the one at another pointer.
    SecondsAfter { pointer: String, seconds: u64 },
}

/// `true`, the only word that is allowed.
#[derive(Debug, Deserialize)]
#[serde(try_from = "bool")]
pub(crate) struct True(());

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(word: bool) -> Result<Self, Self::Error> {
        if word { Ok(Self(())) } else { Err("wanted is true") }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Type {
    Array,
    Boolean,
    Integer,
    Object,
    String,
}

/// How a token is altered: members of header and payload are replaced, a null takes one away.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Altered {
    header: Map<String, Value>,
    payload: Map<String, Value>,
    /// What stands in the signature's place; the old one where nothing is said.
    signature: Option<String>,
}

/// Compares; says the first thing that is otherwise.
pub(crate) fn compare(value: &Value, wanted: &BTreeMap<String, Wanted>) -> Result<(), String> {
    for (pointer, wanted) in wanted {
        let seen = value.pointer(pointer);
        if !wanted.is_met(seen, value) {
            let seen = seen.map_or_else(|| "nothing".to_owned(), Value::to_string);
            return Err(format!("{pointer} is {seen}; wanted {wanted:?}"));
        }
    }
    Ok(())
}

impl Wanted {
    fn is_met(&self, seen: Option<&Value>, whole: &Value) -> bool {
        let Some(seen) = seen else { return matches!(self, Self::Absent(_)) };
        let text = seen.as_str();
        match self {
            Self::Absent(_) => false,
            Self::BeginsWith(beginning) => text.is_some_and(|text| text.starts_with(beginning)),
            Self::Base64urlBytes(length) => text
                .and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok())
                .is_some_and(|bytes| bytes.len() == *length),
            Self::Is(value) => seen == value,
            Self::Members(names) => seen.as_object().is_some_and(|object| {
                let mut found: Vec<_> = object.keys().cloned().collect();
                found.sort();
                found == *names
            }),
            Self::SecondsAfter { pointer, seconds } => {
                let from = whole.pointer(pointer).and_then(Value::as_u64);
                from.is_some_and(|from| seen.as_u64() == Some(from + seconds))
            }
            Self::Type(kind) => match kind {
                Type::Array => seen.is_array(),
                Type::Boolean => seen.is_boolean(),
                Type::Integer => seen.is_u64() || seen.is_i64(),
                Type::Object => seen.is_object(),
                Type::String => seen.is_string(),
            },
        }
    }
}

/// A part of a compact JWS (0: header, 1: payload) as JSON.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

impl Altered {
    /// The token, altered.
    pub(crate) fn apply(&self, token: &str) -> String {
        let changed = |index: usize, changes: &Map<String, Value>| {
            if changes.is_empty() {
                return token.split('.').nth(index).unwrap().to_owned();
            }
            let mut value = part(token, index);
            let members = value.as_object_mut().unwrap();
            for (name, change) in changes {
                match change {
                    Value::Null => drop(members.remove(name)),
                    _ => drop(members.insert(name.clone(), change.clone())),
                }
            }
            BASE64URL_NOPAD.encode(value.to_string().as_bytes())
        };
        let (header, payload) = (changed(0, &self.header), changed(1, &self.payload));
        let old = token.split('.').nth(2).unwrap();
        let signature = self.signature.as_deref().unwrap_or(old);
        format!("{header}.{payload}.{signature}")
    }
}
