//! The material of a key in the host's hands, for the moment of an operation, and its public part.

use std::sync::Arc;

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;

use super::record::internal;
use crate::error::{Code, Refusal};
use crate::flow::release::refuse_kms;
use crate::plugin::{KeyReference, KmsPlugin, ReleaseContext, Released};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// What a connector is asked for here is for nobody outside: there is no recipient.
struct ForTheHost;

impl ReleaseContext for ForTheHost {
    fn recipient(&self) -> String {
        "{}".to_owned()
    }

    fn attestation(&self) -> Result<String, String> {
        Err("the key does not leave the host".to_owned())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        None
    }
}

/// The material of a version: PKCS#8, or raw bytes for `oct`.
pub(super) async fn of(
    kms: &KmsPlugin,
    tenant: &Tenant,
    name: &str,
    number: &str,
) -> Result<Secret, Refusal> {
    let reference = KeyReference { name: name.to_owned(), version: Some(number.to_owned()) };
    let released = kms.release(tenant, &reference, Arc::new(ForTheHost)).await;
    match released.map_err(|failure| refuse_kms(kms.name(), failure))? {
        Released::Held { key, .. } => Ok(key),
        Released::Wrapped { .. } => {
            let reason = format!("{} does not give keys into the host's hands", kms.name());
            Err(Refusal::new(Code::KmsUnsupported, reason))
        }
    }
}

/// The curve of a kind of EC keys, and its name in a JWK.
pub(super) fn curve(kind: &str) -> Option<(&'static EcdsaSigningAlgorithm, &'static str)> {
    match kind {
        "ec-p256" => Some((&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")),
        "ec-p384" => Some((&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")),
        "ec-p521" => Some((&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")),
        _ => None,
    }
}

/// The public part as a JWK (RFC 7518, section 6; RFC 8037, section 2); none for `oct`.
pub(super) fn public(kind: &str, material: &Secret) -> Result<Option<Value>, Refusal> {
    let der = material.expose();
    if let Some((algorithm, name)) = curve(kind) {
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, der).map_err(|error| internal(&error))?;
        let [4, point @ ..] = pair.public_key().as_ref() else {
            return Err(internal(&"the point is not uncompressed"));
        };
        let (x, y) = point.split_at(point.len() / 2);
        return Ok(Some(json!({"kty": "EC", "crv": name, "x": text(x), "y": text(y)})));
    }
    if kind == "ed25519" {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        let pair = pair.map_err(|error| internal(&error))?;
        let x = text(pair.public_key().as_ref());
        return Ok(Some(json!({"kty": "OKP", "crv": "Ed25519", "x": x})));
    }
    if !kind.starts_with("rsa-") {
        return Ok(None);
    }
    let pair = RsaKeyPair::from_pkcs8(der).map_err(|error| internal(&error))?;
    let (_, public) =
        RSAPublicKey::from_der(pair.public_key().as_ref()).map_err(|error| internal(&error))?;
    let number = |integer: &[u8]| text(integer.strip_prefix(&[0]).unwrap_or(integer));
    let (n, e) = (number(public.modulus), number(public.exponent));
    Ok(Some(json!({"kty": "RSA", "n": n, "e": e})))
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
