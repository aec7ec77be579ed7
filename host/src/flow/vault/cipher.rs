//! What a private or symmetric key does natively, by the names of Azure Key Vault (RFC 7518 where it names
//! them). `RSA1_5` is refused: an answer to its padding tells an attacker what is inside.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey,
    EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use crate::error::{Code, Refusal};
use crate::keys::{
    AesKeyWrap, OaepKey, PrivateKeyError, PrivateKind, RsaAesKeyWrap, Signable, oaep_of,
};
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
        if let Some(oaep) = oaep_of(algorithm) {
            let value = self.rsa(algorithm)?.encrypt(oaep, plain)?;
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
        if let Some(oaep) = oaep_of(algorithm) {
            return Ok(self.rsa(algorithm)?.decrypt(oaep, value)?);
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
        if oaep_of(algorithm).is_some() {
            return Ok(self.encrypt(algorithm, key, &Beside::default(), &[0; 16])?.value);
        }
        Ok(self.kek(algorithm)?.wrap(key)?)
    }

    /// Unwraps a key.
    pub(super) fn unwrap(&self, algorithm: &str, wrapped: &[u8]) -> Result<Secret, Refusal> {
        if oaep_of(algorithm).is_some() {
            return self.decrypt(algorithm, wrapped, &Beside::default());
        }
        Ok(self.kek(algorithm)?.unwrap(wrapped)?)
    }

    /// Signs a digest; for `EdDSA`, which has none, a message.
    pub(super) fn sign(&self, algorithm: &str, input: &[u8]) -> Result<Vec<u8>, Refusal> {
        let kind = self.private(algorithm)?;
        Ok(kind.sign(self.material.expose(), algorithm, signable(algorithm, input))?)
    }

    /// Whether a signature of the same holds.
    pub(super) fn verify(
        &self,
        algorithm: &str,
        input: &[u8],
        signature: &[u8],
    ) -> Result<bool, Refusal> {
        let (kind, input) = (self.private(algorithm)?, signable(algorithm, input));
        Ok(kind.verify(self.material.expose(), algorithm, input, signature)?)
    }

    /// Unwraps a key that came in wrapped to this one.
    pub(super) fn unwrap_import(
        &self,
        wrap: RsaAesKeyWrap,
        wrapped: &[u8],
    ) -> Result<Secret, Refusal> {
        Ok(self.rsa(wrap.name())?.rsa_aes_unwrap(wrapped, wrap)?)
    }

    fn private(&self, algorithm: &str) -> Result<PrivateKind, Refusal> {
        PrivateKind::of(self.kind).ok_or_else(|| unsupported(algorithm))
    }

    fn rsa(&self, algorithm: &str) -> Result<OaepKey, Refusal> {
        match self.private(algorithm)? {
            PrivateKind::Rsa => Ok(OaepKey::from_pkcs8(self.material.expose())?),
            _ => Err(unsupported(algorithm)),
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

    fn kek(&self, algorithm: &str) -> Result<AesKeyWrap<'_>, Refusal> {
        let (_, Mode::Kw) = self.symmetric(algorithm)? else {
            return Err(unsupported(algorithm));
        };
        AesKeyWrap::new(self.material.expose()).ok_or_else(|| unsupported(algorithm))
    }
}

fn signable<'a>(algorithm: &str, input: &'a [u8]) -> Signable<'a> {
    match algorithm {
        "EdDSA" => Signable::Message(input),
        _ => Signable::Digest(input),
    }
}

impl From<PrivateKeyError> for Refusal {
    fn from(error: PrivateKeyError) -> Self {
        let code = match error {
            PrivateKeyError::Algorithm(_)
            | PrivateKeyError::Closed
            | PrivateKeyError::Length(_) => Code::RequestMalformed,
            PrivateKeyError::Provider | PrivateKeyError::Rejected(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
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
    PrivateKeyError::Closed.into()
}

fn unfit(what: &'static str) -> Refusal {
    PrivateKeyError::Length(what).into()
}

fn malformed(why: &str) -> Refusal {
    Refusal::new(Code::RequestMalformed, why)
}

fn unsupported(algorithm: &str) -> Refusal {
    PrivateKeyError::algorithm(algorithm).into()
}

fn failed(error: impl ToString) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}
