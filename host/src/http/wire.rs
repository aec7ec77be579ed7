//! How byte strings are spelled in JSON.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::secret::Secret;

/// Bytes as base64url without padding (RFC 4648, section 5). Every byte string has one spelling:
/// padding, other alphabets, white space and non-zero trailing bits are refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Base64Url(pub Vec<u8>);

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64UrlVisitor).map(Self)
    }
}

impl PartialSchema for Base64Url {
    fn schema() -> RefOr<Schema> {
        base64url_schema("Bytes as base64url without padding (RFC 4648, section 5).")
    }
}

impl ToSchema for Base64Url {}

/// Key material on its way in: spelled like [`Base64Url`], wiped when dropped, never printed.
#[derive(Clone, Debug)]
pub struct SecretBytes(pub Secret);

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = zeroize::Zeroizing::new(BASE64URL_NOPAD.encode(self.0.expose()));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_str(Base64UrlVisitor)?;
        Ok(Self(Secret::new(bytes)))
    }
}

impl PartialSchema for SecretBytes {
    fn schema() -> RefOr<Schema> {
        base64url_schema("Secret bytes as base64url without padding (RFC 4648, section 5).")
    }
}

impl ToSchema for SecretBytes {}

struct Base64UrlVisitor;

impl Visitor<'_> for Base64UrlVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as base64url without padding")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        // The value is not repeated: it may be a secret.
        BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|error| E::custom(format_args!("not base64url without padding: {error}")))
    }
}

fn base64url_schema(description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z0-9_-]*$"))
        .description(Some(description))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_string_has_one_spelling() {
        // attack 4
        let read = |text: &str| serde_json::from_str::<Base64Url>(&format!("\"{text}\""));
        assert_eq!(read("-_8").unwrap(), Base64Url(vec![0xfb, 0xff]));
        for other in ["-_8=", "+/8", "-_9", " -_8", "-_8\\n", "-_"] {
            assert!(read(other).is_err(), "{other}");
        }
        assert_eq!(serde_json::to_string(&Base64Url(vec![0xfb, 0xff])).unwrap(), "\"-_8\"");
    }

    #[test]
    fn an_error_in_a_secret_does_not_repeat_it() {
        let error = serde_json::from_str::<SecretBytes>("\"hunter2!\"").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
