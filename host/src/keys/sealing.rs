//! Tokens that are sealed to a key of the recipient's TPM, as clients of Azure's guest attestation open them
//! (github.com/Azure/confidential-computing-cvm-guest-attestation, `TpmUnseal.cpp`): a fresh AES-256 key,
//! encrypted to the TPM's key, and the token under it.
//!
//! | member of the envelope | content |
//! |---|---|
//! | `EncryptedInnerKey` | the AES key, RSAES-PKCS1-v1_5: the TPM decrypts with no other scheme there |
//! | `EncryptionParams` | `BlockMode` `ChainingModeGCM`, `BlockPadding` `PKCS7`, `Cipher` `AES`, `KeySizeInBits`, `Iv` of 12 bytes |
//! | `AuthenticationData` | the tag, 16 bytes |
//! | `Jwt` | the token's ciphertext; additional data are `Transport Key` |
//!
//! Bytes are in base64; the envelope is JSON in base64url. The key is the attested machine's, so that who
//! only relays evidence cannot read the token.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey, PublicKeyComponents};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::recipient::{RecipientKey, RecipientKeyError, WrapError};
use crate::random::Random;

/// TPMT_PUBLIC (TPM 2.0 Library, part 2, section 12.2.4): TPM_ALG_RSA, TPM_ALG_SHA256, TPM_ALG_NULL, and
/// TPM_ALG_RSAES.
const RSA: u16 = 0x0001;
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const RSAES: u16 = 0x0015;

/// What is meant where the exponent is not told (section 12.2.3.5).
const EXPONENT: u32 = 65_537;

/// The key's name in tokens, by which services and clients know it.
const NAME: &str = "TpmEphemeralEncryptionKey";

/// What is authenticated beside the token.
const ADDITIONAL: &[u8] = b"Transport Key";

/// So many envelopes are made until one can be read: all but one in sixty can.
const ATTEMPTS: u32 = 32;

/// The public key of a TPM, for decryption.
#[derive(Clone, Debug)]
pub struct SealingKey {
    area: Vec<u8>,
    jwk: Value,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl SealingKey {
    /// Reads a TPM2B_PUBLIC of an RSA key that fills `public`. Whether a TPM keeps it, and for what, its
    /// evidence says; see [`SealingKey::area`].
    ///
    /// # Errors
    /// [`RecipientKeyError`].
    pub fn read(public: &[u8]) -> Result<Self, RecipientKeyError> {
        let malformed = RecipientKeyError::Malformed("EncKeyPub");
        let mut outer = Reader(public);
        let area = outer.sized().filter(|_| outer.0.is_empty()).ok_or(malformed)?;
        let mut reader = Reader(area);
        let kinds = reader.u16().zip(reader.u16()).ok_or(malformed)?;
        if kinds != (RSA, SHA256) {
            return Err(RecipientKeyError::Unsupported("EncKeyPub"));
        }
        let (modulus, exponent) = reader.key().filter(|_| reader.0.is_empty()).ok_or(malformed)?;
        let exponent = if exponent == 0 { EXPONENT } else { exponent };
        let exponent: Vec<u8> =
            exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let jwk = json!({
            "e": text(&exponent), "key_ops": ["encrypt"], "kid": NAME, "kty": "RSA", "n": text(modulus),
        });
        // By the rules of every recipient key.
        RecipientKey::from_jwk(&jwk)?;
        Ok(Self { area: area.to_vec(), jwk, modulus: modulus.to_vec(), exponent })
    }

    /// TPMT_PUBLIC, of which the key's name is the digest.
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.area
    }

