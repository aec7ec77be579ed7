//! `/v1/deleted-keys`: keys that were deleted and can be recovered.

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::details::KeyDetails;
use super::vault;
use crate::flow::vault::{Deletion, KeyDescription, LARGEST_PAGE};
use crate::http::admin::keys::{cursor, opaque};
use crate::http::auth::Principal;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// A deleted key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DeletedKey {
    /// Its newest version.
    pub key: KeyDetails,
    /// When it was deleted (RFC 3339).
    #[schema(format = DateTime)]
    pub deleted: String,
    /// From when on it cannot be recovered (RFC 3339).
    #[schema(format = DateTime)]
    pub purge: String,
}

impl From<(KeyDescription, Deletion)> for DeletedKey {
    fn from((key, Deletion { deleted, purge }): (KeyDescription, Deletion)) -> Self {
        Self { key: key.into(), deleted: deleted.to_string(), purge: purge.to_string() }
    }
}

/// One page of deleted keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DeletedKeyPage {
    /// By name.
    pub keys: Vec<DeletedKey>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Delete a key, so that it can be recovered. Nothing uses or releases it meanwhile.
#[utoipa::path(
    post, path = "/v1/keys/{name}/delete", tag = "administration", operation_id = "softDeleteKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "It is deleted.", body = DeletedKey)),
)]
pub(crate) async fn delete(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<DeletedKey>, Refused> {
    by.may(Permission::KeysDelete)?;
    Ok(JsonAnswer(vault(&door)?.vault_delete(by.actor(&caller), &name).await?.into()))
}

/// List deleted keys.
#[utoipa::path(
    get, path = "/v1/deleted-keys", tag = "administration", operation_id = "listDeletedKeys",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "One page.", body = DeletedKeyPage)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<DeletedKeyPage>, Refused> {
    by.may(Permission::KeysList)?;
    let after = cursor(query.as_deref())?;
    let listed =
        vault(&door)?.vault_deleted_keys(by.actor(&caller), after.as_deref(), LARGEST_PAGE);
    let page = listed.await?;
    let keys = page.items.into_iter().map(DeletedKey::from).collect();
    Ok(JsonAnswer(DeletedKeyPage { keys, next: page.next.map(opaque) }))
}

/// Read about a deleted key.
#[utoipa::path(
    get, path = "/v1/deleted-keys/{name}", tag = "administration", operation_id = "readDeletedKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "What may be known of it.", body = DeletedKey)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<DeletedKey>, Refused> {
    by.may(Permission::KeysGet)?;
    Ok(JsonAnswer(vault(&door)?.vault_deleted_key(by.actor(&caller), &name).await?.into()))
}

/// Take the deletion of a key back.
#[utoipa::path(
    post, path = "/v1/deleted-keys/{name}/recover", tag = "administration", operation_id = "recoverKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "It is there as it was.", body = KeyDetails)),
)]
pub(crate) async fn recover(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<KeyDetails>, Refused> {
    by.may(Permission::KeysRecover)?;
    Ok(JsonAnswer(vault(&door)?.vault_recover(by.actor(&caller), &name).await?.into()))
}

/// Destroy a deleted key with all its versions.
#[utoipa::path(
    delete, path = "/v1/deleted-keys/{name}", tag = "administration", operation_id = "purgeKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 204, description = "It is gone for good.")),
)]
pub(crate) async fn purge(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<StatusCode, Refused> {
    by.may(Permission::KeysPurge)?;
    vault(&door)?.vault_purge(by.actor(&caller), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
