//! A Sigstore bundle, read: one signature over one message, and what its signer shows.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::json;

use super::sigstore::Entry;
use crate::json::{self, Limits};
use crate::plugin::package::{LARGEST_SIGNATURE, SIGNATURE_TYPE};

/// The most log entries, and the most timestamps, in one bundle: each costs a check.
const MOST_ENTRIES: usize = 4;

const LIMITS: Limits = Limits::REQUEST.with_bytes(LARGEST_SIGNATURE);

/// A signature with what its signer shows. Nothing is checked yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// SHA-256 of what was signed, as the bundle has it.
    pub(super) digest: [u8; 32],
    /// The signature.
    pub(super) signature: Vec<u8>,
    /// Who is said to have made it.
    pub(super) material: Material,
}

/// What a signer shows.
#[derive(Clone, Debug)]
pub(super) enum Material {
    /// A certificate of Sigstore's (DER), the log's entries about the signature, and what timestamp
    /// authorities say of it (RFC 3161).
    Certificate { leaf: Vec<u8>, entries: Vec<Entry>, stamps: Vec<Vec<u8>> },
    /// Nothing: the verifier has the key.
    Key,
}

/// A bundle cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BundleError {
    /// It does not parse.
    #[error("the bundle is malformed: {0}")]
    Malformed(String),
    /// It is another kind of bundle than signatures of plugins are.
    #[error("the bundle has {0}")]
    Unsupported(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: WireMaterial,
    message_signature: Option<WireSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaterial {
    certificate: Option<WireCertificate>,
    x509_certificate_chain: Option<WireChain>,
    public_key: Option<serde_json::Value>,
    #[serde(default)]
    tlog_entries: Vec<Entry>,
    timestamp_verification_data: Option<WireStamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStamps {
    #[serde(default)]
    rfc3161_timestamps: Vec<WireStamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStamp {
    signed_timestamp: String,
}

/// Certificates as Sigstore's JSON has them (`X509CertificateChain`, `X509Certificate`).
#[derive(Deserialize)]
pub(super) struct WireChain {
    pub(super) certificates: Vec<WireCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireCertificate {
    pub(super) raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSignature {
    message_digest: Option<WireDigest>,
    signature: String,
}

#[derive(Deserialize)]
struct WireDigest {
    algorithm: String,
    digest: String,
}

impl Bundle {
    /// Reads a bundle.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let wire: Wire = json::parse(bytes, LIMITS)
            .map_err(|error| BundleError::Malformed(error.to_string()))?;
        if !wire.media_type.starts_with("application/vnd.dev.sigstore.bundle") {
            return Err(BundleError::Unsupported("another media type than a Sigstore bundle"));
        }
        let Some(signed) = wire.message_signature else {
            return Err(BundleError::Unsupported("no message signature"));
        };
        let digest = signed.message_digest.ok_or(BundleError::Unsupported("no message digest"))?;
        if digest.algorithm != "SHA2_256" {
            return Err(BundleError::Unsupported("a message digest other than SHA-256"));
        }
        let digest = base64(&digest.digest)?;
        let digest = digest.try_into().map_err(|_| malformed("a digest that is not 32 bytes"))?;
        let WireMaterial {
            certificate,
            x509_certificate_chain,
            public_key,
            tlog_entries,
            timestamp_verification_data,
        } = wire.verification_material;
        if tlog_entries.len() > MOST_ENTRIES {
            return Err(BundleError::Unsupported("more log entries than are checked"));
        }
        let stamps = timestamp_verification_data.map(|data| data.rfc3161_timestamps);
        let stamps = stamps.unwrap_or_default();
        if stamps.len() > MOST_ENTRIES {
            return Err(BundleError::Unsupported("more timestamps than are checked"));
        }
        // Bundles before 0.3 have a chain; only its first certificate is the signer's.
        let leaf = certificate.or_else(|| {
            x509_certificate_chain.and_then(|chain| chain.certificates.into_iter().next())
        });
        let material = match (leaf, public_key) {
            (Some(leaf), None) => {
                let stamps = stamps.iter().map(|stamp| base64(&stamp.signed_timestamp));
                Material::Certificate {
                    leaf: base64(&leaf.raw_bytes)?,
                    entries: tlog_entries,
                    stamps: stamps.collect::<Result<_, _>>()?,
                }
            }
            (None, Some(_)) => Material::Key,
            _ => return Err(BundleError::Unsupported("neither one certificate nor one key")),
        };
        Ok(Self { digest, signature: base64(&signed.signature)?, material })
    }

    /// The bundle of a signature by a key, as JSON.
    #[must_use]
    pub fn by_key(key: &[u8; 32], digest: &[u8; 32], signature: &[u8]) -> Vec<u8> {
        let bundle = json!({
            "mediaType": SIGNATURE_TYPE,
            "verificationMaterial": {
                "publicKey": { "hint": BASE64.encode(key) },
                "tlogEntries": [],
            },
            "messageSignature": {
                "messageDigest": { "algorithm": "SHA2_256", "digest": BASE64.encode(digest) },
                "signature": BASE64.encode(signature),
            },
        });
        format!("{bundle:#}\n").into_bytes()
    }
}

pub(super) fn base64(text: &str) -> Result<Vec<u8>, BundleError> {
    BASE64.decode(text.as_bytes()).map_err(|_| malformed("base64 that is none"))
}

pub(super) fn malformed(what: &str) -> BundleError {
    BundleError::Malformed(what.to_owned())
}
