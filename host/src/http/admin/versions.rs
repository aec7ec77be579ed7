//! `/v1/keys/{name}/…`: a key's versions, and whether they may be released.

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::keys::Key;
use crate::flow::Caller;
use crate::http::auth::Principal;
use crate::http::body::OptionalJson;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// All versions of a key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyVersions {
    /// In the order in which they were made.
    pub versions: Vec<Key>,
}

/// Nothing can be said yet; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {}

/// Which version; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionRequest {
    /// The key as a whole where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// List a key's versions.
#[utoipa::path(
    get, path = "/v1/keys/{name}/versions", tag = "administration", operation_id = "listVersions",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "All of them.", body = KeyVersions)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<KeyVersions>, Refused> {
    let by = by.may(Permission::KeysList)?;
    let versions = door.api.key_versions(&caller, by, &name).await?;
    let versions = versions.into_iter().map(Key::from).collect();
    Ok(JsonAnswer(KeyVersions { versions }))
}

/// Add a version, which becomes the current one.
#[utoipa::path(
    post, path = "/v1/keys/{name}/rotate", tag = "administration", operation_id = "rotateKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = Option<RotateRequest>,
    responses((status = 200, description = "The new version.", body = Key)),
)]
pub(crate) async fn rotate(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    OptionalJson(RotateRequest {}): OptionalJson<RotateRequest>,
) -> Result<JsonAnswer<Key>, Refused> {
    let by = by.may(Permission::KeysRotate)?;
    let key = door.api.rotate_key(&caller, by, &name).await?;
    Ok(JsonAnswer(key.into()))
}

/// Allow releases.
#[utoipa::path(
    post, path = "/v1/keys/{name}/enable", tag = "administration", operation_id = "enableKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = Option<VersionRequest>,
    responses((status = 204, description = "It may be released.")),
)]
pub(crate) async fn enable(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    OptionalJson(request): OptionalJson<VersionRequest>,
) -> Result<StatusCode, Refused> {
    let by = by.may(Permission::KeysUpdate)?;
    set_enabled(&door, &caller, by, &name, request, true).await
}

/// Stop releases.
#[utoipa::path(
    post, path = "/v1/keys/{name}/disable", tag = "administration", operation_id = "disableKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = Option<VersionRequest>,
    responses((status = 204, description = "It is not released until it is enabled.")),
)]
pub(crate) async fn disable(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    OptionalJson(request): OptionalJson<VersionRequest>,
) -> Result<StatusCode, Refused> {
    let by = by.may(Permission::KeysUpdate)?;
    set_enabled(&door, &caller, by, &name, request, false).await
}

async fn set_enabled(
    door: &Door,
    caller: &Caller,
    by: &str,
    name: &str,
    request: VersionRequest,
    enabled: bool,
) -> Result<StatusCode, Refused> {
    let version = request.version.as_deref();
    door.api.set_key_enabled(caller, by, name, version, enabled).await?;
    Ok(StatusCode::NO_CONTENT)
}
