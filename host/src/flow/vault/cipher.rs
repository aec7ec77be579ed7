//! What a private or symmetric key does natively, by the names of Azure Key Vault (RFC 7518 where it names
//! them). `RSA1_5` is refused: an answer to its padding tells an attacker what is inside.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey,
    EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{AES_128 as KW_128, AES_256 as KW_256, AesKek, KeyWrap};
use aws_lc_rs::rsa::{
    KeyPair as RsaKeyPair, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm,
    OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, KeyPair, RsaEncoding, UnparsedPublicKey, VerificationAlgorithm,
};
use zeroize::Zeroizing;

use super::material::curve;
use super::record::internal;
use crate::error::{Code, Refusal};
use crate::secret::Secret;

/// What goes in beside the text.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The initialisation vector.
    pub iv: Option<Vec<u8>>,
    /// What is authenticated and not encrypted.
    pub aad: Option<Vec<u8>>,
    /// The authentication tag.
    pub tag: Option<Vec<u8>>,
}

/// A ciphertext, and what is needed to open it.
pub(super) struct Sealed {
    pub(super) value: Vec<u8>,
    pub(super) iv: Option<Vec<u8>>,
    pub(super) tag: Option<Vec<u8>>,
}

/// A key in the host's hands.
pub(super) struct Tool<'a> {
    pub(super) kind: &'a str,
    pub(super) material: &'a Secret,
}

/// The mode of a symmetric algorithm: `A256GCM`, `A128CBCPAD`, `A256KW`.
enum Mode {
    Cbc,
    CbcPad,
    Gcm,
    Kw,
}

