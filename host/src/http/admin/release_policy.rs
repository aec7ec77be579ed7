//! `/v1/keys/{name}/release-policy`: when a key may leave.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Code, Refusal};
use crate::flow::{NewReleasePolicy, ReleasePolicySummary};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;
use crate::release_policy::Language;

/// A release policy: a language and a text; or only the name of a language without text.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReleasePolicyRequest {
    /// `affirming`: released where the status of the attestation result is affirming.
    Name(String),
    /// A policy with a text.
    Policy(ReleasePolicyText),
}

/// A release policy with its text.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasePolicyText {
    /// What the text is written in.
    pub language: Language,
    /// The policy, as its author wrote it: audit records name the digest of these bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Whether it can never be changed again, except by destroying the key.
    #[serde(default)]
    pub immutable: bool,
}

impl From<NewReleasePolicy> for ReleasePolicyText {
    fn from(policy: NewReleasePolicy) -> Self {
        let NewReleasePolicy { language, text, immutable } = policy;
        Self { language, text, immutable }
    }
}

impl From<&str> for ReleasePolicyRequest {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl TryFrom<ReleasePolicyRequest> for NewReleasePolicy {
    type Error = Refusal;

    fn try_from(request: ReleasePolicyRequest) -> Result<Self, Refusal> {
        match request {
            ReleasePolicyRequest::Name(name) if name == Language::Affirming.name() => {
                Ok(Self::affirming())
            }
            ReleasePolicyRequest::Name(name) => {
                let reason = format!("unknown release policy {name:?}; `affirming` is known");
                Err(Refusal::new(Code::RequestMalformed, reason))
            }
            ReleasePolicyRequest::Policy(policy) => {
                let ReleasePolicyText { language, text, immutable } = policy;
                Ok(Self { language, text, immutable })
            }
        }
    }
}

/// A key's release policy.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyReleasePolicy {
    /// What audit records call it, without `release:` before it: `akv:sha256:…`.
    pub id: String,
    /// What the text is written in.
    pub language: Language,
    /// The policy; empty in a language without text.
    pub text: String,
    /// Whether it can never be changed again.
    pub immutable: bool,
    /// When it was set (RFC 3339).
    #[schema(format = DateTime)]
    pub created: String,
}

impl From<ReleasePolicySummary> for KeyReleasePolicy {
    fn from(summary: ReleasePolicySummary) -> Self {
        let NewReleasePolicy { language, text, immutable } = summary.policy;
        let (id, created) = (summary.id, summary.created.to_string());
        Self { id, language, text, immutable, created }
    }
}

/// Read a key's release policy.
#[utoipa::path(
    get, path = "/v1/keys/{name}/release-policy", tag = "administration",
    operation_id = "readReleasePolicy",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "The policy.", body = KeyReleasePolicy)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<KeyReleasePolicy>, Refused> {
    let by = by.may(Permission::KeysGet)?;
    let policy = door.api.release_policy(&caller, by, &name)?;
    Ok(JsonAnswer(policy.into()))
}

/// Put another release policy in the place of the one that a key has.
#[utoipa::path(
    put, path = "/v1/keys/{name}/release-policy", tag = "administration",
    operation_id = "setReleasePolicy",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = ReleasePolicyRequest,
    responses((status = 200, description = "The policy, as it stands now.", body = KeyReleasePolicy)),
)]
pub(crate) async fn set(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<ReleasePolicyRequest>,
) -> Result<JsonAnswer<KeyReleasePolicy>, Refused> {
    let by = by.may(Permission::KeysUpdate)?;
    let policy = door.api.set_release_policy(&caller, by, &name, request.try_into()?).await?;
    Ok(JsonAnswer(policy.into()))
}
