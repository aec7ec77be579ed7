//! Compact JWE (RFC 7516, section 7.1) with `A256GCM` (RFC 7518, section 5.3), and the header that
//! says what is wrapped for whom.
//!
//! The protected header is the additional authenticated data: whoever changes the key's name, its
//! version or the challenge in it makes the content unreadable.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::agreement::PublicJwk;
use super::recipient::WrapError;
use super::recipient_private::UnwrapError;
use crate::json::{self, Limits};
use crate::secret::Secret;

/// The one `enc` that is offered; also the AlgorithmID of the key derivation.
pub(super) const ENCRYPTION: &str = "A256GCM";

/// Bytes of a compact JWE that a client reads; released keys have some kilobytes at most.
const MAX_BYTES: usize = 1 << 20;

/// Bytes of the authentication tag.
const TAG_LEN: usize = 16;

/// A content key; used for one message only.
pub(super) type ContentKey = Zeroizing<[u8; 32]>;

/// What a wrapped key says about itself, authenticated together with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WrapHeader {
    /// Media type of the plaintext; `cty` of the JWE.
    #[serde(skip)]
    pub cty: String,
    /// The tenant to whom the key belongs.
    pub tenant: String,
    /// The key's name.
    pub key: String,
    /// The key's version.
    pub version: String,
    /// SHA-256 that names the challenge which the evidence answered; base64url in JSON.
    #[serde(serialize_with = "encode", deserialize_with = "decode")]
    pub challenge: [u8; 32],
    /// Index of the release's record in the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u64>,
}

/// The JWE Protected Header: these members and no others.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) enc: String,
    /// Thumbprint of the recipient key (RFC 7638, SHA-256), base64url.
    pub(super) kid: String,
    pub(super) cty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) epk: Option<PublicJwk>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) apu: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) apv: Option<String>,
    pub(super) claviger: WrapHeader,
}

/// Encrypts `plaintext` with a content key that was never used before.
pub(super) fn seal(
    header: &Header,
    key: &ContentKey,
    encrypted_key: &[u8],
    plaintext: &[u8],
) -> Result<String, WrapError> {
    let header = serde_json::to_vec(header).map_err(|_| WrapError::Provider)?;
    let mut compact = BASE64URL_NOPAD.encode(&header);
    let mut iv = [0; NONCE_LEN];
    rand::fill(&mut iv).map_err(|_| WrapError::Provider)?;
    // Wiped where sealing fails half-way.
    let mut ciphertext = Zeroizing::new(plaintext.to_vec());
    let tag = aes(key)
        .and_then(|aes| {
            let aad = Aad::from(compact.as_bytes());
            let nonce = Nonce::assume_unique_for_key(iv);
            aes.seal_in_place_separate_tag(nonce, aad, &mut ciphertext).ok()
        })
        .ok_or(WrapError::Provider)?;
    for part in [encrypted_key, &iv, &ciphertext, tag.as_ref()] {
        compact.push('.');
        BASE64URL_NOPAD.encode_append(part, &mut compact);
    }
    Ok(compact)
}

/// A compact JWE taken apart.
pub(super) struct Compact<'a> {
    protected: &'a str,
    pub(super) encrypted_key: Vec<u8>,
    iv: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
    tag: [u8; TAG_LEN],
}

impl<'a> Compact<'a> {
    /// Takes five parts apart; each is base64url without padding or left-over bits.
    pub(super) fn parse(jwe: &'a str) -> Result<Self, UnwrapError> {
        if jwe.len() > MAX_BYTES {
            return Err(UnwrapError::Malformed);
        }
        let mut parts = jwe.split('.');
        let mut next = || parts.next().ok_or(UnwrapError::Malformed);
        let (protected, encrypted_key, iv, ciphertext, tag) =
            (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
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
        let text = octets(self.protected)?;
        let mut header: Header =
            json::parse(&text, Limits::TOKEN).map_err(|_| UnwrapError::Malformed)?;
        header.claviger.cty.clone_from(&header.cty);
        Ok(header)
    }

    /// Decrypts the content.
    pub(super) fn open(self, key: &ContentKey) -> Result<Secret, UnwrapError> {
        let mut content = self.ciphertext;
        content.extend_from_slice(&self.tag);
        let nonce = Nonce::assume_unique_for_key(self.iv);
        let length = aes(key)
            .and_then(|aes| {
                let aad = Aad::from(self.protected.as_bytes());
                let plaintext = aes.open_in_place(nonce, aad, &mut content).ok()?;
                Some(plaintext.len())
            })
            .ok_or(UnwrapError::Failed)?;
        content.truncate(length);
        Ok(Secret::new(content))
    }
}

fn aes(key: &ContentKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?;
    Some(LessSafeKey::new(key))
}

fn octets(text: &str) -> Result<Vec<u8>, UnwrapError> {
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| UnwrapError::Malformed)
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], UnwrapError> {
    octets(text)?.try_into().map_err(|_| UnwrapError::Malformed)
}

fn encode<S: Serializer>(challenge: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64URL_NOPAD.encode(challenge))
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    array(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7516, appendix A.1 (its key encryption is not offered here, its content is).
    #[test]
    fn the_content_of_rfc_7516_appendix_a_1_opens() {
        let key = ContentKey::new([
            177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246, 138, 7,
            110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252,
        ]);
        let jwe = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ..48V1_ALb6US04U3b.\
                   5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBt\
                   QD_A.XFBoMYUZodetZdvTiFvSkQ";
        let content = Compact::parse(jwe).unwrap().open(&key).unwrap();
        assert_eq!(
            content.expose(),
            b"The true sign of intelligence is not knowledge but imagination."
        );
        let other_header = jwe.replacen("eyJh", "eyJi", 1);
        let outcome = Compact::parse(&other_header).unwrap().open(&key);
        assert!(matches!(outcome, Err(UnwrapError::Failed)));
    }

    #[test]
    fn a_text_that_is_not_five_clean_parts_is_refused() {
        let iv = "AAAAAAAAAAAAAAAA";
        let tag = "AAAAAAAAAAAAAAAAAAAAAA";
        assert!(Compact::parse(&format!("e30..{iv}.AA.{tag}")).is_ok());
        for jwe in [
            String::new(),
            format!("e30..{iv}.AA"),
            format!("e30..{iv}.AA.{tag}."),
            format!("e30..{iv}.AA==.{tag}"),
            format!("e30..{iv}.AB.{tag}"),
            format!("e30..{iv}.A/.{tag}"),
            format!("e30..{iv}AAAA.AA.{tag}"),
            format!("e30..{iv}.AA.{}", &tag[..18]),
            format!("e30.. {iv}.AA.{tag}"),
            format!("{}..{iv}.AA.{tag}", "A".repeat(1 << 20)),
        ] {
            assert!(Compact::parse(&jwe).is_err(), "{jwe:.60}");
        }
    }
}
