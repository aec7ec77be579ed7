//! The recipient's side: a workload's private key, which opens what was wrapped for it.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::agreement::{self, CURVE_P256, CURVE_P384, CURVE_P521, CURVE_X25519, Curve, Point};
use super::concat_kdf;
use super::jwe::{Compact, ContentKey, ENCRYPTION, Header, WrapHeader};
use super::jwk::Canonical;
use super::recipient::WrapError;
use super::{rsa, xwing};
use crate::secret::Secret;

/// Kinds of key that a client can make.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum RecipientKind {
    /// EC P-256.
    P256,
    /// EC P-384.
    P384,
    /// EC P-521.
    P521,
    /// RSA of 2048 bits.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
    /// X25519; small and fast.
    X25519,
    /// X25519 and ML-KEM-768 together, against those who record now and compute later.
    XWing,
}

impl RecipientKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::P256,
        Self::P384,
        Self::P521,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::X25519,
        Self::XWing,
    ];
}

/// Why nothing was unwrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnwrapError {
    /// Altered, wrapped for another key, or under an invalid ephemeral key.
    #[error("the wrapped key does not open: it was altered or is not for this recipient key")]
    Failed,
    /// Not a compact JWE with the header that this host writes.
    #[error("the wrapped key is malformed")]
    Malformed,
    /// `alg` or `enc` is not the one for this key.
    #[error("the wrapped key uses an algorithm that does not belong to this recipient key")]
    Unsupported,
    /// `kid` names another recipient key.
    #[error("the wrapped key is for another recipient key")]
    WrongRecipient,
}

/// What was wrapped, and what it says about itself.
#[derive(Debug)]
pub struct Unwrapped {
    /// The key material.
    pub secret: Secret,
    /// The authenticated header; its reader compares key, version and challenge with what it asked.
    pub header: WrapHeader,
}

/// A workload's key pair; the private half never leaves this value.
pub struct RecipientPrivateKey {
    canonical: Canonical,
    material: Material,
}

enum Material {
    Agreement(&'static Curve, PrivateKey),
    Rsa(PrivateDecryptingKey),
    XWing(Box<xwing::SecretKey>),
}

impl RecipientPrivateKey {
    /// A fresh key pair.
    ///
    /// # Errors
    /// [`WrapError::Provider`] where the cryptographic provider fails.
    pub fn generate(kind: RecipientKind) -> Result<Self, WrapError> {
        match kind {
            RecipientKind::P256 => Self::on(&CURVE_P256),
            RecipientKind::P384 => Self::on(&CURVE_P384),
            RecipientKind::P521 => Self::on(&CURVE_P521),
            RecipientKind::X25519 => Self::on(&CURVE_X25519),
            RecipientKind::Rsa2048 => Self::rsa(KeySize::Rsa2048),
            RecipientKind::Rsa3072 => Self::rsa(KeySize::Rsa3072),
            RecipientKind::Rsa4096 => Self::rsa(KeySize::Rsa4096),
            RecipientKind::XWing => {
                let key = xwing::SecretKey::generate()?;
                Ok(Self {
                    canonical: key.public().canonical(),
                    material: Material::XWing(Box::new(key)),
                })
            }
        }
    }

    fn on(curve: &'static Curve) -> Result<Self, WrapError> {
        let key = PrivateKey::generate(curve.algorithm).map_err(|_| WrapError::Provider)?;
        Self::from_agreement_key(curve, key)
    }

    fn from_agreement_key(curve: &'static Curve, key: PrivateKey) -> Result<Self, WrapError> {
        let public = key.compute_public_key().map_err(|_| WrapError::Provider)?;
        let canonical = Point::from_octets(curve, public.as_ref())
            .and_then(|point| point.canonical())
            .map_err(|_| WrapError::Provider)?;
        Ok(Self { canonical, material: Material::Agreement(curve, key) })
    }

    fn rsa(size: KeySize) -> Result<Self, WrapError> {
        let key = PrivateDecryptingKey::generate(size).map_err(|_| WrapError::Provider)?;
        Self::from_rsa_key(key)
    }

    fn from_rsa_key(key: PrivateDecryptingKey) -> Result<Self, WrapError> {
        let public = rsa::PublicKey::of(&key).map_err(|_| WrapError::Provider)?;
        Ok(Self { canonical: public.canonical(), material: Material::Rsa(key) })
    }

    /// The public JWK, to be sent along with the evidence.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.canonical.jwk
    }