    /// The key as tokens name it.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Seals a token: the envelope.
    ///
    /// # Errors
    /// [`WrapError::Provider`].
    pub fn seal(&self, token: &str, random: &dyn Random) -> Result<String, WrapError> {
        let components = PublicKeyComponents { n: self.modulus.clone(), e: self.exponent.clone() };
        let key: PublicEncryptingKey = components.try_into().map_err(|_| WrapError::Provider)?;
        let key = Pkcs1PublicEncryptingKey::new(key).map_err(|_| WrapError::Provider)?;
        // Microsoft's library takes zeros at an end for padding, and loses them.
        let readable = |parts: &[&[u8]]| parts.iter().all(|part| part.last() != Some(&0));
        for _ in 0..ATTEMPTS {
            let Sealed { inner, iv, text, tag } = Sealed::new(&key, token, random)?;
            if readable(&[&inner, &iv, &text, &tag]) {
                let envelope = json!({
                    "AuthenticationData": BASE64.encode(&tag),
                    "EncryptedInnerKey": BASE64.encode(&inner),
                    "EncryptionParams": {
                        "BlockMode": "ChainingModeGCM",
                        "BlockPadding": "PKCS7",
                        "Cipher": "AES",
                        "Iv": BASE64.encode(&iv),
                        "KeySizeInBits": 256,
                    },
                    "Jwt": BASE64.encode(&text),
                });
                return Ok(BASE64URL_NOPAD.encode(envelope.to_string().as_bytes()));
            }
        }
        Err(WrapError::Provider)
    }
}

/// What stands in an envelope.
struct Sealed {
    inner: Vec<u8>,
    iv: [u8; 12],
    text: Vec<u8>,
    tag: Vec<u8>,
}

impl Sealed {
    fn new(
        recipient: &Pkcs1PublicEncryptingKey,
        token: &str,
        random: &dyn Random,
    ) -> Result<Self, WrapError> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; 12];
        random.fill(key.as_mut()).map_err(|_| WrapError::Provider)?;
        random.fill(&mut iv).map_err(|_| WrapError::Provider)?;
        let mut inner = vec![0; recipient.ciphertext_size()];
        recipient.encrypt(key.as_ref(), &mut inner).map_err(|_| WrapError::Provider)?;
        let aes = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| WrapError::Provider)?;
        let mut text = token.as_bytes().to_vec();
        let tag = LessSafeKey::new(aes)
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(ADDITIONAL),
                &mut text,
            )
            .map_err(|_| WrapError::Provider)?;
        Ok(Self { inner, iv, text, tag: tag.as_ref().to_vec() })
    }
}

