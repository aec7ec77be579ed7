//! The keys that sign tokens: one that signs, and those before it, which are still believed for a
//! while so that a rotation breaks no token that is out.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    ParsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::jwk::Canonical;
use super::token::{self, ALGORITHM, TokenError};
use super::token_claims::Expected;
use crate::clock::Timestamp;
use crate::json::{self, Limits};
use crate::secret::Secret;

/// Why signing keys could not be made or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenKeyError {
    /// The stored keys cannot be read.
    #[error("the stored signing keys cannot be read")]
    Malformed,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// ES256 keys (ECDSA with P-256 and SHA-256), each named by its thumbprint (RFC 7638).
pub struct TokenKeys {
    signing: EcdsaKeyPair,
    current: VerificationKey,
    previous: Vec<Retiring>,
}

struct VerificationKey {
    kid: String,
    /// With `use`, `alg` and `kid`, as it stands in the JWK Set.
    jwk: Value,
    /// Uncompressed point, 65 bytes.
    octets: Vec<u8>,
    key: ParsedPublicKey,
}

/// A key that signs no more.
struct Retiring {
    key: VerificationKey,
    /// The moment from which it is not believed any more.
    until: Timestamp,
}

impl TokenKeys {
    /// One fresh key.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn generate() -> Result<Self, TokenKeyError> {
        let signing = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| TokenKeyError::Provider)?;
        Self::with(signing, Vec::new())
    }

    fn with(signing: EcdsaKeyPair, previous: Vec<Retiring>) -> Result<Self, TokenKeyError> {
        let current = VerificationKey::new(signing.public_key().as_ref().to_vec())?;
        Ok(Self { signing, current, previous })
    }

    /// Keys with a fresh one that signs from now on. Tokens of the keys before it are believed until
    /// `until`, or until the earlier moment at which their key retires; private halves of the old
    /// keys are not kept, and keys retired by `at` not at all.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn rotated(&self, at: Timestamp, until: Timestamp) -> Result<Self, TokenKeyError> {
        let now_retiring = (&self.current, until);
        let previous = self
            .previous
            .iter()
            .map(|old| (&old.key, old.until.min(until)))
            .chain([now_retiring])
            .filter(|(_, until)| *until > at)
            .map(|(key, until)| {
                let key = VerificationKey::new(key.octets.clone())?;
                Ok(Retiring { key, until })
            })
            .collect::<Result<_, TokenKeyError>>()?;
        let signing = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| TokenKeyError::Provider)?;
        Self::with(signing, previous)
    }

    /// The keys for storage: JSON with the signing key as PKCS#8 (RFC 5208) and the old public keys
    /// as uncompressed points, in base64url.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn to_stored(&self) -> Result<Secret, TokenKeyError> {
        let pkcs8 = self.signing.to_pkcs8v1().map_err(|_| TokenKeyError::Provider)?;
        let stored = Stored {
            signing: BASE64URL_NOPAD.encode(pkcs8.as_ref()),
            previous: self
                .previous
                .iter()
                .map(|old| StoredKey {
                    public: BASE64URL_NOPAD.encode(&old.key.octets),
                    until: old.until,
                })
                .collect(),
        };
        // Large enough from the start: a buffer that grows leaves copies behind.
        let mut bytes = Vec::with_capacity(stored.previous.len().saturating_mul(256) + 1024);
        serde_json::to_writer(&mut bytes, &stored).map_err(|_| TokenKeyError::Provider)?;
        Ok(Secret::new(bytes))
    }

    /// The keys from storage.
    ///
    /// # Errors
    /// [`TokenKeyError::Malformed`].
    pub fn from_stored(stored: &Secret) -> Result<Self, TokenKeyError> {
        let stored: Stored =
            json::parse(stored.expose(), Limits::TOKEN).map_err(|_| TokenKeyError::Malformed)?;
        let octets = |text: &str| {
            BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| TokenKeyError::Malformed)
        };
        let pkcs8 = Zeroizing::new(octets(&stored.signing)?);
        let signing = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| TokenKeyError::Malformed)?;
        let previous = stored
            .previous
            .iter()
            .map(|old| {
                Ok(Retiring { key: VerificationKey::new(octets(&old.public)?)?, until: old.until })
            })
            .collect::<Result<_, TokenKeyError>>()?;
        Self::with(signing, previous)
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.current.kid
    }

    /// Signs a claims set: a compact JWS whose header is `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// [`TokenError::ClaimsNotObject`], [`TokenError::Provider`].
    pub fn sign<T: Serialize>(&self, claims: &T, typ: &str) -> Result<String, TokenError> {
        self.seal(token::signing_input(self.kid(), typ, claims)?)
    }

    /// Appends the signature to the encoded header and claims.
    pub(super) fn seal(&self, mut signed: String) -> Result<String, TokenError> {
        let signature = self
            .signing
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| TokenError::Provider)?;
        signed.push('.');
        BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut signed);
        Ok(signed)
    }

    /// Checks a token that one of these keys signed, and returns its claims.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, TokenError> {
        token::verify(token, expected, |kid| {
            self.believed(expected.at).find(|key| key.kid == kid).map(|key| &key.key)
        })
    }

    /// The JWK Set (RFC 7517, section 5) of the keys that are believed at a moment.
    #[must_use]
    pub fn jwks(&self, at: Timestamp) -> Value {
        let keys: Vec<&Value> = self.believed(at).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    fn believed(&self, at: Timestamp) -> impl Iterator<Item = &VerificationKey> {
        let previous = self.previous.iter().filter(move |old| old.until > at);
        [&self.current].into_iter().chain(previous.map(|old| &old.key))
    }
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKeys({})", self.current.kid)
    }
}

