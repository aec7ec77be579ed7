//! RSA recipient keys: OAEP with SHA-256 for hash and mask (RFC 7518, section 4.3; RFC 8017).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey, PublicKeyComponents,
};
use data_encoding::BASE64URL_NOPAD;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::jwk::{Canonical, Members};
use super::oaep;
use super::private_key::unsigned;
use super::recipient::{RecipientKeyError, WrapError};

/// `alg` of a JWE whose content key is encrypted to an RSA key.
pub(super) const ALGORITHM: &str = "RSA-OAEP-256";

/// How it is encrypted.
pub(super) const OAEP: &OaepAlgorithm = &OAEP_SHA256_MGF1SHA256;

/// Bits of the modulus: below is weak, above only wears the host out.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A validated public key.
pub(super) struct PublicKey {
    components: PublicKeyComponents<Vec<u8>>,
    key: OaepPublicEncryptingKey,
}

impl PublicKey {
    /// From `n` and `e`, big-endian without leading zeros (RFC 7518, section 6.3.1).
    pub(super) fn from_members(members: Members<'_>) -> Result<Self, RecipientKeyError> {
        Self::from_components(members.octets("n")?, members.octets("e")?)
    }

    fn from_components(n: Vec<u8>, e: Vec<u8>) -> Result<Self, RecipientKeyError> {
        let high = n.first().copied().unwrap_or_default();
        let low = n.last().copied().unwrap_or_default();
        if high == 0 || low % 2 == 0 {
            return Err(RecipientKeyError::Malformed("n"));
        }
        let zeros = usize::try_from(high.leading_zeros()).unwrap_or_default();
        if !BITS.contains(&n.len().saturating_mul(8).saturating_sub(zeros)) {
            return Err(RecipientKeyError::Weak("n"));
        }
        if e.first().is_none_or(|byte| *byte == 0) {
            return Err(RecipientKeyError::Malformed("e"));
        }
        let exponent = e
            .iter()
            .try_fold(0_u32, |sum, byte| sum.checked_mul(256)?.checked_add(u32::from(*byte)))
            .ok_or(RecipientKeyError::Weak("e"))?;
        if exponent < 65_537 || exponent % 2 == 0 {
            return Err(RecipientKeyError::Weak("e"));
        }
        let components = PublicKeyComponents { n, e };
        let key: PublicEncryptingKey =
            components.clone().try_into().map_err(|_| RecipientKeyError::Malformed("n"))?;
        let key =
            OaepPublicEncryptingKey::new(key).map_err(|_| RecipientKeyError::Malformed("n"))?;
        Ok(Self { components, key })
    }

    /// The public half of a private key.
    pub(super) fn of(private: &PrivateDecryptingKey) -> Result<Self, RecipientKeyError> {
        let spki: PublicKeyX509Der<'_> =
            private.public_key().as_der().map_err(|_| RecipientKeyError::Malformed("n"))?;
        let (_, spki) = SubjectPublicKeyInfo::from_der(spki.as_ref())
            .map_err(|_| RecipientKeyError::Malformed("n"))?;
        let Ok(ParsedKey::RSA(key)) = spki.parsed() else {
            return Err(RecipientKeyError::Unsupported("kty"));
        };
        Self::from_components(unsigned(key.modulus).to_vec(), unsigned(key.exponent).to_vec())
    }

    /// The key in its canonical spelling.
    pub(super) fn canonical(&self) -> Canonical {
        let n = BASE64URL_NOPAD.encode(&self.components.n);
        let e = BASE64URL_NOPAD.encode(&self.components.e);
        Canonical::new(&[("e", &e), ("kty", "RSA"), ("n", &n)])
    }

    /// Encrypts a content key; the result is as long as the modulus.
    pub(super) fn encrypt(
        &self,
        content_key: &[u8; 32],
        oaep: &'static OaepAlgorithm,
    ) -> Result<Vec<u8>, WrapError> {
        let mut encrypted = vec![0; self.key.ciphertext_size()];
        self.key
            .encrypt(oaep, content_key, &mut encrypted, None)
            .map_err(|_| WrapError::Provider)?;
        Ok(encrypted)
    }
}

/// Decrypts a content key: none where it does not decrypt to 32 bytes.
pub(super) fn decrypt(
    private: &PrivateDecryptingKey,
    encrypted: &[u8],
) -> Option<Zeroizing<[u8; 32]>> {
    let content_key = oaep::decrypt(private, OAEP, encrypted)?;
    <[u8; 32]>::try_from(content_key.expose()).ok().map(Zeroizing::new)
}
