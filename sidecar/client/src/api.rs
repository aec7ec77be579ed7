//! The host's native API as it stands on the wire, version 1 (`openapi.json`).

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::platform::Evidence;

/// What a challenge is asked for.
#[derive(Serialize)]
#[serde(tag = "purpose", rename_all = "kebab-case")]
pub(crate) enum ChallengeRequest<'a> {
    Attestation,
    Release { key: &'a str },
}

impl ChallengeRequest<'_> {
    /// Its label, as it goes into the report data.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Attestation => "attestation".to_owned(),
            Self::Release { key } => format!("release:{key}"),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Challenge {
    pub(crate) challenge: String,
    pub(crate) nonce: String,
    pub(crate) host: String,
    pub(crate) purpose: String,
}

#[derive(Serialize)]
pub(crate) struct Submission<'a> {
    pub(crate) challenge: &'a str,
    pub(crate) evidence: EvidenceBody<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) companions: Vec<EvidenceBody<'a>>,
    pub(crate) recipient: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct EvidenceBody<'a> {
    tee: &'a str,
    #[serde(rename = "type")]
    media_type: &'a str,
    #[serde(serialize_with = "base64url")]
    data: &'a [u8],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<String>,
}

impl<'a> From<&'a Evidence> for EvidenceBody<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        Self {
            tee: &evidence.tee,
            media_type: &evidence.media_type,
            data: &evidence.data,
            attachments: evidence
                .attachments
                .iter()
                .map(|one| BASE64URL_NOPAD.encode(one))
                .collect(),
        }
    }
}

/// An attestation result.
#[derive(Deserialize)]
pub(crate) struct Attestation {
    pub(crate) token: String,
    pub(crate) status: String,
    pub(crate) simulated: bool,
}

#[derive(Deserialize)]
pub(crate) struct Release {
    pub(crate) jwe: String,
    pub(crate) version: String,
    pub(crate) simulated: bool,
    pub(crate) audit_index: u64,
}

fn base64url<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64URL_NOPAD.encode(bytes))
}