impl VerificationKey {
    fn new(octets: Vec<u8>) -> Result<Self, TokenKeyError> {
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &octets)
            .map_err(|_| TokenKeyError::Malformed)?;
        let (x, y) = octets
            .strip_prefix(&[4])
            .and_then(|point| point.split_at_checked(32))
            .ok_or(TokenKeyError::Malformed)?;
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        let canonical = Canonical::new(&[("crv", "P-256"), ("kty", "EC"), ("x", &x), ("y", &y)]);
        let kid = BASE64URL_NOPAD.encode(&canonical.thumbprint);
        let mut jwk = canonical.jwk;
        if let Value::Object(members) = &mut jwk {
            for (name, value) in [("alg", ALGORITHM), ("kid", &kid), ("use", "sig")] {
                members.insert(name.to_owned(), Value::from(value));
            }
        }
        Ok(Self { kid, jwk, octets, key })
    }
}

#[derive(Deserialize, Serialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Stored {
    signing: String,
    #[zeroize(skip)]
    previous: Vec<StoredKey>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    public: String,
    until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::TYP_EAT;

    const AT: Timestamp = Timestamp(1_000_000);

    fn claims() -> Value {
        json!({"iss": "i", "aud": "a", "iat": AT.0, "exp": AT.0 + 1000})
    }

    fn expected(at: Timestamp) -> Expected<'static> {
        Expected { issuer: "i", audience: "a", typ: TYP_EAT, at, skew: 0 }
    }

    // attack 52
    #[test]
    fn a_rotation_breaks_no_token_that_is_out_and_the_old_key_retires() {
        let old = TokenKeys::generate().unwrap();
        let token = old.sign(&claims(), TYP_EAT).unwrap();
        let new = old.rotated(AT, AT.plus(100)).unwrap();
        assert_ne!(new.kid(), old.kid());
        assert!(new.verify(&token, &expected(AT.plus(99))).is_ok());
        assert_eq!(new.verify(&token, &expected(AT.plus(100))), Err(TokenError::UnknownKey));
        let kids = |keys: &TokenKeys, at| {
            let set = keys.jwks(at);
            let keys = set["keys"].as_array().unwrap().clone();
            keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(kids(&new, AT), [new.kid(), old.kid()]);
        assert_eq!(kids(&new, AT.plus(100)), [new.kid()]);
    }

    #[test]
    fn a_second_rotation_does_not_prolong_the_first() {
        let first = TokenKeys::generate().unwrap();
        let second = first.rotated(AT, AT.plus(100)).unwrap();
        let third = second.rotated(AT.plus(50), AT.plus(500)).unwrap();
        let token = first.sign(&claims(), TYP_EAT).unwrap();
        assert!(third.verify(&token, &expected(AT.plus(99))).is_ok());
        assert!(third.verify(&token, &expected(AT.plus(100))).is_err());
        let fourth = third.rotated(AT.plus(200), AT.plus(600)).unwrap();
        assert_eq!(fourth.previous.len(), 2);
    }

    #[test]
    fn keys_come_back_from_storage() {
        let old = TokenKeys::generate().unwrap();
        let new = old.rotated(AT, AT.plus(100)).unwrap();
        let back = TokenKeys::from_stored(&new.to_stored().unwrap()).unwrap();
        assert_eq!(back.jwks(AT), new.jwks(AT));
        let token = back.sign(&claims(), TYP_EAT).unwrap();
        assert!(new.verify(&token, &expected(AT)).is_ok());
        let token = old.sign(&claims(), TYP_EAT).unwrap();
        assert!(back.verify(&token, &expected(AT)).is_ok());
        assert!(TokenKeys::from_stored(&Secret::new(b"{}".to_vec())).is_err());
    }

    #[test]
    fn the_key_set_holds_public_members_only() {
        let keys = TokenKeys::generate().unwrap();
        let set = keys.jwks(AT);
        let names: Vec<&str> =
            set["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }

    /// Another implementation reads the key set and accepts the token.
    #[test]
    fn jsonwebtoken_accepts_the_token_by_the_key_set() {
        use jsonwebtoken::jwk::JwkSet;
        use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
        let keys = TokenKeys::generate().unwrap();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        let set: JwkSet = serde_json::from_value(keys.jwks(AT)).unwrap();
        let kid = decode_header(&token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["a"]);
        validation.set_issuer(&["i"]);
        validation.validate_exp = false;
        let data = decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(data.claims, claims());
    }

    /// And the other way round.
    #[test]
    fn a_token_by_jsonwebtoken_is_accepted() {
        use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
        let keys = TokenKeys::generate().unwrap();
        let pkcs8 = keys.signing.to_pkcs8v1().unwrap();
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYP_EAT.to_owned());
        header.kid = Some(keys.kid().to_owned());
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let token = encode(&header, &claims(), &key).unwrap();
        assert!(keys.verify(&token, &expected(AT)).is_ok());
    }
}
