//! One key that signs tokens, and the public half by which they are checked.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, KeyPair, ParsedPublicKey, Signature,
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jwk::Canonical;
use super::token::TokenError;
use super::token_keys::TokenKeyError;

/// How tokens are signed (RFC 7518, section 3.4; RFC 9053, section 2.1). A key has one algorithm,
/// and is used with no other.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum TokenAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA with P-384 and SHA-384.
    #[serde(rename = "ES384")]
    Es384,
}

impl TokenAlgorithm {
    /// Its name in JOSE.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    /// Its name in COSE.
    pub(super) fn cose(self) -> coset::iana::Algorithm {
        match self {
            Self::Es256 => coset::iana::Algorithm::ES256,
            Self::Es384 => coset::iana::Algorithm::ES384,
        }
    }

    fn curve(self) -> &'static str {
        match self {
            Self::Es256 => "P-256",
            Self::Es384 => "P-384",
        }
    }

    /// Bytes of a coordinate, of `r` and of `s`.
    fn length(self) -> usize {
        match self {
            Self::Es256 => 32,
            Self::Es384 => 48,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::Es384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }

    fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &ECDSA_P384_SHA384_FIXED,
        }
    }
}

/// The private half.
pub(super) struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    pub(super) fn generate(algorithm: TokenAlgorithm) -> Result<Self, TokenKeyError> {
        let pair = EcdsaKeyPair::generate(algorithm.signing());
        pair.map(Self).map_err(|_| TokenKeyError::Provider)
    }

    pub(super) fn from_pkcs8(
        algorithm: TokenAlgorithm,
        pkcs8: &[u8],
    ) -> Result<Self, TokenKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm.signing(), pkcs8);
        pair.map(Self).map_err(|_| TokenKeyError::Malformed)
    }

    pub(super) fn to_pkcs8(&self) -> Result<impl AsRef<[u8]>, TokenKeyError> {
        self.0.to_pkcs8v1().map_err(|_| TokenKeyError::Provider)
    }

    /// The uncompressed point.
    pub(super) fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// `r` ‖ `s`, big-endian, each of the curve's length.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, TokenError> {
        self.0.sign(&SystemRandom::new(), message).map_err(|_| TokenError::Provider)
    }
}

/// The public half, named by its thumbprint (RFC 7638).
pub(super) struct VerificationKey {
    pub(super) kid: String,
    pub(super) algorithm: TokenAlgorithm,
    /// With `use`, `alg` and `kid`, as it stands in the JWK Set.
    pub(super) jwk: Value,
    /// Uncompressed point: 4, x, y.
    pub(super) octets: Vec<u8>,
    key: ParsedPublicKey,
}

impl VerificationKey {
    /// From the uncompressed point.
    pub(super) fn new(algorithm: TokenAlgorithm, octets: Vec<u8>) -> Result<Self, TokenKeyError> {
        let key = ParsedPublicKey::new(algorithm.verification(), &octets)
            .map_err(|_| TokenKeyError::Malformed)?;
        let (x, y) = octets
            .strip_prefix(&[4])
            .and_then(|point| point.split_at_checked(algorithm.length()))
            .ok_or(TokenKeyError::Malformed)?;
        let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
        let crv = algorithm.curve();
        let canonical = Canonical::new(&[("crv", crv), ("kty", "EC"), ("x", &x), ("y", &y)]);
        let kid = BASE64URL_NOPAD.encode(&canonical.thumbprint);
        let mut jwk = canonical.jwk;
        if let Value::Object(members) = &mut jwk {
            for (name, value) in [("alg", algorithm.name()), ("kid", &kid), ("use", "sig")] {
                members.insert(name.to_owned(), Value::from(value));
            }
        }
        Ok(Self { kid, algorithm, jwk, octets, key })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        if signature.len() != 2 * self.algorithm.length() {
            return Err(TokenError::Signature);
        }
        self.key.verify_sig(message, signature).map_err(|_| TokenError::Signature)
    }
}
