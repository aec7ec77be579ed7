//! What a sealed key can do: sign, decrypt, unwrap. Native, and named as in JOSE.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair as RsaKeyPair, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
};

use super::key::{Key, curve, failed, invalid, rejected, unsupported};
use super::wit::{Error, Kind};
use crate::secret::Secret;

/// RFC 7518 section 4.3.
pub(super) const RSA_OAEP_256: &str = "RSA-OAEP-256";

/// RSA-OAEP (SHA-256) of a 256-bit AES key, then AES key wrap with padding (RFC 5649) under it:
/// CKM_RSA_AES_KEY_WRAP of PKCS#11 3.0, as Azure Key Vault names it.
const RSA_AES_KEY_WRAP_256: &str = "RSA_AES_KEY_WRAP_256";

impl Key {
    /// Signs `message`. RFC 7518 section 3.1, RFC 8037 section 3.1.
    pub(super) fn sign(&self, algorithm: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        let der = self.material.expose();
        match (algorithm, self.kind) {
            ("ES256", Kind::EcP256) | ("ES384", Kind::EcP384) | ("ES512", Kind::EcP521) => {
                let pair = EcdsaKeyPair::from_pkcs8(curve(self.kind)?, der).map_err(rejected)?;
                let signature = pair.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            ("EdDSA", Kind::Ed25519) => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
            (name, Kind::Rsa(_)) => {
                let padding = rsa_signature(name).ok_or_else(|| not_with_this(name))?;
                let pair = RsaKeyPair::from_pkcs8(der).map_err(rejected)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            (name, _) => Err(not_with_this(name)),
        }
    }

    /// Decrypts what was encrypted to this key.
    pub(super) fn decrypt(&self, algorithm: &str, ciphertext: &[u8]) -> Result<Secret, Error> {
        if algorithm != RSA_OAEP_256 {
            return Err(not_with_this(algorithm));
        }
        let key = self.oaep()?;
        decrypt(&key, ciphertext)
    }

    /// Unwraps key material that was wrapped to this key.
    pub(super) fn unwrap(&self, algorithm: &str, wrapped: &[u8]) -> Result<Secret, Error> {
        match algorithm {
            RSA_OAEP_256 => self.decrypt(algorithm, wrapped),
            RSA_AES_KEY_WRAP_256 => {
                let key = self.oaep()?;
                let (kek, wrapped) =
                    wrapped.split_at_checked(key.key_size_bytes()).ok_or_else(not_wrapped)?;
                let kek = decrypt(&key, kek)?;
                let kek = AesKek::new(&AES_256, kek.expose()).map_err(|_| not_wrapped())?;
                let mut material = zeroize::Zeroizing::new(vec![0; wrapped.len()]);
                let length = kek
                    .unwrap_with_padding(wrapped, &mut material)
                    .map_err(|_| not_wrapped())?
                    .len();
                let mut material = std::mem::take(&mut *material);
                material.truncate(length);
                Ok(Secret::new(material))
            }
            name => Err(not_with_this(name)),
        }
    }

    fn oaep(&self) -> Result<OaepPrivateDecryptingKey, Error> {
        let Kind::Rsa(_) = self.kind else {
            return Err(unsupported("only an RSA key decrypts"));
        };
        let key = PrivateDecryptingKey::from_pkcs8(self.material.expose()).map_err(rejected)?;
        OaepPrivateDecryptingKey::new(key).map_err(failed)
    }
}

fn decrypt(key: &OaepPrivateDecryptingKey, ciphertext: &[u8]) -> Result<Secret, Error> {
    let mut plaintext = zeroize::Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key
        .decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut plaintext, None)
        .map_err(|_| not_wrapped())?
        .len();
    let mut plaintext = std::mem::take(&mut *plaintext);
    plaintext.truncate(length);
    Ok(Secret::new(plaintext))
}

fn rsa_signature(name: &str) -> Option<&'static dyn RsaEncoding> {
    match name {
        "PS256" => Some(&RSA_PSS_SHA256),
        "PS384" => Some(&RSA_PSS_SHA384),
        "PS512" => Some(&RSA_PSS_SHA512),
        "RS256" => Some(&RSA_PKCS1_SHA256),
        "RS384" => Some(&RSA_PKCS1_SHA384),
        "RS512" => Some(&RSA_PKCS1_SHA512),
        _ => None,
    }
}

/// One answer for all that can be wrong with a ciphertext, so that it tells nothing about the key.
fn not_wrapped() -> Error {
    invalid("what was given is not encrypted to this key")
}

fn not_with_this(algorithm: &str) -> Error {
    // The plugin's own word goes back to it; it is cut so that it cannot fill anything.
    let algorithm: String = algorithm.chars().take(64).collect();
    Error::Unsupported(format!("{algorithm} is not for a key of this kind"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
    use aws_lc_rs::signature::{self, KeyPair, UnparsedPublicKey};

    fn generate(kind: Kind) -> Key {
        Key::generate(kind, &SystemRandomness::default()).unwrap()
    }

    #[test]
    fn a_signature_verifies_under_the_public_key_and_no_other_message() {
        let ec = |kind| {
            let key = generate(kind);
            let pair = EcdsaKeyPair::from_pkcs8(curve(kind).unwrap(), key.material.expose());
            (key, pair.unwrap().public_key().as_ref().to_vec())
        };
        let rsa = generate(Kind::Rsa(2048));
        let pair = RsaKeyPair::from_pkcs8(rsa.material.expose()).unwrap();
        let rsa = (rsa, pair.public_key().as_ref().to_vec());
        let ed = generate(Kind::Ed25519);
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(ed.material.expose()).unwrap();
        let ed = (ed, pair.public_key().as_ref().to_vec());
        type Case<'a> = (&'a str, &'a dyn signature::VerificationAlgorithm, (Key, Vec<u8>));
        let cases: [Case<'_>; 8] = [
            ("ES256", &signature::ECDSA_P256_SHA256_FIXED, ec(Kind::EcP256)),
            ("ES384", &signature::ECDSA_P384_SHA384_FIXED, ec(Kind::EcP384)),
            ("ES512", &signature::ECDSA_P521_SHA512_FIXED, ec(Kind::EcP521)),
            ("EdDSA", &signature::ED25519, ed),
            ("RS256", &signature::RSA_PKCS1_2048_8192_SHA256, rsa.clone()),
            ("PS256", &signature::RSA_PSS_2048_8192_SHA256, rsa.clone()),
            ("RS512", &signature::RSA_PKCS1_2048_8192_SHA512, rsa.clone()),
            ("PS384", &signature::RSA_PSS_2048_8192_SHA384, rsa),
        ];
        for (name, algorithm, (key, public)) in cases {
            let signature = key.sign(name, b"message").unwrap();
            let public = UnparsedPublicKey::new(algorithm, public);
            assert!(public.verify(b"message", &signature).is_ok(), "{name}");
            assert!(public.verify(b"massage", &signature).is_err(), "{name}");
        }
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
        assert!(key.unwrap(RSA_AES_KEY_WRAP_256, &long).unwrap().matches(&material));

        for (name, good) in [(RSA_OAEP_256, wrapped), (RSA_AES_KEY_WRAP_256, long)] {
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
