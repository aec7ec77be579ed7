//! Private keys as connectors and vaults hold them: PKCS#8 in DER (RFC 5208). Their kinds, and their
//! public parts.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

/// The longest name of an algorithm that an error repeats, in characters.
const NAMED: usize = 64;

/// Kinds of private keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PrivateKind {
    /// EC P-256.
    EcP256,
    /// EC P-384.
    EcP384,
    /// EC P-521.
    EcP521,
    /// Ed25519.
    Ed25519,
    /// RSA, of whatever size.
    Rsa,
}

/// Why a key did not do as asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrivateKeyError {
    /// The algorithm is none of such a key.
    #[error("{0:?} is no algorithm of this key")]
    Algorithm(String),
    /// One answer for all that can be wrong with a ciphertext, so that it tells nothing about the key.
    #[error("what was given does not open with this key")]
    Closed,
    /// What was given has a length that the algorithm does not take.
    #[error("{0} has a length that the algorithm does not take")]
    Length(&'static str),
    /// Ours to mend: randomness, or memory.
    #[error("the cryptographic provider failed")]
    Provider,
    /// The material is not a key of its kind.
    #[error("not such a private key: {0}")]
    Rejected(String),
}

impl PrivateKeyError {
    /// The name is cut, so that it cannot fill anything.
    pub(crate) fn algorithm(name: &str) -> Self {
        Self::Algorithm(name.chars().take(NAMED).collect())
    }
}

impl From<KeyRejected> for PrivateKeyError {
    fn from(error: KeyRejected) -> Self {
        Self::Rejected(error.to_string())
    }
}

impl PrivateKind {
    /// By the name of a kind of keys: `rsa-3072`, `ec-p256`, `ed25519`; none: it is symmetric, or unknown.
    #[must_use]
    pub fn of(kind: &str) -> Option<Self> {
        match kind {
            "ec-p256" => Some(Self::EcP256),
            "ec-p384" => Some(Self::EcP384),
            "ec-p521" => Some(Self::EcP521),
            "ed25519" => Some(Self::Ed25519),
            _ => kind.starts_with("rsa-").then_some(Self::Rsa),
        }
    }

    /// How keys of this kind are read and sign, where it is one of EC keys.
    #[must_use]
    pub fn curve(self) -> Option<&'static EcdsaSigningAlgorithm> {
        match self {
            Self::EcP256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::EcP384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Self::EcP521 => Some(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Self::Ed25519 | Self::Rsa => None,
        }
    }

    /// The public part of a key as a JWK (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
    ///
    /// # Errors
    /// [`PrivateKeyError::Rejected`].
    pub fn public_jwk(self, der: &[u8]) -> Result<Value, PrivateKeyError> {
        match self {
            Self::EcP256 => point(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", der),
            Self::EcP384 => point(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", der),
            Self::EcP521 => point(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", der),
            Self::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)?;
                Ok(json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}))
            }
            Self::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(der)?;
                let (_, public) = RSAPublicKey::from_der(pair.public_key().as_ref())
                    .map_err(|_| PrivateKeyError::Provider)?;
                let (n, e) = (unsigned(public.modulus), unsigned(public.exponent));
                Ok(json!({"kty": "RSA", "n": text(n), "e": text(e)}))
            }
        }
    }

    /// The name of the kind that material is of, in a family: `rsa`, `ec`, `oct`.
    #[must_use]
    pub fn name_of(family: &str, material: &[u8]) -> Option<String> {
        match family {
            "ec" => ["ec-p256", "ec-p384", "ec-p521"].into_iter().find_map(|name| {
                let curve = Self::of(name)?.curve()?;
                EcdsaKeyPair::from_pkcs8(curve, material).ok().map(|_| name.to_owned())
            }),
            "oct" => Some(format!("oct-{}", material.len().checked_mul(8)?)),
            "rsa" => {
                let pair = RsaKeyPair::from_pkcs8(material).ok()?;
                Some(format!("rsa-{}", pair.public_modulus_len().checked_mul(8)?))
            }
            _ => None,
        }
    }
}

/// An EC public key; the provider gives the uncompressed point of SEC 1, section 2.3.3.
fn point(
    curve: &'static EcdsaSigningAlgorithm,
    name: &str,
    der: &[u8],
) -> Result<Value, PrivateKeyError> {
    let pair = EcdsaKeyPair::from_pkcs8(curve, der)?;
    let [4, point @ ..] = pair.public_key().as_ref() else {
        return Err(PrivateKeyError::Provider);
    };
    let (x, y) = point.split_at(point.len() / 2);
    Ok(json!({"kty": "EC", "crv": name, "x": text(x), "y": text(y)}))
}

/// A DER INTEGER that is not negative, without the byte that keeps its sign (RFC 7518, section 2,
/// Base64urlUInt).
pub(super) fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => integer,
    }
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;

    use super::*;

    #[test]
    fn the_kind_of_material_is_found_in_its_family_only() {
        let rsa = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
        let rsa = rsa.as_der().unwrap().as_ref().to_vec();
        let ec = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let ec = ec.to_pkcs8v1().unwrap().as_ref().to_vec();
        let name = |family, material: &[u8]| PrivateKind::name_of(family, material);
        assert_eq!(name("rsa", &rsa).as_deref(), Some("rsa-3072"));
        assert_eq!(name("ec", &ec).as_deref(), Some("ec-p384"));
        assert_eq!(name("oct", &[7; 24]).as_deref(), Some("oct-192"));
        for (family, material) in [("rsa", &ec), ("ec", &rsa), ("okp", &ec), ("", &rsa)] {
            assert_eq!(name(family, material), None, "{family}");
        }
    }
}
