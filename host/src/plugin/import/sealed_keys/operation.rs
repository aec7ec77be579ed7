//! What a sealed key can do: sign, decrypt, unwrap. Native, and named as in JOSE.

use super::key::{Key, private};
use super::wit::{Error, Kind};
use crate::keys::{OaepKey, PrivateKeyError, RsaAesKeyWrap, Signable, oaep_of};
use crate::secret::Secret;

/// RFC 7518 section 4.3.
pub(super) const RSA_OAEP_256: &str = "RSA-OAEP-256";

impl Key {
    /// Signs `message`. RFC 7518 section 3.1, RFC 8037 section 3.1.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let kind = private(self.kind).ok_or_else(|| not_with_this(algorithm))?;
        Ok(kind.sign(self.material.expose(), algorithm, Signable::Message(message))?)
    }

    /// Decrypts what was encrypted to this key.
    pub(super) fn decrypt(&self, algorithm: &str, ciphertext: &[u8]) -> Result<Secret, Error> {
        let oaep = oaep_of(algorithm).filter(|_| algorithm == RSA_OAEP_256);
        let oaep = oaep.ok_or_else(|| not_with_this(algorithm))?;
        Ok(self.rsa(algorithm)?.decrypt(oaep, ciphertext)?)
    }

    /// Unwraps key material that was wrapped to this key.
    pub(super) fn unwrap(&self, algorithm: &str, wrapped: &[u8]) -> Result<Secret, Error> {
        match algorithm {
            RSA_OAEP_256 => self.decrypt(algorithm, wrapped),
            name => {
                let wrap = RsaAesKeyWrap::of(name).filter(|wrap| *wrap == RsaAesKeyWrap::Sha256);
                let wrap = wrap.ok_or_else(|| not_with_this(name))?;
                Ok(self.rsa(name)?.rsa_aes_unwrap(wrapped, wrap)?)
            }
        }
    }

    fn rsa(&self, algorithm: &str) -> Result<OaepKey, Error> {
        match self.kind {
            Kind::Rsa(_) => Ok(OaepKey::from_pkcs8(self.material.expose())?),
            _ => Err(not_with_this(algorithm)),
        }
    }
}

fn not_with_this(algorithm: &str) -> Error {
    PrivateKeyError::algorithm(algorithm).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
    use aws_lc_rs::rsa::{
        OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
    };

    const WRAP: &str = "RSA_AES_KEY_WRAP_256";

    fn generate(kind: Kind) -> Key {
        Key::generate(kind, &SystemRandomness::default()).unwrap()
    }

    #[test]
    fn an_algorithm_of_another_kind_is_unsupported() {
        let key = generate(Kind::EcP256);
        for name in ["ES384", "RS256", "EdDSA", "none", "", "HS256", "es256"] {
            assert!(matches!(key.sign(name, b""), Err(Error::Unsupported(_))), "{name}");
            assert!(matches!(key.unwrap(name, b""), Err(Error::Unsupported(_))), "{name}");
        }
        assert!(matches!(key.unwrap(RSA_OAEP_256, b""), Err(Error::Unsupported(_))));
    }

    #[test]
    fn wrapped_material_is_unwrapped_and_an_altered_one_is_not() {
        let key = generate(Kind::Rsa(2048));
        let private = PrivateDecryptingKey::from_pkcs8(key.material.expose()).unwrap();
        let public = private.public_key().as_der().unwrap();
        let public = PublicEncryptingKey::from_der(public.as_ref()).unwrap();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        let encrypt = |plaintext: &[u8]| {
            let mut out = vec![0; public.ciphertext_size()];
            public.encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut out, None).unwrap();
            out
        };
        let wrapped = encrypt(b"a key");
        assert!(key.unwrap(RSA_OAEP_256, &wrapped).unwrap().matches(b"a key"));

        let material = [7; 121];
        let mut padded = vec![0; 144];
        let kek = AesKek::new(&AES_256, &[3; 32]).unwrap();
        let padded = kek.wrap_with_padding(&material, &mut padded).unwrap();
        let long = [encrypt(&[3; 32]), padded.to_vec()].concat();
        assert!(key.unwrap(WRAP, &long).unwrap().matches(&material));

        for (name, good) in [(RSA_OAEP_256, wrapped), (WRAP, long)] {
            for at in [0, 1, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                assert!(matches!(key.unwrap(name, &bad), Err(Error::Invalid(_))), "{name} {at}");
            }
            for length in [0, 1, 255, good.len() - 1] {
                assert!(matches!(key.unwrap(name, &good[..length]), Err(Error::Invalid(_))));
            }
        }
    }
}
