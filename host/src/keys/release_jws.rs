//! Key Vault's signed answer: a compact JWS whose certificate chain (`x5c`) leads to a trusted root and
//! is of the vault that was asked. The sidecar checks by this same file.

use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use serde::Deserialize;
use serde_json::Value;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Certificates of the longest chain that is looked at.
const LONGEST: usize = 8;

/// Why an answer does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum JwsError {
    #[error("the answer is signed by an algorithm that is not accepted")]
    Algorithm,
    #[error("the answer's certificate chain does not lead to a trusted root: {0}")]
    Chain(String),
    #[error("the answer is malformed")]
    Malformed,
    #[error("the answer's certificate is not valid for {0}")]
    Name(String),
    #[error("the answer's signature does not hold")]
    Signature,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    x5c: Vec<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// Checks signature, chain and name, and gives the payload. `endpoint` is `host[:port]`.
pub(super) fn verify(
    jws: &str,
    endpoint: &str,
    roots: &[CertificateDer<'static>],
    now: Duration,
) -> Result<Value, JwsError> {
    let (signed, signature) = jws.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, payload) = signed
        .split_once('.')
        .filter(|(_, payload)| !payload.contains('.'))
        .ok_or(JwsError::Malformed)?;
    let header: Header =
        serde_json::from_slice(&octets(header)?).map_err(|_| JwsError::Malformed)?;
    if header.crit.is_some() || header.x5c.len() > LONGEST {
        return Err(JwsError::Malformed);
    }
    let algorithm = algorithm(&header.alg).ok_or(JwsError::Algorithm)?;
    let chain: Vec<CertificateDer<'static>> = header
        .x5c
        .iter()
        .map(|text| BASE64.decode(text.as_bytes()).map(CertificateDer::from))
        .collect::<Result<_, _>>()
        .map_err(|_| JwsError::Malformed)?;
    let (leaf, above) = chain.split_first().ok_or(JwsError::Malformed)?;
    let chain_error = |error: webpki::Error| JwsError::Chain(error.to_string());
    let certificate = EndEntityCert::try_from(leaf).map_err(chain_error)?;
    let anchors: Vec<_> =
        roots.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    certificate
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &anchors,
            above,
            UnixTime::since_unix_epoch(now),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(chain_error)?;
    if !names(leaf, endpoint) && !is_valid_for(&certificate, endpoint) {
        return Err(JwsError::Name(endpoint.to_owned()));
    }
    certificate
        .verify_signature(algorithm, signed.as_bytes(), &octets(signature)?)
        .map_err(|_| JwsError::Signature)?;
    serde_json::from_slice(&octets(payload)?).map_err(|_| JwsError::Malformed)
}

/// RSA alone: what Key Vault signs with, and all that its clients accept.
fn algorithm(alg: &str) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    use webpki::aws_lc_rs as known;
    Some(match alg {
        "RS256" => known::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => known::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => known::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        "PS384" => known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        "PS512" => known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        _ => return None,
    })
}

/// Whether the certificate is of this host, by the rules of TLS.
fn is_valid_for(certificate: &EndEntityCert<'_>, endpoint: &str) -> bool {
    let host = match endpoint.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => endpoint,
    };
    ServerName::try_from(host)
        .is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

/// Whether it names the endpoint literally, port and all: what the Go client wants of a service that
/// is not on port 443.
fn names(leaf: &CertificateDer<'_>, endpoint: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return false };
    let names = certificate.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| names.value.general_names.contains(&GeneralName::DNSName(endpoint)))
}

fn octets(part: &str) -> Result<Vec<u8>, JwsError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| JwsError::Malformed)
}

#[cfg(test)]
#[path = "release_jws_tests.rs"]
mod tests;
