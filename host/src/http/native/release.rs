//! `POST /v1/keys/{name}/release`: a key, wrapped to the recipient key that the evidence binds.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::attestations::{AttestationRequest, EvidenceBody};
use crate::flow::{Caller, ReleasedKey};
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;

/// Either a token, or a challenge with evidence and recipient; never both.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged, try_from = "ReleaseBody")]
pub enum ReleaseRequest {
    /// With the token of an attestation.
    Token(ReleaseWithToken),
    /// With evidence, for a challenge whose purpose is the release of this key.
    Evidence(ReleaseWithEvidence),
}

/// A release on an attestation token.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseWithToken {
    /// The attestation token: a JWT, or a CWT as base64url without padding. Where the operator lists
    /// other attestation services, the JWT of one of them.
    pub token: String,
    /// The key's version; the current one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Attestation and release in one call.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseWithEvidence {
    /// The challenge, as it was handed out.
    pub challenge: String,
    /// The evidence, bound to the challenge and to the recipient key.
    pub evidence: EvidenceBody,
    /// Evidence of further attesters of the same workload, such as GPUs, at most 16. Each carries the
    /// challenge; `evidence` vouches for them, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<EvidenceBody>,
    /// The recipient's public key, a JWK (RFC 7517).
    #[schema(value_type = Object)]
    pub recipient: Map<String, Value>,
    /// The key's version; the current one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Every member that a release may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    token: Option<String>,
    challenge: Option<String>,
    evidence: Option<EvidenceBody>,
    companions: Option<Vec<EvidenceBody>>,
    recipient: Option<Map<String, Value>>,
    version: Option<String>,
}

impl TryFrom<ReleaseBody> for ReleaseRequest {
    type Error = &'static str;

    fn try_from(body: ReleaseBody) -> Result<Self, Self::Error> {
        let (version, companions) = (body.version, body.companions);
        match (body.token, body.challenge, body.evidence, body.recipient) {
            (Some(token), None, None, None) if companions.is_none() => {
                Ok(Self::Token(ReleaseWithToken { token, version }))
            }
            (None, Some(challenge), Some(evidence), Some(recipient)) => {
                let companions = companions.unwrap_or_default();
                Ok(Self::Evidence(ReleaseWithEvidence {
                    challenge,
                    evidence,
                    companions,
                    recipient,
                    version,
                }))
            }
            _ => Err("wanted is a token, or a challenge with evidence and recipient"),
        }
    }
}

/// A released key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Release {
    /// The key, wrapped to the recipient key: JWE in compact form (RFC 7516).
    pub jwe: String,
    /// What is inside: `application/octet-stream`, `application/pkcs8`.
    #[serde(rename = "type")]
    pub media_type: String,
    /// The key's version.
    pub version: String,
    /// AR4SI status of the appraisal behind the release; `none` where another service's token is.
    pub status: String,
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// Whether the plugin that the key came from may read its bytes; left out where it may not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_key_material: bool,
    /// The leaf of the record in the audit log.
    pub audit_index: u64,
}

impl From<ReleasedKey> for Release {
    fn from(released: ReleasedKey) -> Self {
        Self {
            jwe: released.jwe,
            media_type: released.media_type,
            version: released.version,
            status: released.status.to_owned(),
            simulated: released.simulated,
            reads_key_material: released.reads_key_material,
            audit_index: released.audit_index,
        }
    }
}

/// Have a key released.
#[utoipa::path(
    post, path = "/v1/keys/{name}/release", tag = "release", operation_id = "releaseKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = ReleaseRequest,
    responses((status = 200, description = "The key, for the holder of the recipient key only.", body = Release)),
)]
pub(crate) async fn create(
    State(door): State<Door>,
    Asks(caller): Asks,
    KeyName(key): KeyName,
    Json(request): Json<ReleaseRequest>,
) -> Result<JsonAnswer<Release>, Refused> {
    release(&door, &caller, &key, request).await
}

/// Have a secret released that has a release policy.
#[utoipa::path(
    post, path = "/v1/secrets/{name}/release", tag = "release", operation_id = "releaseSecret",
    params(("name" = String, Path, description = "The secret's name. In a challenge's purpose, and in the header of what is wrapped, `secrets/` stands before it.")),
    request_body = ReleaseRequest,
    responses((status = 200, description = "The secret, for the holder of the recipient key only.", body = Release)),
)]
pub(crate) async fn secret(
    State(door): State<Door>,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<ReleaseRequest>,
) -> Result<JsonAnswer<Release>, Refused> {
    release(&door, &caller, &format!("secrets/{name}"), request).await
}

async fn release(
    door: &Door,
    caller: &Caller,
    key: &str,
    request: ReleaseRequest,
) -> Result<JsonAnswer<Release>, Refused> {
    let released = match request {
        ReleaseRequest::Token(ReleaseWithToken { token, version }) => {
            let answer = door.api.release_with_token(caller, key, version.as_deref(), &token);
            answer.await?
        }
        ReleaseRequest::Evidence(request) => {
            let submission = AttestationRequest {
                challenge: request.challenge,
                evidence: request.evidence,
                companions: request.companions,
                recipient: request.recipient,
                trust_path: false,
            };
            let version = request.version.as_deref();
            let answer = door.api.release_with_evidence(caller, key, version, submission.into());
            answer.await?
        }
    };
    Ok(JsonAnswer(released.into()))
}
