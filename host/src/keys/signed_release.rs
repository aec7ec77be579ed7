//! What Key Vault and Managed HSM answer to `release`: a JWS over the request, and the key wrapped to the
//! requester (learn.microsoft.com: Key Vault REST, `keys/release`; the forms are those that Azure's
//! confidential sidecar reads, `pkg/skr`).

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use super::key_wrap::RsaAesKeyWrap;
use super::release_jws;
use crate::clock::Timestamp;
use crate::json::{self, Limits};

/// The longest answer that is looked at, in bytes.
const LONGEST: usize = 256 << 10;

/// An answer whose signature held; nothing else makes one.
#[derive(Clone, Debug)]
pub struct SignedRelease {
    name: String,
    version: String,
    wrap: RsaAesKeyWrap,
    recipient: String,
    ciphertext: Vec<u8>,
}

/// Why an answer does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignedReleaseError {
    /// It is signed, and not by these rules.
    #[error("{0}")]
    Jws(String),
    /// It is larger than is looked at.
    #[error("the answer is too large")]
    TooLarge,
    /// What is signed is no release, or one in a form that is not read; which member.
    #[error("the answer's member {0} is missing, or in a form that is not read")]
    Unread(&'static str),
}

impl SignedRelease {
    /// Checks signature, chain, name and time, and reads what is signed. `endpoint` is the vault that
    /// was asked, `host[:port]`, `roots` are the authorities that are believed, DER.
    ///
    /// # Errors
    /// [`SignedReleaseError`].
    pub fn verify(
        jws: &str,
        endpoint: &str,
        roots: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<Self, SignedReleaseError> {
        if jws.len() > LONGEST {
            return Err(SignedReleaseError::TooLarge);
        }
        let payload = release_jws::verify(jws, endpoint, roots, Duration::from_secs(now.0))
            .map_err(|error| SignedReleaseError::Jws(error.to_string()))?;
        Self::read(&payload)
    }

    fn read(payload: &Value) -> Result<Self, SignedReleaseError> {
        use SignedReleaseError::Unread;
        let text = |pointer: &'static str| {
            let found = payload.pointer(pointer).and_then(Value::as_str);
            found.ok_or(Unread(pointer))
        };
        const KID: &str = "/response/key/key/kid";
        const HSM: &str = "/response/key/key/key_hsm";
        let (place, version) = text(KID)?.rsplit_once('/').ok_or(Unread(KID))?;
        let (place, name) = place.rsplit_once('/').ok_or(Unread(KID))?;
        if !place.ends_with("/keys") {
            return Err(Unread(KID));
        }
        let inner = octets(text(HSM)?).ok_or(Unread(HSM))?;
        let inner: Value =
            json::parse(&inner, Limits::REQUEST.with_bytes(LONGEST)).map_err(|_| Unread(HSM))?;
        let member = |pointer: &str| inner.pointer(pointer).and_then(Value::as_str);
        let wrap = member("/header/enc").and_then(RsaAesKeyWrap::of).ok_or(Unread(HSM))?;
        // What the vault took for asked must be what it did.
        if text("/request/enc")? != wrap.name() {
            return Err(Unread("/request/enc"));
        }
        let ciphertext = member("/ciphertext").and_then(octets).ok_or(Unread(HSM))?;
        Ok(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            wrap,
            recipient: member("/header/kid").unwrap_or_default().to_owned(),
            ciphertext,
        })
    }

    /// Whether a JWE of five parts, as connectors write it, is this version as it was wrapped: the
    /// header's `enc`, and the fourth part.
    #[must_use]
    pub fn is_in(&self, jwe: &str, version: &str) -> bool {
        let mut parts = jwe.split('.').map(|part| BASE64URL_NOPAD.decode(part.as_bytes()));
        let (header, ciphertext) = (parts.next(), parts.nth(2));
        let (Some(Ok(header)), Some(Ok(ciphertext))) = (header, ciphertext) else { return false };
        let header: Option<Value> = json::parse(&header, Limits::TOKEN).ok();
        let enc = header.as_ref().and_then(|header| header.get("enc")).and_then(Value::as_str);
        self.ciphertext == ciphertext && self.version == version && enc == Some(self.wrap.name())
    }

    /// What the vault calls the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the vault calls the key's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How it is wrapped.
    #[must_use]
    pub fn wrap(&self) -> RsaAesKeyWrap {
        self.wrap
    }

    /// What the vault says of the key that it wrapped to (`kid`); empty where it says nothing.
    #[must_use]
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The wrapped key.
    #[must_use]
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

/// base64url, with padding or without.
fn octets(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload() -> Value {
        let hsm = json!({"schema_version": "1.0", "ciphertext": "AQID",
            "header": {"kid": "k", "alg": "dir", "enc": "RSA_AES_KEY_WRAP_256"}});
        json!({
            "request": {"enc": "RSA_AES_KEY_WRAP_256"},
            "response": {"key": {"key": {
                "kid": "https://v.example/keys/a/00112233", "kty": "oct-HSM",
                "key_hsm": BASE64URL_NOPAD.encode(hsm.to_string().as_bytes()),
            }}},
        })
    }

    #[test]
    fn a_release_is_read_as_it_is_signed() {
        let release = SignedRelease::read(&payload()).unwrap();
        assert_eq!((release.name(), release.version()), ("a", "00112233"));
        assert_eq!((release.wrap(), release.recipient()), (RsaAesKeyWrap::Sha256, "k"));
        assert_eq!(release.ciphertext(), [1, 2, 3]);
    }

    // invariant 10
    #[test]
    fn what_a_connector_hands_on_is_the_version_that_was_signed() {
        let release = SignedRelease::read(&payload()).unwrap();
        let jwe = |enc: &str, ciphertext: &[u8]| {
            let encoded = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
            let header = json!({"alg": "dir", "enc": enc}).to_string();
            format!("{}...{}.", encoded(header.as_bytes()), encoded(ciphertext))
        };
        let genuine = jwe("RSA_AES_KEY_WRAP_256", &[1, 2, 3]);
        assert!(release.is_in(&genuine, "00112233"));
        for (jwe, version) in [
            (genuine.clone(), "00112234"),
            (jwe("RSA_AES_KEY_WRAP_384", &[1, 2, 3]), "00112233"),
            (jwe("RSA_AES_KEY_WRAP_256", &[1, 2, 4]), "00112233"),
            (genuine.replace("...", "."), "00112233"),
        ] {
            assert!(!release.is_in(&jwe, version), "{jwe} {version}");
        }
    }

    // invariant 6
    #[test]
    fn what_is_no_release_in_a_form_that_is_read_is_none() {
        let other = json!({"ciphertext": "AQID", "header": {"enc": "CKM_RSA_AES_KEY_WRAP"}});
        let other = BASE64URL_NOPAD.encode(other.to_string().as_bytes());
        for (pointer, value) in [
            ("/request/enc", json!("CKM_RSA_AES_KEY_WRAP")),
            ("/request/enc", json!(null)),
            ("/response/key/key/kid", json!("a")),
            ("/response/key/key/kid", json!("https://v.example/secrets/a/1")),
            ("/response/key/key/key_hsm", json!("e30")),
            ("/response/key/key/key_hsm", json!("!")),
            ("/response/key/key/key_hsm", json!(other)),
        ] {
            let mut changed = payload();
            *changed.pointer_mut(pointer).unwrap() = value.clone();
            assert!(SignedRelease::read(&changed).is_err(), "{pointer}: {value}");
        }
    }
}
