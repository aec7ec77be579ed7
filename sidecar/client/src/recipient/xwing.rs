//! X-Wing, the hybrid of ML-KEM-768 and X25519 (draft-connolly-cfrg-xwing-kem-08), in the profile that
//! the host's `keys/xwing.rs` lays down.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::digest::{Context, SHA3_256};
use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::UnwrapError;
use super::agreement::{CURVE_X25519, agree};
use super::jwk::Canonical;

/// `alg` of the JWK and of the JWE.
pub(super) const ALGORITHM: &str = "X-Wing";

/// Bytes of an ML-KEM-768 ciphertext.
const ML_KEM_CIPHERTEXT: usize = 1088;

/// The draft's label, `\.//^\`.
const LABEL: &[u8; 6] = br"\.//^\";

/// A private key with its X25519 public half.
pub(super) struct SecretKey {
    ml_kem: DecapsulationKey,
    x25519: PrivateKey,
    x25519_public: Vec<u8>,
}

impl SecretKey {
    /// A fresh key and its public half.
    pub(super) fn generate() -> Option<(Self, Canonical)> {
        let ml_kem = DecapsulationKey::generate(&ML_KEM_768).ok()?;
        let x25519 = PrivateKey::generate(CURVE_X25519.algorithm).ok()?;
        let public = ml_kem.encapsulation_key().and_then(|key| key.key_bytes()).ok()?;
        let x25519_public = x25519.compute_public_key().ok()?.as_ref().to_vec();
        let octets = BASE64URL_NOPAD.encode(&[public.as_ref(), &x25519_public].concat());
        let canonical = Canonical::new(&[("alg", ALGORITHM), ("kty", "AKP"), ("pub", &octets)]);
        Some((Self { ml_kem, x25519, x25519_public }, canonical))
    }

    /// The shared secret of an encapsulation: 1088 bytes of ML-KEM, 32 of X25519. One made for another
    /// key gives another secret, and with it nothing can be opened.
    pub(super) fn decapsulate(
        &self,
        encapsulation: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, UnwrapError> {
        let (ciphertext, ephemeral) = encapsulation
            .split_at_checked(ML_KEM_CIPHERTEXT)
            .filter(|(_, ephemeral)| ephemeral.len() == 32)
            .ok_or(UnwrapError::Malformed)?;
        let x25519 = agree(&CURVE_X25519, &self.x25519, ephemeral)?;
        let ml_kem = self.ml_kem.decapsulate(ciphertext.into()).map_err(|_| UnwrapError::Failed)?;
        let mut hash = Context::new(&SHA3_256);
        for part in [ml_kem.as_ref(), &x25519, ephemeral, &self.x25519_public, LABEL] {
            hash.update(part);
        }
        let mut shared = Zeroizing::new([0; 32]);
        for (to, from) in shared.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        Ok(shared)
    }
}
