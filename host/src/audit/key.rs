//! The log's Ed25519 key, and how its public half is written: `name+keyid+base64(0x01 || key)`.
//!
//! Source: C2SP signed-note, "Verifier keys" and "Signatures".

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};

use super::error::AuditError;
use crate::secret::Secret;

/// The signature type of Ed25519 in signed notes.
const ED25519_TYPE: u8 = 1;

/// What a log's name is made of.
pub const NAME_RULE: &str = "1 to 200 printable ASCII characters without space and plus";

/// Longer names are refused.
const MAX_NAME: usize = 200;

/// The key that signs checkpoints.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verification: VerificationKey,
}

impl SigningKey {
    /// Makes a new key, as PKCS#8 (RFC 8410) to be kept sealed.
    ///
    /// # Errors
    /// [`AuditError::Key`] where the provider has no randomness.
    pub fn generate() -> Result<Secret, AuditError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| key_error("cannot be generated"))?;
        let document = pair.to_pkcs8v1().map_err(|_| key_error("cannot be encoded"))?;
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    /// Takes a key from PKCS#8; `name` stands in signatures and is the origin of checkpoints: no
    /// white space, no plus sign, at most 200 bytes, by custom a URL without its scheme.
    ///
    /// # Errors
    /// [`AuditError::Key`] where the name or the key is not valid.
    pub fn new(name: &str, pkcs8: &Secret) -> Result<Self, AuditError> {
        if !is_name(name) {
            return Err(AuditError::Key(format!("the name must be {NAME_RULE}")));
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.expose())
            .map_err(|_| key_error("is not an Ed25519 key in PKCS#8"))?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| key_error("has no public half of 32 bytes"))?;
        Ok(Self { pair, verification: VerificationKey::new(name, public) })
    }

    /// The public half.
    #[must_use]
    pub fn verification(&self) -> &VerificationKey {
        &self.verification
    }

    /// The signature line of a signed note over `text`, with its newline.
    pub(super) fn signature_line(&self, text: &str) -> String {
        let mut blob = self.verification.id.to_vec();
        blob.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("\u{2014} {} {}\n", self.verification.name, BASE64.encode(&blob))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[signing key of {}]", self.verification)
    }
}

/// The public half: checks checkpoints. Its text form is the one of signed notes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerificationKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerificationKey {
    fn new(name: &str, public: [u8; 32]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(name.as_bytes());
        context.update(&[b'\n', ED25519_TYPE]);
        context.update(&public);
        let mut id = [0; 4];
        for (to, from) in id.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self { name: name.to_owned(), id, public }
    }

    /// The name that stands in signatures.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the other is the same key under another name.
    pub(super) fn is_renamed(&self, other: &Self) -> bool {
        self.public == other.public && self.name != other.name
    }

    /// What a signature line of a signed note says about `text`: `None` where the line is not by
    /// this key (another name or key id), else whether the signature holds.
    pub(super) fn check(&self, text: &str, name: &str, blob: &[u8]) -> Option<bool> {
        let (id, signature) = blob.split_at_checked(4)?;
        if name != self.name || id != self.id {
            return None;
        }
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        Some(key.verify(text.as_bytes(), signature).is_ok())
    }
}

impl fmt::Display for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blob = vec![ED25519_TYPE];
        blob.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&blob))
    }
}

impl FromStr for VerificationKey {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || key_error("is not a verifier key: NAME+ID+BASE64");
        let mut parts = text.trim_ascii_end().splitn(3, '+');
        let (Some(name), Some(id), Some(blob)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        let blob = BASE64.decode(blob.as_bytes()).map_err(|_| malformed())?;
        let Some((&ED25519_TYPE, public)) = blob.split_first() else {
            return Err(key_error("is not an Ed25519 verifier key"));
        };
        let public = public.try_into().map_err(|_| malformed())?;
        if !is_name(name) {
            return Err(malformed());
        }
        let key = Self::new(name, public);
        if HEXLOWER.encode(&key.id) != id {
            return Err(key_error("the key id does not belong to the key"));
        }
        Ok(key)
    }
}

/// Whether a log may be called this: see [`NAME_RULE`].
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

fn key_error(problem: &str) -> AuditError {
    AuditError::Key(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_text() {
        let key = SigningKey::new("a.example/log", &SigningKey::generate().unwrap()).unwrap();
        let text = key.verification().to_string();
        assert_eq!(&text.parse::<VerificationKey>().unwrap(), key.verification());
        let other = text.replacen("a.example", "b.example", 1);
        assert!(other.parse::<VerificationKey>().is_err());
    }

    // The example of the signed-note specification.
    #[test]
    fn the_published_example_key_is_read() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerificationKey = text.parse().unwrap();
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let secret = SigningKey::generate().unwrap();
        for name in ["", "a b", "a+b", "a\nb", "\u{e9}", &"x".repeat(201)] {
            assert!(SigningKey::new(name, &secret).is_err(), "{name:?}");
        }
        assert!(SigningKey::new("a", &Secret::new(vec![1; 32])).is_err());
    }
}
