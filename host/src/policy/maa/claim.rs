//! Claims, as policies see them.

use std::fmt;

use serde_json::Value as Json;

/// Who says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Issuer {
    /// The policy itself, by an earlier rule.
    Policy,
    /// The host, from evidence that it checked.
    Service,
    /// The attester, in what it sent along.
    Custom,
}

impl Issuer {
    /// As policies write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "AttestationPolicy",
            Self::Service => "AttestationService",
            Self::Custom => "CustomClaim",
        }
    }
}

/// A claim's value: the three kinds of the language, and documents that only functions and the token
/// look into.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// An array, an object, or a number beyond [`Value::Integer`].
    Json(Json),
    /// Text.
    Text(String),
}

impl Value {
    /// `valueType`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Json(_) => "Json",
            Self::Text(_) => "String",
        }
    }

    /// The bytes that it counts.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Boolean(_) | Self::Integer(_) => 8,
            Self::Json(json) => json.to_string().len(),
            Self::Text(text) => text.len(),
        }
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        match json {
            Json::Bool(flag) => Self::Boolean(flag),
            Json::String(text) => Self::Text(text),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Integer(number),
                None => Self::Json(Json::Number(number)),
            },
            other => Self::Json(other),
        }
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(flag) => flag.into(),
            Value::Integer(number) => number.into(),
            Value::Json(json) => json,
            Value::Text(text) => text.into(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Json(json) => json.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// One claim.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Its name, `type` in policies.
    pub name: String,
    /// What it says.
    pub value: Value,
    /// Who says it.
    pub issuer: Issuer,
}

impl Claim {
    /// A claim of the host's.
    #[must_use]
    pub fn of_service(name: impl Into<String>, value: Json) -> Self {
        Self { name: name.into(), value: value.into(), issuer: Issuer::Service }
    }

    /// A claim of the attester's own.
    #[must_use]
    pub fn custom(name: impl Into<String>, value: Json) -> Self {
        Self { name: name.into(), value: value.into(), issuer: Issuer::Custom }
    }
}
