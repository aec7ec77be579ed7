//! Compact JWE (RFC 7516, section 7.1) with `A256GCM`. The protected header is authenticated with the
//! content, so that nobody passes one key off as another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::UnwrapError;
use super::agreement::PublicJwk;
use crate::secret::Secret;

/// The one `enc` that a host uses.
pub(super) const ENCRYPTION: &str = "A256GCM";

/// Bytes of a compact JWE that is read; released keys have some kilobytes at most.
const MAX_BYTES: usize = 1 << 20;

/// A content key; used for one message only.
pub(super) type ContentKey = Zeroizing<[u8; 32]>;

/// What a wrapped key says about itself, authenticated together with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WrapHeader {
    /// The tenant to whom the key belongs.
    pub tenant: String,
    /// The key's name.
    pub key: String,
    /// The key's version.
    pub version: String,
    /// SHA-256 that names the challenge which the evidence answered.
    #[serde(deserialize_with = "octets_32")]
    pub challenge: [u8; 32],
    /// Index of the release's record in the audit log.
    #[serde(default)]
    pub audit: Option<u64>,
}

/// The JWE Protected Header: these members and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) enc: String,
    pub(super) kid: String,
    pub(super) cty: String,
    #[serde(default)]
    pub(super) epk: Option<PublicJwk>,
    #[serde(default)]
    apu: Option<String>,
    #[serde(default)]
    apv: Option<String>,
    pub(super) claviger: WrapHeader,
}

impl Header {
    /// What sender and recipient are called; empty where the header does not say.
    pub(super) fn parties(&self) -> Result<(Vec<u8>, Vec<u8>), UnwrapError> {
        let party = |name: &Option<String>| octets(name.as_deref().unwrap_or_default());
        Ok((party(&self.apu)?, party(&self.apv)?))
    }
}

/// A compact JWE taken apart.
pub(super) struct Compact<'a> {
    protected: &'a str,
    pub(super) encrypted_key: Vec<u8>,
    iv: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

impl<'a> Compact<'a> {
    /// Five parts, each base64url without padding or left-over bits.
    pub(super) fn parse(jwe: &'a str) -> Result<Self, UnwrapError> {
        let parts: Vec<&str> = jwe.splitn(6, '.').collect();
        let &[protected, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
            return Err(UnwrapError::Malformed);
        };
        if jwe.len() > MAX_BYTES {
            return Err(UnwrapError::Malformed);
        }
        Ok(Self {
            protected,
            encrypted_key: octets(encrypted_key)?,
            iv: array(iv)?,
            ciphertext: octets(ciphertext)?,
            tag: array(tag)?,
        })
    }

    /// The header; nothing in it is authenticated before [`Self::open`] succeeds.
    pub(super) fn header(&self) -> Result<Header, UnwrapError> {
        serde_json::from_slice(&octets(self.protected)?).map_err(|_| UnwrapError::Malformed)
    }

    /// Decrypts the content.
    pub(super) fn open(self, key: &ContentKey) -> Result<Secret, UnwrapError> {
        let mut content = Zeroizing::new(self.ciphertext);
        content.extend_from_slice(&self.tag);
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| UnwrapError::Failed)?;
        let nonce = Nonce::assume_unique_for_key(self.iv);
        let aad = Aad::from(self.protected.as_bytes());
        let plaintext = LessSafeKey::new(key)
            .open_in_place(nonce, aad, &mut content)
            .map_err(|_| UnwrapError::Failed)?;
        Ok(Secret::new(plaintext.to_vec()))
    }
}

fn octets(text: &str) -> Result<Vec<u8>, UnwrapError> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| UnwrapError::Malformed)
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], UnwrapError> {
    octets(text)?.try_into().map_err(|_| UnwrapError::Malformed)
}

fn octets_32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    array(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
