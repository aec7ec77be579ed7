//! RSA-OAEP (RFC 8017, section 7.1) by its names in JOSE (RFC 7518, section 4.3).

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::private_key::PrivateKeyError;
use crate::secret::Secret;

/// An RSA private key that decrypts.
pub struct OaepKey(PrivateDecryptingKey);

/// The hash of `name`; none: it is not OAEP.
pub(crate) fn of(name: &str) -> Option<&'static OaepAlgorithm> {
    match name {
        "RSA-OAEP" => Some(&OAEP_SHA1_MGF1SHA1),
        "RSA-OAEP-256" => Some(&OAEP_SHA256_MGF1SHA256),
        _ => None,
    }
}

impl OaepKey {
    pub(super) fn new(private: PrivateDecryptingKey) -> Self {
        Self(private)
    }

    /// From PKCS#8.
    ///
    /// # Errors
    /// [`PrivateKeyError::Rejected`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        Ok(Self(PrivateDecryptingKey::from_pkcs8(der)?))
    }

    /// Bytes of the modulus, as many as a ciphertext has.
    pub(super) fn size(&self) -> usize {
        self.0.key_size_bytes()
    }

    /// Encrypts to the public part.
    pub(crate) fn encrypt(
        &self,
        oaep: &'static OaepAlgorithm,
        plain: &[u8],
    ) -> Result<Vec<u8>, PrivateKeyError> {
        let public = OaepPublicEncryptingKey::new(self.0.public_key())
            .map_err(|_| PrivateKeyError::Provider)?;
        let mut value = vec![0; public.ciphertext_size()];
        public
            .encrypt(oaep, plain, &mut value, None)
            .map_err(|_| PrivateKeyError::Length("the plaintext"))?;
        Ok(value)
    }

    /// Decrypts.
    pub(crate) fn decrypt(
        &self,
        oaep: &'static OaepAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Secret, PrivateKeyError> {
        decrypt(&self.0, oaep, ciphertext).ok_or(PrivateKeyError::Closed)
    }
}

/// Decrypts; none: it does not open, for whatever reason.
pub(super) fn decrypt(
    private: &PrivateDecryptingKey,
    oaep: &'static OaepAlgorithm,
    ciphertext: &[u8],
) -> Option<Secret> {
    let key = OaepPrivateDecryptingKey::new(private.clone()).ok()?;
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key.decrypt(oaep, ciphertext, &mut buffer, None).ok()?.len();
    let mut plain = std::mem::take(&mut *buffer);
    plain.truncate(length);
    Some(Secret::new(plain))
}
