//! The keys that sign tokens: one that signs, and those before it, which are still believed for a
//! while so that a rotation breaks no token that is out.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::token::{self, TokenError};
use super::token_claims::Expected;
use super::token_cose;
use super::token_key::{SigningKey, TokenAlgorithm, VerificationKey};
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

/// The keys of one host, each named by its thumbprint (RFC 7638).
pub struct TokenKeys {
    signing: SigningKey,
    current: VerificationKey,
    /// When the current key was made.
    created: Timestamp,
    /// For how many seconds at most a token of the current key is good.
    promised: u64,
    previous: Vec<Retiring>,
}

/// What may be known of a key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TokenKeySummary {
    /// Its name.
    pub kid: String,
    /// How it signs, or signed.
    pub algorithm: TokenAlgorithm,
    /// When it was made; none for one that signs no more.
    pub created: Option<Timestamp>,
    /// From this moment it is not believed any more; none for the one that signs.
    pub until: Option<Timestamp>,
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
    pub fn generate(algorithm: TokenAlgorithm, at: Timestamp) -> Result<Self, TokenKeyError> {
        let signing = SigningKey::generate(algorithm)?;
        let current = VerificationKey::new(algorithm, signing.public())?;
        Ok(Self { signing, current, created: at, promised: 0, previous: Vec::new() })
    }

    /// The same keys, of which the current one signs tokens that are good for so many seconds.
    #[must_use]
    pub fn promising(self, seconds: u64) -> Self {
        Self { promised: self.promised.max(seconds), ..self }
    }

    /// Keys with a fresh one that signs from now on. Tokens of the present one are believed until
    /// `until`, those of the keys before it as long as they were before; private halves of the old
    /// keys are not kept, and keys retired by `at` not at all.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn rotated(
        &self,
        algorithm: TokenAlgorithm,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Self, TokenKeyError> {
        let now_retiring = (&self.current, until);
        let previous = self
            .previous
            .iter()
            .map(|old| (&old.key, old.until))
            .chain([now_retiring])
            .filter(|(_, until)| *until > at)
            .map(|(key, until)| {
                let key = VerificationKey::new(key.algorithm, key.octets.clone())?;
                Ok(Retiring { key, until })
            })
            .collect::<Result<_, TokenKeyError>>()?;
        Ok(Self { previous, ..Self::generate(algorithm, at)? })
    }

    /// The keys for storage: JSON with the signing key as PKCS#8 (RFC 5208) and the old public keys
    /// as uncompressed points, in base64url.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn to_stored(&self) -> Result<Secret, TokenKeyError> {
        let pkcs8 = self.signing.to_pkcs8()?;
        let stored = Stored {
            signing: BASE64URL_NOPAD.encode(pkcs8.as_ref()),
            algorithm: self.current.algorithm,
            created: self.created,
            promised: self.promised,
            previous: self
                .previous
                .iter()
                .map(|old| StoredKey {
                    algorithm: old.key.algorithm,
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
        let signing = SigningKey::from_pkcs8(stored.algorithm, &pkcs8)?;
        let previous = stored
            .previous
            .iter()
            .map(|old| {
                let key = VerificationKey::new(old.algorithm, octets(&old.public)?)?;
                Ok(Retiring { key, until: old.until })
            })
            .collect::<Result<_, TokenKeyError>>()?;
        let current = VerificationKey::new(stored.algorithm, signing.public())?;
        let (created, promised) = (stored.created, stored.promised);
        Ok(Self { signing, current, created, promised, previous })
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.current.kid
    }

    /// How the current key signs.
    #[must_use]
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.current.algorithm
    }

    /// When the current key was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// For how many seconds at most a token of the current key is good.
    #[must_use]
    pub fn promised(&self) -> u64 {
        self.promised
    }

    /// The key that signs, and those that are still believed at a moment.
    #[must_use]
    pub fn summaries(&self, at: Timestamp) -> Vec<TokenKeySummary> {
        let summary = |key: &VerificationKey, created, until| {
            let (kid, algorithm) = (key.kid.clone(), key.algorithm);
            TokenKeySummary { kid, algorithm, created, until }
        };
        let previous = self.previous.iter().filter(|old| old.until > at);
        [summary(&self.current, Some(self.created), None)]
            .into_iter()
            .chain(previous.map(|old| summary(&old.key, None, Some(old.until))))
            .collect()
    }

    /// Signs a claims set: a compact JWS whose header is `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// [`TokenError::ClaimsNotObject`], [`TokenError::Provider`].
    pub fn sign<T: Serialize>(&self, claims: &T, typ: &str) -> Result<String, TokenError> {
        self.seal(token::signing_input(&self.current, typ, claims)?)
    }

    /// Appends the signature to the encoded header and claims.
    pub(super) fn seal(&self, mut signed: String) -> Result<String, TokenError> {
        let signature = self.signing.sign(signed.as_bytes())?;
        signed.push('.');
        BASE64URL_NOPAD.encode_append(signature.as_ref(), &mut signed);
        Ok(signed)
    }

    /// Signs an encoded CWT claims set: a tagged COSE_Sign1.
    ///
    /// # Errors
    /// [`TokenError::Provider`].
    pub fn sign_cwt(&self, claims: Vec<u8>) -> Result<Vec<u8>, TokenError> {
        token_cose::sign(&self.signing, &self.current, claims)
    }

    /// Checks header and signature of a COSE_Sign1 that one of these keys signed, and returns its
    /// payload. Its claims are for the caller to check.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify_cwt(&self, token: &[u8], at: Timestamp) -> Result<Vec<u8>, TokenError> {
        token_cose::verify(token, |kid| self.find(kid, at))
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
        token::verify(token, expected, |kid| self.find(kid, expected.at))
    }

    /// The JWK Set (RFC 7517, section 5) of the keys that are believed at a moment.
    #[must_use]
    pub fn jwks(&self, at: Timestamp) -> Value {
        let keys: Vec<&Value> = self.believed(at).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// Whether a key of this name is believed at a moment.
    #[must_use]
    pub fn believes(&self, kid: &str, at: Timestamp) -> bool {
        self.find(kid, at).is_some()
    }

    fn find(&self, kid: &str, at: Timestamp) -> Option<&VerificationKey> {
        self.believed(at).find(|key| key.kid == kid)
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

#[derive(Deserialize, Serialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Stored {
    signing: String,
    #[serde(default)]
    #[zeroize(skip)]
    algorithm: TokenAlgorithm,
    #[serde(default)]
    #[zeroize(skip)]
    created: Timestamp,
    #[serde(default)]
    promised: u64,
    #[zeroize(skip)]
    previous: Vec<StoredKey>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    #[serde(default)]
    algorithm: TokenAlgorithm,
    public: String,
    until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::TYP_EAT;

    const AT: Timestamp = Timestamp(1_000_000);

    fn fresh() -> TokenKeys {
        TokenKeys::generate(TokenAlgorithm::Es256, AT).unwrap()
    }

    fn claims() -> Value {
        json!({"iss": "i", "aud": "a", "iat": AT.0, "exp": AT.0 + 1000})
    }

    fn expected(at: Timestamp) -> Expected<'static> {
        Expected { issuer: "i", audience: "a", typ: TYP_EAT, at, skew: 0 }
    }

    // attack 52
    #[test]
    fn a_rotation_breaks_no_token_that_is_out_and_the_old_key_retires() {
        let old = fresh();
        let token = old.sign(&claims(), TYP_EAT).unwrap();
        let new = old.rotated(TokenAlgorithm::Es256, AT, AT.plus(100)).unwrap();
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
        let first = fresh();
        let second = first.rotated(TokenAlgorithm::Es256, AT, AT.plus(100)).unwrap();
        let third = second.rotated(TokenAlgorithm::Es256, AT.plus(50), AT.plus(500)).unwrap();
        let token = first.sign(&claims(), TYP_EAT).unwrap();
        assert!(third.verify(&token, &expected(AT.plus(99))).is_ok());
        assert!(third.verify(&token, &expected(AT.plus(100))).is_err());
        let fourth = third.rotated(TokenAlgorithm::Es256, AT.plus(200), AT.plus(600)).unwrap();
        assert_eq!(fourth.previous.len(), 2);
    }

    #[test]
    fn keys_come_back_from_storage() {
        let old = fresh();
        let new = old.rotated(TokenAlgorithm::Es256, AT, AT.plus(100)).unwrap();
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
        let keys = fresh();
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
        let keys = fresh();
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
        let keys = fresh();
        let pkcs8 = keys.signing.to_pkcs8().unwrap();
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TYP_EAT.to_owned());
        header.kid = Some(keys.kid().to_owned());
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let token = encode(&header, &claims(), &key).unwrap();
        assert!(keys.verify(&token, &expected(AT)).is_ok());
    }
}
