//! RSA AES key wrap (PKCS#11 3.1, section 6.1.22, `CKM_RSA_AES_KEY_WRAP`): a fresh AES-256 key,
//! encrypted with RSA-OAEP to the recipient, and behind it the key material under that AES key, wrapped
//! with padding (RFC 5649). It is the form in which Azure Key Vault and Managed HSM release keys.
//!
//! Unlike a JWE it authenticates nothing beside the material: what it is, whose it is and what it was
//! released for stand in the signed answer that carries it.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OaepAlgorithm,
};
use zeroize::Zeroizing;

use super::recipient::{RecipientKey, WrapError};

/// AES key wrap works on blocks of so many bytes, and adds one.
const BLOCK: usize = 8;

/// The hash of OAEP and of its mask, by the names that Azure Key Vault gives to the wraps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RsaAesKeyWrap {
    /// `CKM_RSA_AES_KEY_WRAP`: SHA-1. OAEP does not rest on the collision resistance of its hash.
    #[default]
    Sha1,
    /// `RSA_AES_KEY_WRAP_256`: SHA-256.
    Sha256,
    /// `RSA_AES_KEY_WRAP_384`: SHA-384.
    Sha384,
}

impl RsaAesKeyWrap {
    /// By its name; none: there is no such wrap.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384].into_iter().find(|wrap| wrap.name() == name)
    }

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "CKM_RSA_AES_KEY_WRAP",
            Self::Sha256 => "RSA_AES_KEY_WRAP_256",
            Self::Sha384 => "RSA_AES_KEY_WRAP_384",
        }
    }

    pub(super) fn oaep(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
        }
    }
}

impl RecipientKey {
    /// Wraps `plaintext` for an RSA recipient: as many octets as the modulus has, and the wrapped
    /// material.
    ///
    /// # Errors
    /// [`WrapError::NotRsa`] for other recipients.
    pub fn rsa_aes_wrap(
        &self,
        plaintext: &[u8],
        wrap: RsaAesKeyWrap,
    ) -> Result<Vec<u8>, WrapError> {
        let recipient = self.rsa().ok_or(WrapError::NotRsa)?;
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| WrapError::Provider)?;
        let mut wrapped = recipient.encrypt(&key, wrap.oaep())?;
        let kek = AesKek::new(&AES_256, key.as_ref()).map_err(|_| WrapError::Provider)?;
        let room = plaintext.len().next_multiple_of(BLOCK).saturating_add(BLOCK);
        let mut buffer = vec![0; room];
        let material =
            kek.wrap_with_padding(plaintext, &mut buffer).map_err(|_| WrapError::Provider)?;
        wrapped.extend_from_slice(material);
        Ok(wrapped)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;
    use crate::keys::{RecipientKind, RecipientPrivateKey};

    const WRAPS: [RsaAesKeyWrap; 3] =
        [RsaAesKeyWrap::Sha1, RsaAesKeyWrap::Sha256, RsaAesKeyWrap::Sha384];

    fn recipient() -> (PrivateDecryptingKey, RecipientKey) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let jwk = crate::keys::rsa::PublicKey::of(&private).unwrap().canonical().jwk;
        (private, RecipientKey::from_jwk(&jwk).unwrap())
    }

    /// As a client unwraps it (Azure's confidential sidecar, `pkg/skr`).
    fn unwrap(
        private: &PrivateDecryptingKey,
        oaep: &'static OaepAlgorithm,
        wrapped: &[u8],
    ) -> Option<Vec<u8>> {
        let (encrypted, material) = wrapped.split_at(256);
        let private = OaepPrivateDecryptingKey::new(private.clone()).unwrap();
        let mut buffer = vec![0; private.min_output_size()];
        let key = private.decrypt(oaep, encrypted, &mut buffer, None).ok()?;
        let kek = AesKek::new(&AES_256, key).unwrap();
        let mut buffer = vec![0; material.len()];
        kek.unwrap_with_padding(material, &mut buffer).ok().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn what_is_wrapped_comes_out_with_the_same_hash_and_no_other() {
        let (private, recipient) = recipient();
        for wrap in WRAPS {
            for length in [1, 7, 8, 16, 32, 33, 1216] {
                let plaintext = vec![0x5a; length];
                let wrapped = recipient.rsa_aes_wrap(&plaintext, wrap).unwrap();
                assert_eq!(wrapped.len(), 256 + length.next_multiple_of(8) + 8);
                for other in WRAPS {
                    let came = unwrap(&private, other.oaep(), &wrapped);
                    assert_eq!(came, (other == wrap).then(|| plaintext.clone()), "{wrap:?}");
                }
            }
        }
    }

    #[test]
    fn every_wrap_has_a_fresh_key() {
        let (_, recipient) = recipient();
        let wrap = || recipient.rsa_aes_wrap(&[1; 32], RsaAesKeyWrap::Sha1).unwrap();
        let (one, other) = (wrap(), wrap());
        assert_ne!(one[..256], other[..256]);
        assert_ne!(one[256..], other[256..]);
    }

    #[test]
    fn a_recipient_that_is_not_rsa_and_material_of_no_length_are_refused() {
        let p256 = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
        let p256 = RecipientKey::from_jwk(p256.jwk()).unwrap();
        let refused = p256.rsa_aes_wrap(&[1; 32], RsaAesKeyWrap::Sha1);
        assert_eq!(refused.unwrap_err(), WrapError::NotRsa);
        let (_, rsa) = recipient();
        assert!(rsa.rsa_aes_wrap(&[], RsaAesKeyWrap::Sha1).is_err());
    }

    #[test]
    fn a_wrap_has_one_name() {
        for wrap in WRAPS {
            assert_eq!(RsaAesKeyWrap::of(wrap.name()), Some(wrap));
        }
        assert_eq!(RsaAesKeyWrap::of("RSA_AES_KEY_WRAP_512"), None);
        assert_eq!(RsaAesKeyWrap::of("ckm_rsa_aes_key_wrap"), None);
    }
}