impl Tool<'_> {
    /// Encrypts; `octets`: fresh ones, for an initialisation vector.
    pub(super) fn encrypt(
        &self,
        algorithm: &str,
        plain: &[u8],
        beside: &Beside,
        octets: &[u8; 16],
    ) -> Result<Sealed, Refusal> {
        if let Some(oaep) = oaep(algorithm) {
            let private = self.rsa_decrypting(algorithm)?;
            let public = OaepPublicEncryptingKey::new(private.public_key()).map_err(failed)?;
            let mut value = vec![0; public.ciphertext_size()];
            public.encrypt(oaep, plain, &mut value, None).map_err(|_| unfit("the plaintext"))?;
            return Ok(Sealed { value, iv: None, tag: None });
        }
        let (bits, mode) = self.symmetric(algorithm)?;
        match mode {
            Mode::Gcm if beside.iv.is_some() => {
                Err(malformed("the vault chooses the initialisation vector"))
            }
            Mode::Gcm => {
                let (iv, _) = octets.split_first_chunk::<12>().ok_or_else(|| failed("octets"))?;
                let mut value = plain.to_vec();
                let aad = Aad::from(beside.aad.as_deref().unwrap_or_default());
                let tag = gcm(bits, self.material)?
                    .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*iv), aad, &mut value)
                    .map_err(failed)?;
                let tag = tag.as_ref().to_vec();
                Ok(Sealed { value, iv: Some(iv.to_vec()), tag: Some(tag) })
            }
            Mode::Cbc | Mode::CbcPad => {
                let iv = match &beside.iv {
                    None => *octets,
                    Some(iv) => block(iv)?,
                };
                let key = cbc(bits, self.material)?;
                let context = EncryptionContext::Iv128(FixedLength::from(iv));
                let mut value = plain.to_vec();
                match mode {
                    Mode::CbcPad => PaddedBlockEncryptingKey::cbc_pkcs7(key)
                        .and_then(|key| key.less_safe_encrypt(&mut value, context))
                        .map_err(|_| unfit("the plaintext"))?,
                    _ => EncryptingKey::cbc(key)
                        .and_then(|key| key.less_safe_encrypt(&mut value, context))
                        .map_err(|_| unfit("the plaintext"))?,
                };
                Ok(Sealed { value, iv: Some(iv.to_vec()), tag: None })
            }
            Mode::Kw => Err(unsupported(algorithm)),
        }
    }

    /// Decrypts. What does not open is refused in the same words, whatever is wrong with it.
    pub(super) fn decrypt(
        &self,
        algorithm: &str,
        value: &[u8],
        beside: &Beside,
    ) -> Result<Secret, Refusal> {
        if let Some(oaep) = oaep(algorithm) {
            let key = OaepPrivateDecryptingKey::new(self.rsa_decrypting(algorithm)?);
            let key = key.map_err(failed)?;
            let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
            let plain = key.decrypt(oaep, value, &mut buffer, None).map_err(|_| closed())?;
            return Ok(Secret::new(plain.to_vec()));
        }
        let (bits, mode) = self.symmetric(algorithm)?;
        let iv = beside.iv.as_deref().unwrap_or_default();
        match mode {
            Mode::Gcm => {
                let nonce = Nonce::try_assume_unique_for_key(iv).map_err(|_| closed())?;
                let aad = Aad::from(beside.aad.as_deref().unwrap_or_default());
                let tag = beside.tag.as_deref().unwrap_or_default();
                let mut sealed = Zeroizing::new([value, tag].concat());
                let key = gcm(bits, self.material)?;
                let plain = key.open_in_place(nonce, aad, &mut sealed).map_err(|_| closed())?;
                Ok(Secret::new(plain.to_vec()))
            }
            Mode::Cbc | Mode::CbcPad => {
                let context = DecryptionContext::Iv128(FixedLength::from(block(iv)?));
                let key = cbc(bits, self.material)?;
                let mut text = Zeroizing::new(value.to_vec());
                let plain = match mode {
                    Mode::CbcPad => PaddedBlockDecryptingKey::cbc_pkcs7(key).and_then(|key| {
                        key.decrypt(&mut text, context).map(|plain| plain.to_vec())
                    }),
                    _ => DecryptingKey::cbc(key).and_then(|key| {
                        key.decrypt(&mut text, context).map(|plain| plain.to_vec())
                    }),
                };
                plain.map(Secret::new).map_err(|_| closed())
            }
            Mode::Kw => Err(unsupported(algorithm)),
        }
    }

    /// Wraps a key.
    pub(super) fn wrap(&self, algorithm: &str, key: &[u8]) -> Result<Vec<u8>, Refusal> {
        if oaep(algorithm).is_some() {
            return Ok(self.encrypt(algorithm, key, &Beside::default(), &[0; 16])?.value);
        }
        let kek = self.kek(algorithm)?;
        let mut buffer = vec![0; key.len().saturating_add(8)];
        let wrapped = kek.wrap(key, &mut buffer).map_err(|_| unfit("the key"))?;
        Ok(wrapped.to_vec())
    }

    /// Unwraps a key.
    pub(super) fn unwrap(&self, algorithm: &str, wrapped: &[u8]) -> Result<Secret, Refusal> {
        if oaep(algorithm).is_some() {
            return self.decrypt(algorithm, wrapped, &Beside::default());
        }
        let kek = self.kek(algorithm)?;
        let mut buffer = Zeroizing::new(vec![0; wrapped.len()]);
        let key = kek.unwrap(wrapped, &mut buffer).map_err(|_| closed())?;
        Ok(Secret::new(key.to_vec()))
    }

    /// Signs a digest.
    pub(super) fn sign(&self, algorithm: &str, digest: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (hash, scheme) = scheme(algorithm).ok_or_else(|| unsupported(algorithm))?;
        let digest = Digest::import_less_safe(digest, hash).map_err(|_| unfit("the digest"))?;
        match scheme {
            Scheme::Ecdsa(kind, _) => {
                let (curve, _) = curve(self.kind).ok_or_else(|| unsupported(algorithm))?;
                if kind != self.kind {
                    return Err(unsupported(algorithm));
                }
                let pair =
                    EcdsaKeyPair::from_pkcs8(curve, self.material.expose()).map_err(failed)?;
                Ok(pair.sign_digest(&digest).map_err(failed)?.as_ref().to_vec())
            }
            Scheme::Rsa(padding, _) => {
                let pair = self.rsa(algorithm)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(padding, &digest, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }

    /// Whether a signature of a digest holds.
    pub(super) fn verify(
        &self,
        algorithm: &str,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool, Refusal> {
        let (hash, scheme) = scheme(algorithm).ok_or_else(|| unsupported(algorithm))?;
        let digest = Digest::import_less_safe(digest, hash).map_err(|_| unfit("the digest"))?;
        let held = match scheme {
            Scheme::Ecdsa(kind, verification) => {
                let (curve, _) = curve(self.kind).ok_or_else(|| unsupported(algorithm))?;
                if kind != self.kind {
                    return Err(unsupported(algorithm));
                }
                let pair =
                    EcdsaKeyPair::from_pkcs8(curve, self.material.expose()).map_err(failed)?;
                UnparsedPublicKey::new(verification, pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
            Scheme::Rsa(_, verification) => {
                let pair = self.rsa(algorithm)?;
                UnparsedPublicKey::new(verification, pair.public_key().as_ref())
                    .verify_digest(&digest, signature)
            }
        };
        Ok(held.is_ok())
    }

    fn rsa(&self, algorithm: &str) -> Result<RsaKeyPair, Refusal> {
        match self.kind.starts_with("rsa-") {
            true => {
                RsaKeyPair::from_pkcs8(self.material.expose()).map_err(|error| internal(&error))
            }
            false => Err(unsupported(algorithm)),
        }
    }

    fn rsa_decrypting(&self, algorithm: &str) -> Result<PrivateDecryptingKey, Refusal> {
        match self.kind.starts_with("rsa-") {
            true => PrivateDecryptingKey::from_pkcs8(self.material.expose())
                .map_err(|error| internal(&error)),
            false => Err(unsupported(algorithm)),
        }
    }

    /// The size of the key and the mode, where the key is of that size.
    fn symmetric(&self, algorithm: &str) -> Result<(usize, Mode), Refusal> {
        let (bits, mode) = match algorithm.split_at_checked(4) {
            Some(("A128", mode)) => (128, mode),
            Some(("A192", mode)) => (192, mode),
            Some(("A256", mode)) => (256, mode),
            _ => return Err(unsupported(algorithm)),
        };
        let mode = match mode {
            "CBC" => Mode::Cbc,
            "CBCPAD" => Mode::CbcPad,
            "GCM" => Mode::Gcm,
            "KW" => Mode::Kw,
            _ => return Err(unsupported(algorithm)),
        };
        match self.kind.starts_with("oct-") && self.material.len() == bits / 8 {
            true => Ok((bits, mode)),
            false => Err(unsupported(algorithm)),
        }
    }

    fn kek(&self, algorithm: &str) -> Result<AesKek, Refusal> {
        let (bits, Mode::Kw) = self.symmetric(algorithm)? else {
            return Err(unsupported(algorithm));
        };
        let cipher = match bits {
            128 => &KW_128,
            256 => &KW_256,
            _ => return Err(unsupported(algorithm)),
        };
        AesKek::new(cipher, self.material.expose()).map_err(failed)
    }
}

enum Scheme {
    /// The kind of key, and how it verifies.
    Ecdsa(&'static str, &'static dyn VerificationAlgorithm),
    Rsa(&'static dyn RsaEncoding, &'static dyn VerificationAlgorithm),
}

fn scheme(algorithm: &str) -> Option<(&'static digest::Algorithm, Scheme)> {
    use signature as s;
    Some(match algorithm {
        "ES256" => (&digest::SHA256, Scheme::Ecdsa("ec-p256", &s::ECDSA_P256_SHA256_FIXED)),
        "ES384" => (&digest::SHA384, Scheme::Ecdsa("ec-p384", &s::ECDSA_P384_SHA384_FIXED)),
        "ES512" => (&digest::SHA512, Scheme::Ecdsa("ec-p521", &s::ECDSA_P521_SHA512_FIXED)),
        "PS256" => (&digest::SHA256, Scheme::Rsa(&s::RSA_PSS_SHA256, &s::RSA_PSS_2048_8192_SHA256)),
        "PS384" => (&digest::SHA384, Scheme::Rsa(&s::RSA_PSS_SHA384, &s::RSA_PSS_2048_8192_SHA384)),
        "PS512" => (&digest::SHA512, Scheme::Rsa(&s::RSA_PSS_SHA512, &s::RSA_PSS_2048_8192_SHA512)),
        "RS256" => {
            (&digest::SHA256, Scheme::Rsa(&s::RSA_PKCS1_SHA256, &s::RSA_PKCS1_2048_8192_SHA256))
        }
        "RS384" => {
            (&digest::SHA384, Scheme::Rsa(&s::RSA_PKCS1_SHA384, &s::RSA_PKCS1_2048_8192_SHA384))
        }
        "RS512" => {
            (&digest::SHA512, Scheme::Rsa(&s::RSA_PKCS1_SHA512, &s::RSA_PKCS1_2048_8192_SHA512))
        }
        _ => return None,
    })
}

fn oaep(algorithm: &str) -> Option<&'static OaepAlgorithm> {
    match algorithm {
        "RSA-OAEP" => Some(&OAEP_SHA1_MGF1SHA1),
        "RSA-OAEP-256" => Some(&OAEP_SHA256_MGF1SHA256),
        _ => None,
    }
}

fn gcm(bits: usize, material: &Secret) -> Result<LessSafeKey, Refusal> {
    let algorithm = match bits {
        128 => &aead::AES_128_GCM,
        192 => &aead::AES_192_GCM,
        _ => &aead::AES_256_GCM,
    };
    UnboundKey::new(algorithm, material.expose()).map(LessSafeKey::new).map_err(failed)
}

fn cbc(bits: usize, material: &Secret) -> Result<UnboundCipherKey, Refusal> {
    let algorithm: &'static cipher::Algorithm = match bits {
        128 => &AES_128,
        192 => &AES_192,
        _ => &AES_256,
    };
    UnboundCipherKey::new(algorithm, material.expose()).map_err(failed)
}

fn block(iv: &[u8]) -> Result<[u8; 16], Refusal> {
    iv.try_into().map_err(|_| unfit("the initialisation vector"))
}

fn closed() -> Refusal {
    Refusal::new(Code::RequestMalformed, "it does not open with this key")
}

fn unfit(what: &str) -> Refusal {
    malformed(&format!("{what} has a length that the algorithm does not take"))
}

fn malformed(why: &str) -> Refusal {
    Refusal::new(Code::RequestMalformed, why)
}

fn unsupported(algorithm: &str) -> Refusal {
    malformed(&format!("{algorithm:?} is no algorithm of this key"))
}

fn failed(error: impl ToString) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}