    /// SHA-256 thumbprint of the public key (RFC 7638), which the evidence binds.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        self.canonical.thumbprint
    }

    /// Opens a compact JWE that was wrapped to this key.
    ///
    /// # Errors
    /// [`UnwrapError`].
    pub fn unwrap(&self, jwe: &str) -> Result<Unwrapped, UnwrapError> {
        let compact = Compact::parse(jwe)?;
        let header = compact.header()?;
        if header.enc != ENCRYPTION || header.alg != self.algorithm() {
            return Err(UnwrapError::Unsupported);
        }
        if header.kid != BASE64URL_NOPAD.encode(&self.canonical.thumbprint) {
            return Err(UnwrapError::WrongRecipient);
        }
        let key = self.content_key(&header, &compact.encrypted_key)?;
        let secret = compact.open(&key)?;
        Ok(Unwrapped { secret, header: header.claviger })
    }

    fn algorithm(&self) -> &'static str {
        match self.material {
            Material::Agreement(..) => agreement::ALGORITHM,
            Material::Rsa(_) => rsa::ALGORITHM,
            Material::XWing(_) => xwing::ALGORITHM,
        }
    }

    fn content_key(&self, header: &Header, encrypted: &[u8]) -> Result<ContentKey, UnwrapError> {
        if matches!(self.material, Material::Agreement(..)) != header.epk.is_some() {
            return Err(UnwrapError::Malformed);
        }
        let derive = |z: &[u8]| {
            let apu = party(header.apu.as_deref())?;
            let apv = party(header.apv.as_deref())?;
            concat_kdf::derive(z, ENCRYPTION, &apu, &apv).map_err(|_| UnwrapError::Failed)
        };
        match &self.material {
            Material::Agreement(curve, ours) => {
                if !encrypted.is_empty() {
                    return Err(UnwrapError::Malformed);
                }
                let epk = header.epk.as_ref().ok_or(UnwrapError::Malformed)?;
                let point = epk.point().map_err(|_| UnwrapError::Failed)?;
                if point.curve().name != curve.name {
                    return Err(UnwrapError::Failed);
                }
                derive(&point.agree(ours).map_err(|_| UnwrapError::Failed)?)
            }
            Material::Rsa(ours) => rsa::decrypt(ours, encrypted).ok_or(UnwrapError::Failed),
            Material::XWing(ours) => {
                let shared = ours.decapsulate(encrypted).ok_or(UnwrapError::Failed)?;
                derive(shared.as_slice())
            }
        }
    }
}

impl std::fmt::Debug for RecipientPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kid = BASE64URL_NOPAD.encode(&self.canonical.thumbprint);
        write!(f, "RecipientPrivateKey({kid})")
    }
}

