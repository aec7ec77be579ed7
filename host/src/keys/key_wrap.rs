//! RSA AES key wrap (PKCS#11 3.1, section 6.1.22, `CKM_RSA_AES_KEY_WRAP`): a fresh AES-256 key,
//! encrypted with RSA-OAEP to the recipient, and behind it the key material under that AES key, wrapped
//! with padding (RFC 5649). It is the form in which Azure Key Vault and Managed HSM release keys.
//!
//! Unlike a JWE it authenticates nothing beside the material: what it is, whose it is and what it was
//! released for stand in the signed answer that carries it.

use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OaepAlgorithm,
};
use zeroize::Zeroizing;

use super::oaep::OaepKey;
use super::private_key::PrivateKeyError;
use super::recipient::{RecipientKey, WrapError};
use crate::secret::Secret;

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

impl OaepKey {
    /// Unwraps what was wrapped to this key. The AES key inside has 256 bits, or 128.
    ///
    /// # Errors
    /// [`PrivateKeyError::Closed`], whatever is wrong.
    pub fn rsa_aes_unwrap(
        &self,
        wrapped: &[u8],
        wrap: RsaAesKeyWrap,
    ) -> Result<Secret, PrivateKeyError> {
        let closed = || PrivateKeyError::Closed;
        let (encrypted, wrapped) = wrapped.split_at_checked(self.size()).ok_or_else(closed)?;
        let key = self.decrypt(wrap.oaep(), encrypted)?;
        let cipher = if key.len() == 16 { &AES_128 } else { &AES_256 };
        let kek = AesKek::new(cipher, key.expose()).map_err(|_| closed())?;
        let mut buffer = Zeroizing::new(vec![0; wrapped.len()]);
        let length = kek.unwrap_with_padding(wrapped, &mut buffer).map_err(|_| closed())?.len();
        let mut material = std::mem::take(&mut *buffer);
        material.truncate(length);
        Ok(Secret::new(material))
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
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};

    use super::*;
    use crate::keys::{RecipientKind, RecipientPrivateKey};

    const WRAPS: [RsaAesKeyWrap; 3] =
        [RsaAesKeyWrap::Sha1, RsaAesKeyWrap::Sha256, RsaAesKeyWrap::Sha384];

    fn recipient() -> (OaepKey, RecipientKey) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let jwk = crate::keys::rsa::PublicKey::of(&private).unwrap().canonical().jwk;
        let private = OaepKey::from_pkcs8(private.as_der().unwrap().as_ref()).unwrap();
        (private, RecipientKey::from_jwk(&jwk).unwrap())
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
                    let came = private.rsa_aes_unwrap(&wrapped, other).ok();
                    let came = came.map(|secret| secret.expose().to_vec());
                    assert_eq!(came, (other == wrap).then(|| plaintext.clone()), "{wrap:?}");
                }
            }
        }
    }

    #[test]
    fn an_altered_or_cut_wrap_does_not_open_and_says_no_more() {
        let (private, recipient) = recipient();
        for wrap in WRAPS {
            let good = recipient.rsa_aes_wrap(&[7; 121], wrap).unwrap();
            for at in [0, 1, 255, 256, 263, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                let refused = private.rsa_aes_unwrap(&bad, wrap).unwrap_err();
                assert_eq!(refused, PrivateKeyError::Closed, "{wrap:?} {at}");
            }
            for length in [0, 1, 255, 256, 264, good.len() - 8, good.len() - 1] {
                let refused = private.rsa_aes_unwrap(&good[..length], wrap).unwrap_err();
                assert_eq!(refused, PrivateKeyError::Closed, "{wrap:?} {length}");
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
