//! The recipient key: a workload's key pair, to which a host wraps what it releases.

mod agreement;
mod jwe;
mod jwk;
mod rsa;
#[cfg(test)]
mod tests;
mod xwing;

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use crate::secret::Secret;
use agreement::{CURVE_P256, CURVE_P384, CURVE_P521, CURVE_X25519, Curve};
use jwe::{Compact, ContentKey, ENCRYPTION, Header};
use jwk::Canonical;

pub use jwe::WrapHeader;

/// Kinds of key.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum RecipientKind {
    /// EC P-256.
    P256,
    /// EC P-384.
    P384,
    /// EC P-521.
    P521,
    /// RSA of 2048 bits; slow to make, as the larger ones are.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
    /// X25519; small and fast.
    X25519,
    /// X25519 and ML-KEM-768 together, against those who record now and compute later.
    #[default]
    XWing,
}

impl RecipientKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::X25519,
        Self::XWing,
    ];
}

/// Why nothing was unwrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnwrapError {
    /// Altered, wrapped for another key, or under an invalid ephemeral key.
    #[error("the wrapped key does not open: it was altered or is not for this recipient key")]
    Failed,
    /// Not a compact JWE with the header that a host writes.
    #[error("the wrapped key is malformed")]
    Malformed,
    /// `alg` or `enc` is not the one for this key.
    #[error("the wrapped key uses an algorithm that does not belong to this recipient key")]
    Unsupported,
    /// It is of another key, version, tenant or challenge than was asked for.
    #[error("the wrapped key is not what was asked for")]
    WrongContext,
    /// `kid` names another recipient key.
    #[error("the wrapped key is for another recipient key")]
    WrongRecipient,
}

/// The provider could not make a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the cryptographic provider made no key")]
pub struct KeyGenerationError(());

/// What was wrapped, and what it says about itself.
#[derive(Debug)]
pub struct Unwrapped {
    /// The key material.
    pub secret: Secret,
    /// Its media type: `application/octet-stream`, `application/pkcs8`.
    pub media_type: String,
    /// The authenticated header.
    pub header: WrapHeader,
}

/// A key pair; the private half never leaves this value.
pub struct RecipientKey {
    canonical: Canonical,
    material: Material,
}

enum Material {
    Agreement(&'static Curve, PrivateKey),
    Rsa(PrivateDecryptingKey),
    XWing(Box<xwing::SecretKey>),
}

impl RecipientKey {
    /// A fresh key pair.
    ///
    /// # Errors
    /// [`KeyGenerationError`].
    pub fn generate(kind: RecipientKind) -> Result<Self, KeyGenerationError> {
        let made = match kind {
            RecipientKind::P256 => Self::on(&CURVE_P256),
            RecipientKind::P384 => Self::on(&CURVE_P384),
            RecipientKind::P521 => Self::on(&CURVE_P521),
            RecipientKind::X25519 => Self::on(&CURVE_X25519),
            RecipientKind::Rsa2048 => Self::rsa(KeySize::Rsa2048),
            RecipientKind::Rsa3072 => Self::rsa(KeySize::Rsa3072),
            RecipientKind::Rsa4096 => Self::rsa(KeySize::Rsa4096),
            RecipientKind::XWing => xwing::SecretKey::generate().map(|(key, canonical)| Self {
                canonical,
                material: Material::XWing(Box::new(key)),
            }),
        };
        made.ok_or(KeyGenerationError(()))
    }

    fn on(curve: &'static Curve) -> Option<Self> {
        let key = PrivateKey::generate(curve.algorithm).ok()?;
        let public = key.compute_public_key().ok()?;
        let canonical = agreement::canonical(curve, public.as_ref())?;
        Some(Self { canonical, material: Material::Agreement(curve, key) })
    }

    fn rsa(size: KeySize) -> Option<Self> {
        let key = PrivateDecryptingKey::generate(size).ok()?;
        Some(Self { canonical: rsa::canonical(&key)?, material: Material::Rsa(key) })
    }

    /// The public JWK, to be sent along with the evidence.
    #[must_use]
    pub fn jwk(&self) -> &Map<String, Value> {
        &self.canonical.jwk
    }

    /// SHA-256 thumbprint of the public key (RFC 7638), which the evidence binds.
    #[must_use]
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.canonical.thumbprint
    }

    /// Opens a compact JWE that was wrapped to this key. The caller compares the header with what it
    /// asked for.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn unwrap(&self, jwe: &str) -> Result<Unwrapped, UnwrapError> {
        let compact = Compact::parse(jwe)?;
        let header = compact.header()?;
        if header.enc != ENCRYPTION || header.alg != self.algorithm() {
            return Err(UnwrapError::Unsupported);
        }
        if header.kid != BASE64URL_NOPAD.encode(&self.canonical.thumbprint) {
            return Err(UnwrapError::WrongRecipient);
        }
        let key = self.content_key(&header, &compact.encrypted_key)?;
        let secret = compact.open(&key)?;
        Ok(Unwrapped { secret, media_type: header.cty, header: header.claviger })
    }

    fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Agreement(..) => agreement::ALGORITHM,
            Material::Rsa(_) => rsa::ALGORITHM,
            Material::XWing(_) => xwing::ALGORITHM,
        }
    }

    fn content_key(&self, header: &Header, encrypted: &[u8]) -> Result<ContentKey, UnwrapError> {
        let (apu, apv) = header.parties()?;
        match (&self.material, &header.epk) {
            (Material::Agreement(curve, ours), Some(epk)) if encrypted.is_empty() => {
                agreement::derive(&agreement::agree_jwk(curve, ours, epk)?, &apu, &apv)
            }
            (Material::Rsa(ours), None) => rsa::decrypt(ours, encrypted),
            (Material::XWing(ours), None) => {
                agreement::derive(ours.decapsulate(encrypted)?.as_slice(), &apu, &apv)
            }
            _ => Err(UnwrapError::Malformed),
        }
    }
}

impl std::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecipientKey({})", BASE64URL_NOPAD.encode(&self.canonical.thumbprint))
    }
}
