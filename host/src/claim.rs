//! Facts about an attester, named: what the host read itself, or what a plugin says.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use serde::ser::{Serialize, Serializer};

/// One named fact: `snp.measurement`, `tdx.rtmr0`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// Lower case, in dotted segments; the first one names the format. The names of the host's own
    /// facts are fixed, so that copies of them cost nothing.
    pub name: Cow<'static, str>,
    /// What it says.
    pub value: Value,
}

impl Claim {
    /// A claim.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, value: Value) -> Self {
        Self { name: name.into(), value }
    }
}

/// A claim's value. Byte strings stay bytes until a policy or a token needs text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// Bytes; in JSON lower-case hexadecimal.
    Bytes(Vec<u8>),
    /// Yes or no.
    Flag(bool),
    /// A whole number below zero or above.
    Signed(i64),
    /// Text.
    Text(String),
    /// Texts, in order.
    Texts(Vec<String>),
    /// A whole number from zero.
    Unsigned(u64),
}

impl Value {
    /// A value out of JSON, as [`Value`] writes it: byte strings come back as hexadecimal text.
    /// None where it is nothing that a value can be: fractions, objects, null.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        match json {
            Json::Bool(flag) => Some(Self::Flag(*flag)),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Number(number) => {
                number.as_u64().map(Self::Unsigned).or_else(|| number.as_i64().map(Self::Signed))
            }
            Json::Array(texts) => {
                let texts = texts.iter().map(|text| text.as_str().map(ToOwned::to_owned));
                texts.collect::<Option<_>>().map(Self::Texts)
            }
            Json::Null | Json::Object(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => serializer.serialize_str(&HEXLOWER.encode(bytes)),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
        }
    }
}
