//! JWTs by which policies and the certificates of their signers are set. Microsoft's client for Python
//! writes `RSA256` and `ECDH256` where RFC 7518 has `RS256` and `ES256`, an ECDSA signature in DER, and
//! the certificate inside a `jwk` of the header; all of that is taken for what it means. What counts is
//! that the certificate is one that was listed, byte for byte.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Map, Value as Json, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::json::{self, Limits};

/// Larger tokens are not read.
const LARGEST: usize = 128 << 10;

/// `rsaEncryption` (RFC 8017, appendix C) and `id-ecPublicKey` (RFC 5480, section 2.1.1).
const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";

/// A JWT, read but not yet believed.
pub(super) struct Signed {
    input: String,
    signature: Vec<u8>,
    algorithm: String,
    certificate: Option<Vec<u8>>,
    chain: Json,
    claims: Map<String, Json>,
}

/// Why a JWT is not believed.
#[derive(Debug)]
pub(super) struct Distrusted(pub(super) &'static str);

impl Signed {
    /// Reads a compact JWS. Padding is tolerated, as clients write it.
    pub(super) fn read(token: &str) -> Result<Self, &'static str> {
        if token.len() > LARGEST {
            return Err("the token is too large");
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("not a JWT of three parts");
        };
        let limits = Limits::REQUEST.with_bytes(LARGEST);
        let read = |part: &str| {
            let bytes = decode(part)?;
            if bytes.is_empty() {
                return Some(Map::new());
            }
            json::parse::<Map<String, Json>>(&bytes, Limits { nulls: true, ..limits }).ok()
        };
        let head = read(header).ok_or("the header is not JSON in base64url")?;
        let claims_read = read(claims).ok_or("the body is not a JSON object in base64url")?;
        let signature = decode(signature).ok_or("the signature is not base64url")?;
        let algorithm = head.get("alg").and_then(Json::as_str).unwrap_or_default().to_owned();
        let chain = head.get("x5c").or_else(|| head.get("jwk")?.get("x5c"));
        let chain = chain.cloned().unwrap_or_default();
        let certificate = match chain.get(0).and_then(Json::as_str) {
            Some(leaf) => {
                Some(BASE64.decode(leaf.as_bytes()).map_err(|_| "x5c is not base64 of DER")?)
            }
            None => None,
        };
        let input = format!("{header}.{claims}");
        Ok(Self { input, signature, algorithm, certificate, chain, claims: claims_read })
    }

    /// One claim.
    pub(super) fn claim(&self, name: &str) -> Option<&Json> {
        self.claims.get(name)
    }

    /// The policy's text; none where it is empty: a policy is taken away.
    pub(super) fn policy(&self) -> Result<Option<String>, &'static str> {
        let Some(encoded) = self.claims.get("AttestationPolicy") else { return Ok(None) };
        let encoded = encoded.as_str().ok_or("AttestationPolicy is not a text")?;
        let text = decode(encoded).ok_or("AttestationPolicy is not base64url")?;
        let text = String::from_utf8(text).map_err(|_| "AttestationPolicy is not UTF-8")?;
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// `x-ms-policy-signer`; none where nobody signed.
    pub(super) fn signer(&self) -> Option<Json> {
        self.certificate.as_ref()?;
        Some(json!({"jwk": {"x5c": self.chain}, "x5c": self.chain}))
    }

    /// Believes what a listed certificate signed; what nobody signed only where that is allowed.
    pub(super) fn check(&self, listed: &[Vec<u8>], unsigned: bool) -> Result<(), Distrusted> {
        if self.algorithm == "none" {
            return match unsigned && self.signature.is_empty() {
                true => Ok(()),
                false => Err(Distrusted("nobody signed it, and that is not allowed here")),
            };
        }
        let certificate = self.certificate.as_ref();
        let certificate = certificate.ok_or(Distrusted("it names no certificate"))?;
        if !listed.contains(certificate) {
            return Err(Distrusted("its certificate is none of those that may sign policies"));
        }
        verify(certificate, &self.algorithm, self.input.as_bytes(), &self.signature)
            .ok_or(Distrusted("its signature does not hold"))
    }
}

/// The algorithm is the key's; the header may only name one of its kind.
fn verify(certificate: &[u8], algorithm: &str, input: &[u8], signature: &[u8]) -> Option<()> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let info = parsed.public_key();
    let key = info.subject_public_key.data.as_ref();
    let check = |by: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(by, key).verify(input, signature).ok()
    };
    match (info.algorithm.algorithm.to_id_string().as_str(), algorithm) {
        (RSA, "RS256" | "RSA256") => check(&RSA_PKCS1_2048_8192_SHA256),
        (EC, "ES256" | "ECDH256") => match (key.len(), signature.len()) {
            (65, 64) => check(&ECDSA_P256_SHA256_FIXED),
            (65, _) => check(&ECDSA_P256_SHA256_ASN1),
            _ => None,
        },
        (EC, "ES384") => match (key.len(), signature.len()) {
            (97, 96) => check(&ECDSA_P384_SHA384_FIXED),
            (97, _) => check(&ECDSA_P384_SHA384_ASN1),
            _ => None,
        },
        _ => None,
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()
}
