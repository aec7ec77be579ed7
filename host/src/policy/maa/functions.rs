//! The functions of version 1.2. Documents travel as text, as in the language, or as values where the
//! host's claims have them.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value as Json;

use super::claim::Value;
use crate::json::{self, Limits};

/// The longest text that a function gives, in bytes.
const LONGEST: usize = 256 << 10;

/// A query's bounds. The library recurses over a query's structure, and a list of two in a list of two
/// doubles what comes out with each comma.
const LONGEST_QUERY: usize = 2048;
const MOST_NESTED: usize = 64;
const MOST_JOINED: usize = 128;
const MOST_COMMAS: usize = 8;

/// Documents that functions read.
const DOCUMENT: Limits = Limits {
    depth: 24,
    members: 1024,
    values: 16 << 10,
    floats: true,
    nulls: true,
    ..Limits::REQUEST.with_bytes(LONGEST)
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Function {
    AppendString,
    ContainsOnlyValue,
    IsSubsetOf,
    JmesPath,
    JsonToClaimValue,
    NegateBool,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "AppendString" => Some(Self::AppendString),
            "ContainsOnlyValue" => Some(Self::ContainsOnlyValue),
            "IsSubsetOf" => Some(Self::IsSubsetOf),
            "JmesPath" => Some(Self::JmesPath),
            "JsonToClaimValue" => Some(Self::JsonToClaimValue),
            "NegateBool" => Some(Self::NegateBool),
            _ => None,
        }
    }

    pub(super) fn arity(self) -> usize {
        match self {
            Self::JsonToClaimValue | Self::NegateBool => 1,
            Self::AppendString | Self::ContainsOnlyValue | Self::IsSubsetOf | Self::JmesPath => 2,
        }
    }

    /// A query that could wear the host out, or is none.
    pub(super) fn check_query(self, query: &str) -> Result<(), String> {
        let of = |signs: &[u8]| query.bytes().filter(|byte| signs.contains(byte)).count();
        if query.is_empty()
            || query.len() > LONGEST_QUERY
            || of(b"([{!&") > MOST_NESTED
            || of(b".|[") > MOST_JOINED
            || of(b",") > MOST_COMMAS
        {
            return Err(format!(
                "a query has 1 to {LONGEST_QUERY} bytes, at most {MOST_NESTED} brackets and \
                 negations, {MOST_JOINED} steps and {MOST_COMMAS} commas"
            ));
        }
        jmespath::compile(query).map(drop).map_err(|_| "a query that is not JMESPath".to_owned())
    }

    pub(super) fn call(self, arguments: &[Value]) -> Result<Value, String> {
        match (self, arguments) {
            (Self::AppendString, [Value::Text(text), appended]) => append(text, appended),
            (Self::ContainsOnlyValue, [set, value]) => {
                let (set, value) = (list(set)?, Json::from(value.clone()));
                let only = !set.is_empty() && set.iter().all(|member| *member == value);
                Ok(Value::Boolean(only))
            }
            (Self::IsSubsetOf, [subset, set]) => {
                let (subset, set) = (list(subset)?, list(set)?);
                Ok(Value::Boolean(subset.iter().all(|member| set.contains(member))))
            }
            (Self::JmesPath, [document, Value::Text(query)]) => self.search(document, query),
            (Self::JsonToClaimValue, [document]) => match self::document(document)? {
                Json::Null => Err("null is no claim's value".to_owned()),
                scalar @ (Json::Bool(_) | Json::Number(_) | Json::String(_)) => {
                    match Value::from(scalar) {
                        Value::Json(_) => Err("a number that is no integer".to_owned()),
                        value => Ok(value),
                    }
                }
                other => Ok(Value::Text(other.to_string())),
            },
            (Self::NegateBool, [Value::Boolean(flag)]) => Ok(Value::Boolean(!flag)),
            _ => Err(format!("{self:?} does not take arguments of these kinds")),
        }
    }

    fn search(self, document: &Value, query: &str) -> Result<Value, String> {
        self.check_query(query)?;
        let document = self::document(document)?;
        let searched = catch_unwind(AssertUnwindSafe(|| {
            let query = jmespath::compile(query).ok()?;
            let found = query.search(&document).ok()?;
            let mut text = Bounded(Vec::new());
            serde_json::to_writer(&mut text, &found).ok()?;
            String::from_utf8(text.0).ok()
        }));
        let text = searched.ok().flatten();
        text.map(Value::Text).ok_or_else(|| "the query cannot be answered".to_owned())
    }
}

fn append(text: &str, appended: &Value) -> Result<Value, String> {
    let appended = appended.to_string();
    if text.len().saturating_add(appended.len()) > LONGEST {
        return Err(format!("a text of more than {LONGEST} bytes"));
    }
    Ok(Value::Text(format!("{text}{appended}")))
}

/// A text is read as a document; other values are documents.
fn document(value: &Value) -> Result<Json, String> {
    match value {
        Value::Text(text) => json::parse(text.as_bytes(), DOCUMENT)
            .map_err(|_| "a text that is no JSON, or too large".to_owned()),
        other => Ok(other.clone().into()),
    }
}

/// A list, or the one thing that is given.
fn list(value: &Value) -> Result<Vec<Json>, String> {
    match document(value) {
        Ok(Json::Array(members)) => Ok(members),
        Ok(Json::Null) => Ok(Vec::new()),
        Ok(scalar) => Ok(vec![scalar]),
        Err(reason) => Err(reason),
    }
}

/// Takes no more than [`LONGEST`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > LONGEST {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
