//! `POST /v1/challenges`: a nonce to put into the evidence.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::flow::{IssuedChallenge, Purpose};
use crate::http::body::Json;
use crate::http::caller::Asks;
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::Base64Url;

/// What the evidence will be for. Evidence made for one purpose is refused for another.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "purpose", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChallengeRequest {
    /// An attestation token, see `/v1/attestations`.
    Attestation {},
    /// One key, with the evidence in the same call, see `/v1/keys/{name}/release`.
    Release {
        /// The key's name; of a secret `secrets/` and its name.
        key: String,
    },
}

impl From<ChallengeRequest> for Purpose {
    fn from(request: ChallengeRequest) -> Self {
        match request {
            ChallengeRequest::Attestation {} => Self::Attestation,
            ChallengeRequest::Release { key } => Self::Release { key },
        }
    }
}

/// A challenge. Nonce, host and purpose go into the evidence's report data together with the
/// recipient key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Challenge {
    /// To be sent back with the evidence, unchanged.
    pub challenge: String,
    /// 32 bytes.
    #[schema(inline)]
    pub nonce: Base64Url,
    /// From this moment the challenge is refused (RFC 3339).
    #[schema(format = DateTime)]
    pub expires: String,
    /// This host's identifier.
    pub host: String,
    /// The purpose as it goes into the report data: `attestation`, or `release:` and the key.
    pub purpose: String,
}

impl From<IssuedChallenge> for Challenge {
    fn from(issued: IssuedChallenge) -> Self {
        Self {
            challenge: issued.token,
            nonce: Base64Url(issued.nonce.to_vec()),
            expires: issued.expires.to_string(),
            host: issued.host,
            purpose: issued.purpose,
        }
    }
}

/// Ask for a challenge.
#[utoipa::path(
    post, path = "/v1/challenges", tag = "release", operation_id = "createChallenge",
    request_body = ChallengeRequest,
    responses((status = 200, description = "A fresh challenge, to be used once.", body = Challenge)),
)]
pub(crate) async fn create(
    State(door): State<Door>,
    Asks(caller): Asks,
    Json(request): Json<ChallengeRequest>,
) -> Result<JsonAnswer<Challenge>, Refused> {
    let issued = door.api.challenge(&caller, request.into())?;
    Ok(JsonAnswer(issued.into()))
}
