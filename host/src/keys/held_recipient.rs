//! A recipient key that the host holds itself, for one release: a key management service that wraps to RSA
//! keys only wraps to this one, and the host, having opened it, wraps to the workload's key.

use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::key_wrap::RsaAesKeyWrap;
use super::oaep::OaepKey;
use super::recipient::{RecipientKey, WrapError};
use super::recipient_private::UnwrapError;
use super::rsa;
use crate::json::{self, Limits};
use crate::secret::Secret;

/// The key pair; the private half never leaves this value, and ends with it.
pub struct HeldRecipient {
    private: OaepKey,
    public: RecipientKey,
}

impl std::fmt::Debug for HeldRecipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HeldRecipient").field(&self.public.kid()).finish()
    }
}

impl HeldRecipient {
    /// A new one, RSA of 3072 bits. Takes part of a second: not on a thread that others wait for.
    ///
    /// # Errors
    /// [`WrapError::Provider`].
    pub fn generate() -> Result<Self, WrapError> {
        let failed = |_| WrapError::Provider;
        let private = PrivateDecryptingKey::generate(KeySize::Rsa3072).map_err(failed)?;
        let public = rsa::PublicKey::of(&private).map_err(|_| WrapError::Provider)?;
        let public = RecipientKey::from_jwk(&public.canonical().jwk);
        let public = public.map_err(|_| WrapError::Provider)?;
        Ok(Self { private: OaepKey::new(private), public })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &RecipientKey {
        &self.public
    }

    /// Opens a key in the five parts of a JWE, as connectors of Azure's services write it: the header
    /// names this key and one of the RSA AES key wraps, the fourth part is what the service wrapped.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn open(&self, jwe: &str) -> Result<Secret, UnwrapError> {
        let parts: Vec<_> = jwe.split('.').collect();
        let [header, "", "", ciphertext, ""] = parts.as_slice() else {
            return Err(UnwrapError::Malformed);
        };
        let octets = |part: &str| {
            BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| UnwrapError::Malformed)
        };
        let header: Map<String, Value> =
            json::parse(&octets(header)?, Limits::TOKEN).map_err(|_| UnwrapError::Malformed)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        if text("kid") != Some(self.public.kid().as_str()) {
            return Err(UnwrapError::WrongRecipient);
        }
        let wrap = text("enc").and_then(RsaAesKeyWrap::of).filter(|_| text("alg") == Some("dir"));
        let wrap = wrap.ok_or(UnwrapError::Unsupported)?;
        self.private.rsa_aes_unwrap(&octets(ciphertext)?, wrap).map_err(|_| UnwrapError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwe(header: &Value, ciphertext: &[u8]) -> String {
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        format!("{header}...{}.", BASE64URL_NOPAD.encode(ciphertext))
    }

    #[test]
    fn what_was_wrapped_to_the_host_opens_and_nothing_else() {
        let held = HeldRecipient::generate().unwrap();
        let kid = held.public().kid();
        for wrap in [RsaAesKeyWrap::Sha1, RsaAesKeyWrap::Sha256, RsaAesKeyWrap::Sha384] {
            let header = json!({"alg": "dir", "enc": wrap.name(), "kid": kid});
            let wrapped = held.public().rsa_aes_wrap(&[9; 32], wrap).unwrap();
            assert!(held.open(&jwe(&header, &wrapped)).unwrap().matches(&[9; 32]));
            let mut altered = wrapped.clone();
            for place in [0, 383, 384, wrapped.len() - 1] {
                altered[place] ^= 1;
                assert_eq!(held.open(&jwe(&header, &altered)).unwrap_err(), UnwrapError::Failed);
                altered[place] ^= 1;
            }
            assert!(held.open(&jwe(&header, &wrapped[..384])).is_err());
            assert!(held.open(&jwe(&header, b"")).is_err());
        }
        let wrapped = held.public().rsa_aes_wrap(&[9; 32], RsaAesKeyWrap::Sha256).unwrap();
        for (header, wanted) in [
            (json!({"alg": "dir", "enc": "RSA_AES_KEY_WRAP_256"}), UnwrapError::WrongRecipient),
            (json!({"alg": "dir", "enc": "A256GCM", "kid": kid}), UnwrapError::Unsupported),
            (json!({"enc": "RSA_AES_KEY_WRAP_256", "kid": kid}), UnwrapError::Unsupported),
            (json!({"alg": "dir", "enc": "RSA_AES_KEY_WRAP_384", "kid": kid}), UnwrapError::Failed),
        ] {
            assert_eq!(held.open(&jwe(&header, &wrapped)).unwrap_err(), wanted, "{header}");
        }
        assert_eq!(held.open("a.b.c.d.e").unwrap_err(), UnwrapError::Malformed);
        assert!(!format!("{held:?}").contains("private"));
    }
}
