//! Signatures with private keys, by their names in JOSE (RFC 7518, section 3.1; RFC 8037, section 3.1).
//! Those of ECDSA are r then s.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    self as s, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::private_key::{PrivateKeyError, PrivateKind};

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub enum Signable<'a> {
    /// The digest of a message, by the algorithm's own hash. `EdDSA` has none.
    Digest(&'a [u8]),
    /// A message.
    Message(&'a [u8]),
}

enum Scheme {
    /// The kind of key, the hash, and how it verifies.
    Ecdsa(PrivateKind, &'static digest::Algorithm, &'static dyn VerificationAlgorithm),
    Ed25519,
    Rsa(&'static dyn RsaEncoding, &'static digest::Algorithm, &'static dyn VerificationAlgorithm),
}

impl Scheme {
    fn of(algorithm: &str) -> Option<Self> {
        let (sha256, sha384, sha512) = (&digest::SHA256, &digest::SHA384, &digest::SHA512);
        Some(match algorithm {
            "ES256" => Self::Ecdsa(PrivateKind::EcP256, sha256, &s::ECDSA_P256_SHA256_FIXED),
            "ES384" => Self::Ecdsa(PrivateKind::EcP384, sha384, &s::ECDSA_P384_SHA384_FIXED),
            "ES512" => Self::Ecdsa(PrivateKind::EcP521, sha512, &s::ECDSA_P521_SHA512_FIXED),
            "EdDSA" => Self::Ed25519,
            "PS256" => Self::Rsa(&s::RSA_PSS_SHA256, sha256, &s::RSA_PSS_2048_8192_SHA256),
            "PS384" => Self::Rsa(&s::RSA_PSS_SHA384, sha384, &s::RSA_PSS_2048_8192_SHA384),
            "PS512" => Self::Rsa(&s::RSA_PSS_SHA512, sha512, &s::RSA_PSS_2048_8192_SHA512),
            "RS256" => Self::Rsa(&s::RSA_PKCS1_SHA256, sha256, &s::RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Self::Rsa(&s::RSA_PKCS1_SHA384, sha384, &s::RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Self::Rsa(&s::RSA_PKCS1_SHA512, sha512, &s::RSA_PKCS1_2048_8192_SHA512),
            _ => return None,
        })
    }

    /// Where it is one of such keys.
    fn of_key(algorithm: &str, kind: PrivateKind) -> Result<Self, PrivateKeyError> {
        let scheme = Self::of(algorithm).filter(|scheme| match scheme {
            Self::Ecdsa(wanted, ..) => *wanted == kind,
            Self::Ed25519 => kind == PrivateKind::Ed25519,
            Self::Rsa(..) => kind == PrivateKind::Rsa,
        });
        scheme.ok_or_else(|| PrivateKeyError::algorithm(algorithm))
    }
}

impl Signable<'_> {
    fn digest(self, hash: &'static digest::Algorithm) -> Result<Digest, PrivateKeyError> {
        match self {
            Self::Digest(digest) => Digest::import_less_safe(digest, hash)
                .map_err(|_| PrivateKeyError::Length("the digest")),
            Self::Message(message) => Ok(digest::digest(hash, message)),
        }
    }

    fn message(&self) -> Result<&[u8], PrivateKeyError> {
        match self {
            Self::Digest(_) => Err(PrivateKeyError::Length("a digest")),
            Self::Message(message) => Ok(message),
        }
    }
}

impl PrivateKind {
    /// Signs with a key of this kind.
    ///
    /// # Errors
    /// [`PrivateKeyError`]: the algorithm is of other keys, a digest is not of its hash, the material is no
    /// such key.
    pub fn sign(
        self,
        der: &[u8],
        algorithm: &str,
        what: Signable<'_>,
    ) -> Result<Vec<u8>, PrivateKeyError> {
        let provider = |_| PrivateKeyError::Provider;
        match Scheme::of_key(algorithm, self)? {
            Scheme::Ecdsa(_, hash, _) => {
                let digest = what.digest(hash)?;
                let pair = self.ec(der, algorithm)?;
                Ok(pair.sign_digest(&digest).map_err(provider)?.as_ref().to_vec())
            }
            Scheme::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)?;
                Ok(pair.sign(what.message()?).as_ref().to_vec())
            }
            Scheme::Rsa(padding, hash, _) => {
                let digest = what.digest(hash)?;
                let pair = RsaKeyPair::from_pkcs8(der)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, &digest, &mut signature).map_err(provider)?;
                Ok(signature)
            }
        }
    }

    /// Whether a signature holds under the public part of a key of this kind.
    ///
    /// # Errors
    /// As of [`Self::sign`].
    pub fn verify(
        self,
        der: &[u8],
        algorithm: &str,
        what: Signable<'_>,
        signature: &[u8],
    ) -> Result<bool, PrivateKeyError> {
        let held = match Scheme::of_key(algorithm, self)? {
            Scheme::Ecdsa(_, hash, verification) => {
                let digest = what.digest(hash)?;
                let pair = self.ec(der, algorithm)?;
                UnparsedPublicKey::new(verification, pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
            Scheme::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)?;
                UnparsedPublicKey::new(&s::ED25519, pair.public_key().as_ref())
                    .verify(what.message()?, signature)
            }
            Scheme::Rsa(_, hash, verification) => {
                let digest = what.digest(hash)?;
                let pair = RsaKeyPair::from_pkcs8(der)?;
                UnparsedPublicKey::new(verification, pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
        };
        Ok(held.is_ok())
    }

    fn ec(self, der: &[u8], algorithm: &str) -> Result<EcdsaKeyPair, PrivateKeyError> {
        let curve = self.curve().ok_or_else(|| PrivateKeyError::algorithm(algorithm))?;
        Ok(EcdsaKeyPair::from_pkcs8(curve, der)?)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;

    use super::*;

    fn keys() -> Vec<(PrivateKind, Vec<u8>, &'static [&'static str])> {
        let mut keys: Vec<(PrivateKind, Vec<u8>, &'static [&'static str])> = Vec::new();
        for (kind, names) in [
            (PrivateKind::EcP256, &["ES256"][..]),
            (PrivateKind::EcP384, &["ES384"]),
            (PrivateKind::EcP521, &["ES512"]),
        ] {
            let pair = EcdsaKeyPair::generate(kind.curve().unwrap()).unwrap();
            keys.push((kind, pair.to_pkcs8v1().unwrap().as_ref().to_vec(), names));
        }
        let pair = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
        keys.push((PrivateKind::Ed25519, pair, &["EdDSA"]));
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let names = &["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
        keys.push((PrivateKind::Rsa, pair.as_der().unwrap().as_ref().to_vec(), names));
        keys
    }

    #[test]
    fn a_signature_holds_for_its_message_under_its_algorithm_alone() {
        let keys = keys();
        let names: Vec<&str> = keys.iter().flat_map(|(_, _, names)| *names).copied().collect();
        for (kind, der, own) in &keys {
            for name in &names {
                let message = Signable::Message(b"message");
                let signed = kind.sign(der, name, message);
                if !own.contains(name) {
                    assert_eq!(signed, Err(PrivateKeyError::algorithm(name)), "{kind:?} {name}");
                    continue;
                }
                let signature = signed.unwrap();
                for other in *own {
                    let held = kind.verify(der, other, message, &signature).unwrap();
                    assert_eq!(held, other == name, "{name} {other}");
                }
                let changed = Signable::Message(b"massage");
                assert!(!kind.verify(der, name, changed, &signature).unwrap(), "{name}");
            }
            for none in ["", "none", "HS256", "es256", "RS1", "ES256K"] {
                assert!(kind.sign(der, none, Signable::Message(b"")).is_err(), "{none}");
            }
        }
    }

    #[test]
    fn a_digest_is_of_the_algorithms_hash_and_signs_as_its_message_does() {
        for (kind, der, names) in keys() {
            for name in names {
                let digest = match &name[2..] {
                    "256" => digest::digest(&digest::SHA256, b"message"),
                    "384" => digest::digest(&digest::SHA384, b"message"),
                    "512" => digest::digest(&digest::SHA512, b"message"),
                    _ => {
                        let digest = Signable::Digest(&[0; 64]);
                        assert!(kind.sign(&der, name, digest).is_err());
                        continue;
                    }
                };
                let signature = kind.sign(&der, name, Signable::Digest(digest.as_ref())).unwrap();
                let message = Signable::Message(b"message");
                assert!(kind.verify(&der, name, message, &signature).unwrap(), "{name}");
                for length in [0, digest.as_ref().len() - 1] {
                    let cut = Signable::Digest(&digest.as_ref()[..length]);
                    let refused = kind.sign(&der, name, cut).unwrap_err();
                    assert_eq!(refused, PrivateKeyError::Length("the digest"), "{name}");
                }
            }
        }
    }
}