/// `apu` or `apv`; empty where the header has none.
fn party(name: Option<&str>) -> Result<Vec<u8>, UnwrapError> {
    BASE64URL_NOPAD.decode(name.unwrap_or_default().as_bytes()).map_err(|_| UnwrapError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::RecipientKey;
    use super::*;

    fn context() -> WrapHeader {
        WrapHeader {
            cty: "application/octet-stream".to_owned(),
            tenant: "default".to_owned(),
            key: "disk".to_owned(),
            version: "1".to_owned(),
            challenge: [7; 32],
            audit: Some(42),
        }
    }

    fn wrap(to: &RecipientPrivateKey) -> String {
        RecipientKey::from_jwk(to.jwk()).unwrap().wrap(b"key material", &context()).unwrap()
    }

    /// The protected header of a JWE with something changed in it.
    fn with_header(jwe: &str, change: impl FnOnce(&mut Value)) -> String {
        let (header, rest) = jwe.split_once('.').unwrap();
        let header = BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
        let mut header = serde_json::from_slice(&header).unwrap();
        change(&mut header);
        let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
        format!("{header}.{rest}")
    }

    #[test]
    fn what_is_wrapped_to_a_key_of_any_kind_is_unwrapped_with_its_context() {
        for kind in RecipientKind::ALL {
            let private = RecipientPrivateKey::generate(*kind).unwrap();
            let unwrapped = private.unwrap(&wrap(&private)).unwrap();
            assert_eq!(unwrapped.secret.expose(), b"key material", "{kind:?}");
            assert_eq!(unwrapped.header, context(), "{kind:?}");
        }
    }

    #[test]
    fn an_empty_and_a_large_secret_are_wrapped() {
        let private = RecipientPrivateKey::generate(RecipientKind::X25519).unwrap();
        let public = RecipientKey::from_jwk(private.jwk()).unwrap();
        for length in [0, 1, 15, 16, 17, 100_000] {
            let secret = vec![0xa5; length];
            let jwe = public.wrap(&secret, &context()).unwrap();
            assert!(private.unwrap(&jwe).unwrap().secret.matches(&secret));
        }
    }

    #[test]
    fn wrapping_twice_uses_another_content_key_and_nonce() {
        let private = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
        let (one, two) = (wrap(&private), wrap(&private));
        for (one, two) in [0, 2, 3, 4].map(|at| (one.split('.').nth(at), two.split('.').nth(at))) {
            assert_ne!(one, two);
        }
    }

    // attack 53
    #[test]
    fn a_changed_header_makes_the_content_unreadable() {
        for kind in [RecipientKind::X25519, RecipientKind::Rsa2048, RecipientKind::XWing] {
            let private = RecipientPrivateKey::generate(kind).unwrap();
            let jwe = wrap(&private);
            let unchanged = with_header(&jwe, |_| {});
            // The order of the members is part of what is authenticated, too.
            assert_eq!(private.unwrap(&unchanged).err(), Some(UnwrapError::Failed));
            for change in [
                |header: &mut Value| header["claviger"]["key"] = json!("other"),
                |header: &mut Value| header["claviger"]["version"] = json!("2"),
                |header: &mut Value| header["claviger"]["tenant"] = json!("other"),
                |header: &mut Value| header["claviger"]["audit"] = json!(43),
                |header: &mut Value| {
                    header["claviger"]["challenge"] = json!(BASE64URL_NOPAD.encode(&[8; 32]));
                },
                |header: &mut Value| header["cty"] = json!("text/plain"),
                |header: &mut Value| header["apu"] = json!("QWxpY2U"),
                |header: &mut Value| header["apv"] = json!("Qm9i"),
            ] {
                let changed = with_header(&jwe, change);
                assert_eq!(private.unwrap(&changed).err(), Some(UnwrapError::Failed));
            }
        }
    }

    // attack 10
    #[test]
    fn another_recipient_cannot_open_it_even_under_its_own_name() {
        for kind in [RecipientKind::P384, RecipientKind::Rsa2048, RecipientKind::XWing] {
            let private = RecipientPrivateKey::generate(kind).unwrap();
            let other = RecipientPrivateKey::generate(kind).unwrap();
            let jwe = wrap(&private);
            assert_eq!(other.unwrap(&jwe).err(), Some(UnwrapError::WrongRecipient));
            let kid = json!(BASE64URL_NOPAD.encode(&other.thumbprint()));
            let renamed = with_header(&jwe, |header| header["kid"] = kid);
            assert_eq!(other.unwrap(&renamed).err(), Some(UnwrapError::Failed));
        }
    }

    // attack 53
    #[test]
    fn an_altered_ciphertext_or_encapsulation_does_not_open() {
        for kind in [RecipientKind::P256, RecipientKind::Rsa2048, RecipientKind::XWing] {
            let private = RecipientPrivateKey::generate(kind).unwrap();
            let jwe = wrap(&private);
            let parts: Vec<&str> = jwe.split('.').collect();
            for at in 1..5 {
                let mut octets = BASE64URL_NOPAD.decode(parts[at].as_bytes()).unwrap();
                let Some(byte) = octets.first_mut() else {
                    continue;
                };
                *byte ^= 1;
                let altered = BASE64URL_NOPAD.encode(&octets);
                let mut parts = parts.clone();
                parts[at] = &altered;
                let outcome = private.unwrap(&parts.join("."));
                assert_eq!(outcome.err(), Some(UnwrapError::Failed), "{kind:?} {at}");
            }
        }
    }

    // attack 53
    #[test]
    fn an_invalid_ephemeral_key_is_refused() {
        let x25519 = RecipientPrivateKey::generate(RecipientKind::X25519).unwrap();
        let p256 = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
        let zero = json!(BASE64URL_NOPAD.encode(&[0; 32]));
        let epk = |private: &RecipientPrivateKey, epk: &Value| {
            let jwe = with_header(&wrap(private), |header| header["epk"] = epk.clone());
            private.unwrap(&jwe).err()
        };
        for (private, point) in [
            (&x25519, json!({"kty": "OKP", "crv": "X25519", "x": zero})),
            (&p256, json!({"kty": "EC", "crv": "P-256", "x": zero, "y": zero})),
            (&x25519, p256.jwk().clone()),
            (&p256, x25519.jwk().clone()),
        ] {
            assert_eq!(epk(private, &point), Some(UnwrapError::Failed), "{point}");
        }
        let with_key = json!({"kty": "OKP", "crv": "X25519", "x": zero, "d": zero});
        assert_eq!(epk(&x25519, &with_key), Some(UnwrapError::Malformed));
    }

    // attack 53
    #[test]
    fn no_other_algorithm_compression_or_extension_is_accepted() {
        let private = RecipientPrivateKey::generate(RecipientKind::X25519).unwrap();
        let jwe = wrap(&private);
        for (name, value, fault) in [
            ("alg", json!("dir"), UnwrapError::Unsupported),
            ("alg", json!("RSA-OAEP-256"), UnwrapError::Unsupported),
            ("alg", json!("ECDH-ES+A256KW"), UnwrapError::Unsupported),
            ("enc", json!("A128GCM"), UnwrapError::Unsupported),
            ("zip", json!("DEF"), UnwrapError::Malformed),
            ("crit", json!(["exp"]), UnwrapError::Malformed),
            ("jku", json!("https://evil.example"), UnwrapError::Malformed),
        ] {
            let changed = with_header(&jwe, |header| header[name] = value);
            assert_eq!(private.unwrap(&changed).err(), Some(fault), "{name}");
        }
        let with_key = jwe.replacen("..", ".AAAA.", 1);
        assert_eq!(private.unwrap(&with_key).err(), Some(UnwrapError::Malformed));
    }

    #[test]
    fn a_private_key_does_not_print() {
        let private = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
        let kid = BASE64URL_NOPAD.encode(&private.thumbprint());
        assert_eq!(format!("{private:?}"), format!("RecipientPrivateKey({kid})"));
    }
}
