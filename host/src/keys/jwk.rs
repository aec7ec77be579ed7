//! Reading public JSON Web Keys (RFC 7517) strictly, and naming them by thumbprint (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::recipient::RecipientKeyError;

/// Members that only a private or a symmetric key has: RFC 7518, sections 6.2.2, 6.3.2 and 6.4,
/// and `priv` of `AKP` keys.
const PRIVATE: &[&str] = &["d", "dp", "dq", "k", "oth", "p", "priv", "q", "qi", "seed"];

/// The members of a JWK that holds public parts only.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// Takes a JSON object without private members.
    pub(super) fn of(jwk: &'a Value) -> Result<Self, RecipientKeyError> {
        let members = jwk.as_object().ok_or(RecipientKeyError::NotAnObject)?;
        match PRIVATE.iter().find(|name| members.contains_key(**name)) {
            Some(name) => Err(RecipientKeyError::PrivateMember(name)),
            None => Ok(Self(members)),
        }
    }

    /// A member that must be there, as text.
    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, RecipientKeyError> {
        let value = self.0.get(name).and_then(Value::as_str);
        value.ok_or(RecipientKeyError::Malformed(name))
    }

    /// A member that must be there, as bytes: base64url without padding (RFC 7515, section 2), with
    /// neither foreign characters nor bits left over.
    pub(super) fn octets(&self, name: &'static str) -> Result<Vec<u8>, RecipientKeyError> {
        BASE64URL_NOPAD
            .decode(self.text(name)?.as_bytes())
            .map_err(|_| RecipientKeyError::Malformed(name))
    }

    /// Checks that `alg`, `use` and `key_ops`, where they are given, allow encryption with
    /// `algorithm`. An empty `key_ops` is what browsers export for public agreement keys.
    pub(super) fn allow(
        &self,
        algorithm: &str,
        operations: &[&str],
    ) -> Result<(), RecipientKeyError> {
        for (name, wanted) in [("alg", algorithm), ("use", "enc")] {
            if let Some(value) = self.0.get(name)
                && value.as_str() != Some(wanted)
            {
                return Err(RecipientKeyError::Contradiction(name));
            }
        }
        let Some(given) = self.0.get("key_ops") else {
            return Ok(());
        };
        let fitting = given.as_array().is_some_and(|given| {
            given.iter().all(|operation| {
                let operation = operation.as_str();
                operation.is_some_and(|operation| operations.contains(&operation))
            })
        });
        if fitting { Ok(()) } else { Err(RecipientKeyError::Contradiction("key_ops")) }
    }
}

/// A public key in its one canonical spelling.
pub(super) struct Canonical {
    /// The required members only.
    pub(super) jwk: Value,
    /// SHA-256 of the required members in the order of their names (RFC 7638, section 3).
    pub(super) thumbprint: [u8; 32],
}

impl Canonical {
    /// From the required members, in the lexicographic order of their names. Names and values are
    /// of letters, digits, `-` and `_`, so that they need no escapes.
    pub(super) fn new(members: &[(&str, &str)]) -> Self {
        let text: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let hash = digest(&SHA256, format!("{{{}}}", text.join(",")).as_bytes());
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(hash.as_ref());
        let members =
            members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        Self { jwk: Value::Object(members), thumbprint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_of_rfc_7638_comes_out() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1\
                 L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4\
                 QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
                 pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF\
                 Cur-kEgU8awapJzKnqDKgw";
        let canonical = Canonical::new(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)]);
        assert_eq!(
            BASE64URL_NOPAD.encode(&canonical.thumbprint),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
