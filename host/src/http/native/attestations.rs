//! `POST /v1/attestations`: evidence in, an attestation token out.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::Code;
use crate::flow::{Attested, Evidence, Submission, Wanted};
use crate::http::accept::Accepted;
use crate::http::body::Json;
use crate::http::caller::Asks;
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::Base64Url;
use crate::result::{Form, PROFILE};

/// Evidence in answer to a challenge.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestationRequest {
    /// The challenge, as it was handed out.
    pub challenge: String,
    /// The evidence, bound to the challenge and to the recipient key.
    pub evidence: EvidenceBody,
    /// Evidence of further attesters of the same workload, such as GPUs, at most 16. Each carries the
    /// challenge; `evidence` vouches for them, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions: Vec<EvidenceBody>,
    /// The recipient's public key, a JWK (RFC 7517). Keys are wrapped to it.
    #[schema(value_type = Object)]
    pub recipient: Map<String, Value>,
    /// Whether the token is to have the custody operations that it rests on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_path: bool,
}

/// Evidence as it leaves the attester.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceBody {
    /// The kind of attester, which names the verifier: `snp`.
    pub tee: String,
    /// The media type of `data`; where absent, the first one that the verifier reads.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The evidence itself.
    #[schema(inline)]
    pub data: Base64Url,
    /// Certificates, logs and other things that go with it, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub attachments: Vec<Base64Url>,
}

impl From<EvidenceBody> for Evidence {
    fn from(body: EvidenceBody) -> Self {
        Self {
            tee: body.tee,
            media_type: body.media_type,
            data: body.data.0,
            attachments: body.attachments.into_iter().map(|bytes| bytes.0).collect(),
        }
    }
}

impl From<AttestationRequest> for Submission {
    fn from(request: AttestationRequest) -> Self {
        Self {
            challenge: request.challenge,
            evidence: request.evidence.into(),
            companions: request.companions.into_iter().map(Into::into).collect(),
            recipient: Value::Object(request.recipient),
        }
    }
}

/// An attestation result.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Attestation {
    /// The result: an EAR as a signed JWT. Only the holder of the recipient key can use it.
    pub token: String,
    /// From this moment the token is refused (RFC 3339).
    #[schema(format = DateTime)]
    pub expires: String,
    /// AR4SI status: `affirming`, `warning`, `contraindicated` or `none`.
    pub status: String,
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// The leaf of the record in the audit log.
    pub audit_index: u64,
}

impl From<Attested> for Attestation {
    fn from(attested: Attested) -> Self {
        Self {
            token: attested.token,
            expires: attested.expires.to_string(),
            status: attested.status.to_owned(),
            simulated: attested.simulated,
            audit_index: attested.audit_index,
        }
    }
}

/// Have evidence judged.
#[utoipa::path(
    post, path = "/v1/attestations", tag = "release", operation_id = "createAttestation",
    request_body = AttestationRequest,
    responses((
        status = 200,
        description = "The evidence is genuine, fresh and bound; its appraisal. By `accept`: JSON, or the token alone.",
        content(
            (Attestation = "application/json"),
            (String = "application/eat+jwt"),
            (Vec<u8> = "application/eat+cwt"),
        ),
    )),
)]
pub(crate) async fn create(
    State(door): State<Door>,
    Asks(caller): Asks,
    accepted: Accepted,
    Json(request): Json<AttestationRequest>,
) -> Result<Response, Refused> {
    let form = match accepted {
        Accepted::Json => Form::Jwt,
        Accepted::Token(form) => form,
    };
    let wanted = Wanted { form, trust_path: request.trust_path };
    let attested = door.api.attest(&caller, request.into(), wanted).await?;
    let token = match accepted {
        Accepted::Json => return Ok(JsonAnswer(Attestation::from(attested)).into_response()),
        Accepted::Token(Form::Jwt) => attested.token.into_bytes(),
        Accepted::Token(Form::Cwt) => BASE64URL_NOPAD
            .decode(attested.token.as_bytes())
            .map_err(|error| Refused::new(Code::Internal, error.to_string()))?,
    };
    let media_type = format!("{}; eat_profile=\"{PROFILE}\"", accepted.media_type());
    Ok(([(CONTENT_TYPE, media_type)], token).into_response())
}
