//! Facts about an attester, named: what the host read itself, or what a plugin says.

use std::borrow::Cow;
use std::fmt;

use data_encoding::HEXLOWER;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
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
    /// Bytes; in JSON lower-case hexadecimal, in CBOR a byte string.
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

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) if serializer.is_human_readable() => {
                serializer.serialize_str(&HEXLOWER.encode(bytes))
            }
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Unsigned(number) => serializer.serialize_u64(*number),
        }
    }
}

/// Out of JSON byte strings come back as hexadecimal text. Nothing else is a value: no fraction, no
/// object, no null.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a claim")
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.to_vec()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(u64::try_from(number).map_or(Value::Signed(number), Value::Unsigned))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(text) = texts.next_element()? {
            read.push(text);
        }
        Ok(Value::Texts(read))
    }
}
