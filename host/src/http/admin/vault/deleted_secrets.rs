//! `/v1/deleted-secrets`: secrets that were deleted and can be recovered.

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secrets::SecretDetails;
use super::vault;
use crate::flow::vault::{Deletion, LARGEST_PAGE, SecretDescription};
use crate::http::admin::keys::{cursor, opaque};
use crate::http::auth::Principal;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// A deleted secret.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DeletedSecret {
    /// Its newest version.
    pub secret: SecretDetails,
    /// When it was deleted (RFC 3339).
    #[schema(format = DateTime)]
    pub deleted: String,
    /// From when on it cannot be recovered (RFC 3339).
    #[schema(format = DateTime)]
    pub purge: String,
}

impl From<(SecretDescription, Deletion)> for DeletedSecret {
    fn from((secret, Deletion { deleted, purge }): (SecretDescription, Deletion)) -> Self {
        Self { secret: secret.into(), deleted: deleted.to_string(), purge: purge.to_string() }
    }
}

/// One page of deleted secrets.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DeletedSecretPage {
    /// By name.
    pub secrets: Vec<DeletedSecret>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Delete a secret, so that it can be recovered. Nobody reads it meanwhile.
#[utoipa::path(
    post, path = "/v1/secrets/{name}/delete", tag = "administration", operation_id = "deleteSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 200, description = "It is deleted.", body = DeletedSecret)),
)]
pub(crate) async fn delete(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<DeletedSecret>, Refused> {
    by.may(Permission::SecretsDelete)?;
    Ok(JsonAnswer(vault(&door)?.secret_delete(by.actor(&caller), &name).await?.into()))
}

/// List deleted secrets.
#[utoipa::path(
    get, path = "/v1/deleted-secrets", tag = "administration", operation_id = "listDeletedSecrets",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "One page.", body = DeletedSecretPage)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<DeletedSecretPage>, Refused> {
    by.may(Permission::SecretsList)?;
    let after = cursor(query.as_deref())?;
    let listed = vault(&door)?.deleted_secrets(by.actor(&caller), after.as_deref(), LARGEST_PAGE);
    let page = listed.await?;
    let secrets = page.items.into_iter().map(DeletedSecret::from).collect();
    Ok(JsonAnswer(DeletedSecretPage { secrets, next: page.next.map(opaque) }))
}

/// Read about a deleted secret.
#[utoipa::path(
    get, path = "/v1/deleted-secrets/{name}", tag = "administration", operation_id = "readDeletedSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 200, description = "What may be known of it.", body = DeletedSecret)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<DeletedSecret>, Refused> {
    by.may(Permission::SecretsGet)?;
    Ok(JsonAnswer(vault(&door)?.deleted_secret(by.actor(&caller), &name).await?.into()))
}

/// Take the deletion of a secret back.
#[utoipa::path(
    post, path = "/v1/deleted-secrets/{name}/recover", tag = "administration", operation_id = "recoverSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 200, description = "It is there as it was.", body = SecretDetails)),
)]
pub(crate) async fn recover(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<SecretDetails>, Refused> {
    by.may(Permission::SecretsRecover)?;
    Ok(JsonAnswer(vault(&door)?.secret_recover(by.actor(&caller), &name).await?.into()))
}

/// Destroy a deleted secret with all its versions.
#[utoipa::path(
    delete, path = "/v1/deleted-secrets/{name}", tag = "administration", operation_id = "purgeSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 204, description = "It is gone for good.")),
)]
pub(crate) async fn purge(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<StatusCode, Refused> {
    by.may(Permission::SecretsPurge)?;
    vault(&door)?.secret_purge(by.actor(&caller), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
