//! `/v1/keys/{name}/rotation-policy`: when a key gets a version of its own accord.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::vault;
use crate::flow::vault::{LifetimeAction, RotationPolicy, Trigger};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// When a key is rotated; durations of ISO 8601 in years, months and days.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRotationPolicy {
    /// So long after its newest version was made: `P90D`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_after: Option<String>,
    /// So long before its newest version expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_before_expiry: Option<String>,
    /// How long a version that a rotation makes is valid; for ever where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
}

impl From<KeyRotationPolicy> for RotationPolicy {
    fn from(policy: KeyRotationPolicy) -> Self {
        let after = policy.rotate_after.map(Trigger::AfterCreation);
        let before = policy.rotate_before_expiry.map(Trigger::BeforeExpiry);
        let actions = after.into_iter().chain(before);
        let actions = actions.map(|trigger| LifetimeAction { trigger, rotate: true }).collect();
        Self { actions, expiry: policy.expiry, ..Self::default() }
    }
}

impl From<RotationPolicy> for KeyRotationPolicy {
    fn from(policy: RotationPolicy) -> Self {
        let mut told = Self { expiry: policy.expiry, ..Self::default() };
        for action in policy.actions.into_iter().filter(|action| action.rotate) {
            match action.trigger {
                Trigger::AfterCreation(after) => told.rotate_after = Some(after),
                Trigger::BeforeExpiry(before) => told.rotate_before_expiry = Some(before),
            }
        }
        told
    }
}

/// Read a key's rotation policy.
#[utoipa::path(
    get, path = "/v1/keys/{name}/rotation-policy", tag = "administration",
    operation_id = "readRotationPolicy",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "The policy; empty where the key is not rotated.", body = KeyRotationPolicy)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<KeyRotationPolicy>, Refused> {
    by.may(Permission::KeysGetRotationPolicy)?;
    let policy = vault(&door)?.vault_rotation_policy(by.actor(&caller), &name).await?;
    Ok(JsonAnswer(policy.into()))
}

/// Set a key's rotation policy. The host carries it out.
#[utoipa::path(
    put, path = "/v1/keys/{name}/rotation-policy", tag = "administration",
    operation_id = "setRotationPolicy",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = KeyRotationPolicy,
    responses((status = 200, description = "The policy, as it stands now.", body = KeyRotationPolicy)),
)]
pub(crate) async fn set(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(policy): Json<KeyRotationPolicy>,
) -> Result<JsonAnswer<KeyRotationPolicy>, Refused> {
    by.may(Permission::KeysSetRotationPolicy)?;
    let set = vault(&door)?.vault_set_rotation_policy(by.actor(&caller), &name, policy.into());
    Ok(JsonAnswer(set.await?.into()))
}