/// Bytes that somebody else chose.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A TPM2B.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        let (taken, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(taken)
    }

    /// Modulus and exponent, behind attributes, policy, cipher, scheme and size. A key that names a cipher
    /// or another scheme cannot decrypt what is sealed here.
    fn key(&mut self) -> Option<(&'a [u8], u32)> {
        let _attributes: [u8; 4] = self.array()?;
        let _policy = self.sized()?;
        let (cipher, scheme) = (self.u16()?, self.u16()?);
        if cipher != NULL || scheme != NULL && scheme != RSAES {
            return None;
        }
        let _bits = self.u16()?;
        let exponent = self.array().map(u32::from_be_bytes)?;
        Some((self.sized()?, exponent))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{KeySize, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};

    use super::*;
    use crate::random::SystemRandomness;

    fn sized(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
    }

    fn public(modulus: &[u8], exponent: u32) -> Vec<u8> {
        let mut area = [RSA, SHA256].map(u16::to_be_bytes).concat();
        area.extend([0, 2, 4, 0x32]);
        area.extend(sized(&[7; 32]));
        area.extend([NULL, NULL, 2048].map(u16::to_be_bytes).concat());
        area.extend(exponent.to_be_bytes());
        area.extend(sized(modulus));
        sized(&area)
    }

    fn pair() -> (PrivateDecryptingKey, Vec<u8>) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let jwk = crate::keys::rsa::PublicKey::of(&private).unwrap().canonical().jwk;
        let n = jwk["n"].as_str().unwrap();
        (private, BASE64URL_NOPAD.decode(n.as_bytes()).unwrap())
    }

    /// As Microsoft's library opens it, zeros at ends lost.
    fn open(private: &PrivateDecryptingKey, sealed: &str) -> Option<String> {
        let envelope = BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()?;
        let envelope: Value = serde_json::from_slice(&envelope).ok()?;
        let bytes = |pointer: &str| {
            let text = envelope.pointer(pointer)?.as_str()?;
            let mut bytes = BASE64.decode(text.as_bytes()).ok()?;
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
            Some(bytes)
        };
        let parameters = &envelope["EncryptionParams"];
        assert_eq!(parameters["BlockMode"], "ChainingModeGCM");
        assert_eq!(parameters["BlockPadding"], "PKCS7");
        assert_eq!(
            (&parameters["Cipher"], &parameters["KeySizeInBits"]),
            (&json!("AES"), &json!(256))
        );
        let private = Pkcs1PrivateDecryptingKey::new(private.clone()).unwrap();
        let mut buffer = vec![0; private.min_output_size()];
        let key = private.decrypt(&bytes("/EncryptedInnerKey")?, &mut buffer).ok()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(&bytes("/EncryptionParams/Iv")?).ok()?;
        let mut text = [bytes("/Jwt")?, bytes("/AuthenticationData")?].concat();
        let opened = key.open_in_place(nonce, Aad::from(b"Transport Key"), &mut text).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    #[test]
    fn what_is_sealed_the_key_opens_and_no_other_and_no_two_are_alike() {
        let (private, modulus) = pair();
        let key = SealingKey::read(&public(&modulus, 0)).unwrap();
        assert_eq!(key.jwk()["kid"], "TpmEphemeralEncryptionKey");
        assert_eq!(key.jwk()["e"], "AQAB");
        assert_eq!(key.area(), &public(&modulus, 0)[2..]);
        let seal = || key.seal("header.claims.signature", &SystemRandomness::default()).unwrap();
        // One in sixty would lose a zero.
        let sealed: Vec<String> = (0..150).map(|_| seal()).collect();
        for one in &sealed {
            assert_eq!(open(&private, one).as_deref(), Some("header.claims.signature"));
        }
        assert_ne!(sealed[0], sealed[1]);
        let (other, _) = pair();
        assert_eq!(open(&other, &sealed[0]), None);
        let envelope = BASE64URL_NOPAD.decode(sealed[0].as_bytes()).unwrap();
        let text = String::from_utf8(envelope).unwrap();
        assert!(!text.contains("claims"));
    }

    // attacks 27, 53
    #[test]
    fn what_is_no_key_or_a_weak_one_is_refused() {
        let modulus = [0xc5; 256];
        let good = public(&modulus, 65_537);
        SealingKey::read(&good).unwrap();
        for length in 0..good.len() {
            assert!(SealingKey::read(&good[..length]).is_err(), "{length}");
        }
        assert!(SealingKey::read(&[&good[..], &[0]].concat()).is_err());
        let weak = |refused: Result<SealingKey, RecipientKeyError>| {
            assert!(matches!(refused, Err(RecipientKeyError::Weak(_))), "{refused:?}");
        };
        weak(SealingKey::read(&public(&[0xc5; 128], 0)));
        weak(SealingKey::read(&public(&modulus, 3)));
        // Another kind, another name, a cipher, another scheme.
        for at in [3, 5, 45, 47] {
            let mut other = good.clone();
            other[at] ^= 3;
            assert!(SealingKey::read(&other).is_err(), "{at}");
        }
        assert!(SealingKey::read(b"").is_err());
    }

    /// What has no randomness seals nothing.
    #[test]
    fn without_randomness_nothing_is_sealed() {
        struct Broken;
        impl Random for Broken {
            fn fill(&self, _: &mut [u8]) -> Result<(), crate::random::RandomnessFailed> {
                Err(crate::random::RandomnessFailed)
            }
        }
        let key = SealingKey::read(&public(&[0xc5; 256], 0)).unwrap();
        assert_eq!(key.seal("token", &Broken), Err(WrapError::Provider));
    }
}
