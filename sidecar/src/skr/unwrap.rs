//! `CKM_RSA_AES_KEY_WRAP` (PKCS#11 3.0, section 2.1.21) as Key Vault uses it: an AES-256 key under
//! RSA-OAEP, then the key material under AES key wrap with padding (RFC 5649).

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OaepAlgorithm,
    OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use claviger_client::Secret;
use zeroize::Zeroizing;

/// Why nothing was unwrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum UnwrapError {
    #[error("the key does not open: it was altered or is not for this recipient")]
    Failed,
    #[error("the key is wrapped by an algorithm that is not known")]
    Unsupported,
}

/// The hash that goes with the name of an algorithm.
fn algorithm(enc: &str) -> Option<&'static OaepAlgorithm> {
    match enc {
        "CKM_RSA_AES_KEY_WRAP" => Some(&OAEP_SHA1_MGF1SHA1),
        "RSA_AES_KEY_WRAP_256" => Some(&OAEP_SHA256_MGF1SHA256),
        "RSA_AES_KEY_WRAP_384" => Some(&OAEP_SHA384_MGF1SHA384),
        _ => None,
    }
}

/// Opens what was wrapped to the key.
pub(super) fn unwrap(
    key: &PrivateDecryptingKey,
    enc: &str,
    ciphertext: &[u8],
) -> Result<Secret, UnwrapError> {
    let algorithm = algorithm(enc).ok_or(UnwrapError::Unsupported)?;
    let (wrapped_key, material) =
        ciphertext.split_at_checked(key.key_size_bytes()).ok_or(UnwrapError::Failed)?;
    let kek = decrypt(key, algorithm, wrapped_key)?;
    let kek = AesKek::new(&AES_256, kek.expose()).map_err(|_| UnwrapError::Failed)?;
    let mut buffer = Zeroizing::new(vec![0; material.len()]);
    let opened = kek
        .unwrap_with_padding(material, buffer.as_mut_slice())
        .map_err(|_| UnwrapError::Failed)?;
    Ok(Secret::new(opened.to_vec()))
}

/// RSA-OAEP alone.
pub(super) fn decrypt(
    key: &PrivateDecryptingKey,
    algorithm: &'static OaepAlgorithm,
    ciphertext: &[u8],
) -> Result<Secret, UnwrapError> {
    let key = OaepPrivateDecryptingKey::new(key.clone()).map_err(|_| UnwrapError::Failed)?;
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let opened = key.decrypt(algorithm, ciphertext, &mut buffer, None);
    opened.map(|opened| Secret::new(opened.to_vec())).map_err(|_| UnwrapError::Failed)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{KeySize, OaepPublicEncryptingKey};

    use super::*;

    fn wrap(key: &PrivateDecryptingKey, enc: &str, material: &[u8]) -> Vec<u8> {
        let public = OaepPublicEncryptingKey::new(key.public_key()).unwrap();
        let mut wrapped = vec![0; public.ciphertext_size()];
        public.encrypt(algorithm(enc).unwrap(), &[5; 32], &mut wrapped, None).unwrap();
        let mut buffer = vec![0; material.len() + 16];
        let kek = AesKek::new(&AES_256, &[5; 32]).unwrap();
        wrapped.extend_from_slice(kek.wrap_with_padding(material, &mut buffer).unwrap());
        wrapped
    }

    #[test]
    fn each_algorithm_opens_its_own_and_no_other() {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let names = ["CKM_RSA_AES_KEY_WRAP", "RSA_AES_KEY_WRAP_256", "RSA_AES_KEY_WRAP_384"];
        for enc in names {
            let wrapped = wrap(&key, enc, b"seventeen bytes !");
            assert_eq!(unwrap(&key, enc, &wrapped).unwrap().expose(), b"seventeen bytes !");
            for other in names.iter().filter(|other| **other != enc) {
                assert_eq!(unwrap(&key, other, &wrapped).err(), Some(UnwrapError::Failed));
            }
            for at in [0, 255, 256, wrapped.len() - 1] {
                let mut altered = wrapped.clone();
                altered[at] ^= 1;
                assert_eq!(unwrap(&key, enc, &altered).err(), Some(UnwrapError::Failed));
            }
            assert_eq!(unwrap(&key, enc, &wrapped[..256]).err(), Some(UnwrapError::Failed));
            assert_eq!(unwrap(&key, enc, &wrapped[..9]).err(), Some(UnwrapError::Failed));
        }
        assert_eq!(unwrap(&key, "dir", &[0; 300]).err(), Some(UnwrapError::Unsupported));
    }
}
