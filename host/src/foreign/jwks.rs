//! The keys of another service: a JWK Set (RFC 7517), by `kid`. A key whose kind or purpose is
//! another is left out (RFC 7517, section 5), and so are keys that share one `kid`.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::ForeignError;
use super::certificate;
use crate::json::{self, Limits};

/// The largest discovery document or key set, in bytes.
pub(super) const LARGEST: usize = 256 << 10;

/// The most keys of a set.
const MOST: usize = 64;

/// What is read of documents. They are another's, so that numbers and nulls may stand in them.
pub(super) const LIMITS: Limits =
    Limits { floats: true, nulls: true, ..Limits::REQUEST.with_bytes(LARGEST) };

/// How tokens may be signed (RFC 7518, section 3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Algorithm {
    Es256,
    Es384,
    Ps256,
    Rs256,
}

impl Algorithm {
    /// Of `alg`, exactly as it is spelled; none of them needs no key, or a shared one.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "PS256" => Some(Self::Ps256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// The numbers of a public key: an uncompressed point (SEC 1), or big-endian without leading zeros.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Material {
    P256(Vec<u8>),
    P384(Vec<u8>),
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// A key that verifies signatures.
#[derive(Debug)]
pub(super) struct Key {
    material: Material,
    /// The one algorithm that it is for, where its JWK says so.
    only: Option<Algorithm>,
}

impl Key {
    /// Checks a signature; `algorithm` must be one of the key's.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), ForeignError> {
        if self.only.is_some_and(|only| only != algorithm) {
            return Err(ForeignError::Algorithm);
        }
        let held =
            match (&self.material, algorithm) {
                (Material::P256(point), Algorithm::Es256) => {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                        .verify(signed, signature)
                }
                (Material::P384(point), Algorithm::Es384) => {
                    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
                        .verify(signed, signature)
                }
                (Material::Rsa { n, e }, Algorithm::Ps256) => RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PSS_2048_8192_SHA256, signed, signature),
                (Material::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature),
                _ => return Err(ForeignError::Algorithm),
            };
        held.map_err(|_| ForeignError::Signature)
    }
}

/// Keys by `kid`.
#[derive(Debug)]
pub(super) struct KeySet(BTreeMap<String, Option<Key>>);

impl KeySet {
    /// Reads a JWK Set.
    ///
    /// # Errors
    /// It is none, or has no key that is used here; what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let document: Map<String, Value> =
            json::parse(bytes, LIMITS).map_err(|error| format!("the key set: {error}"))?;
        let keys = document.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("the key set has no `keys`")?;
        if keys.len() > MOST {
            return Err(format!("the key set has more than {MOST} keys"));
        }
        let mut by_kid = BTreeMap::new();
        for (kid, key) in keys.iter().filter_map(key) {
            by_kid.entry(kid).and_modify(|twice| *twice = None).or_insert(Some(key));
        }
        if by_kid.values().all(Option::is_none) {
            return Err("the key set has no key that is used here".to_owned());
        }
        Ok(Self(by_kid))
    }

    /// The one key of this name.
    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)?.as_ref()
    }
}

/// One key with its `kid`; none where it is not for signatures, or of a kind that is not used.
fn key(jwk: &Value) -> Option<(String, Key)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let kid = text("kid").filter(|kid| !kid.is_empty() && kid.len() <= 512)?;
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let operations = jwk.get("key_ops").map(|operations| {
        operations.as_array().is_some_and(|given| given.iter().any(|name| name == "verify"))
    });
    if operations == Some(false) {
        return None;
    }
    let only = match jwk.get("alg") {
        None | Some(Value::Null) => None,
        Some(name) => Some(Algorithm::of(name.as_str()?)?),
    };
    let certified = match jwk.get("x5c") {
        None | Some(Value::Null) => None,
        Some(chain) => Some(certificate::key(chain.as_array()?.first()?.as_str()?)?),
    };
    let kty = text("kty")?;
    let plain = match kty {
        "RSA" if jwk.get("n").is_some() => {
            Some(Material::Rsa { n: number(octets(text("n")?)?), e: number(octets(text("e")?)?) })
        }
        "EC" if jwk.get("x").is_some() => point(text("crv")?, text("x")?, text("y")?),
        _ => None,
    };
    let material = match (certified, plain) {
        // Both say which key it is; they must say the same.
        (Some(certified), Some(plain)) if certified != plain => return None,
        (Some(material), _) | (None, Some(material)) => material,
        (None, None) => return None,
    };
    let kind = match material {
        Material::P256(_) | Material::P384(_) => "EC",
        Material::Rsa { .. } => "RSA",
    };
    (kty == kind).then(|| (kid.to_owned(), Key { material, only }))
}

fn octets(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// Without the zeros that may stand before it.
pub(super) fn number(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn point(curve: &str, x: &str, y: &str) -> Option<Material> {
    let (x, y) = (octets(x)?, octets(y)?);
    let joined = [&[4], x.as_slice(), y.as_slice()].concat();
    match (curve, x.len(), y.len()) {
        ("P-256", 32, 32) => Some(Material::P256(joined)),
        ("P-384", 48, 48) => Some(Material::P384(joined)),
        _ => None,
    }
}
