//! Backups: sealed copies of keys and secrets, which only this host's master key opens, for the tenant that
//! they were made in.

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::details::KeyDetails;
use super::secrets::SecretDetails;
use super::vault;
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::Base64Url;
use crate::permission::Permission;

/// A sealed copy.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The bytes, as they came.
    pub backup: Base64Url,
}

/// Take a sealed copy of a key with all its versions along.
#[utoipa::path(
    post, path = "/v1/keys/{name}/backup", tag = "administration", operation_id = "backUpKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "The copy.", body = Backup)),
)]
pub(crate) async fn of_key(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<Backup>, Refused> {
    by.may(Permission::KeysBackup)?;
    let sealed = vault(&door)?.vault_backup(by.actor(&caller), &name).await?;
    Ok(JsonAnswer(Backup { backup: Base64Url(sealed) }))
}

/// Bring a key back under its name, where there is none.
#[utoipa::path(
    post, path = "/v1/key-backups", tag = "administration", operation_id = "restoreKey",
    request_body = Backup,
    responses((status = 201, description = "The key is there.", body = KeyDetails)),
)]
pub(crate) async fn key(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    Json(Backup { backup }): Json<Backup>,
) -> Result<(StatusCode, JsonAnswer<KeyDetails>), Refused> {
    by.may(Permission::KeysRestore)?;
    let key = vault(&door)?.vault_restore(by.actor(&caller), &backup.0).await?;
    Ok((StatusCode::CREATED, JsonAnswer(key.into())))
}

/// Take a sealed copy of a secret with all its versions along.
#[utoipa::path(
    post, path = "/v1/secrets/{name}/backup", tag = "administration", operation_id = "backUpSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 200, description = "The copy.", body = Backup)),
)]
pub(crate) async fn of_secret(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<Backup>, Refused> {
    by.may(Permission::SecretsBackup)?;
    let sealed = vault(&door)?.secret_backup(by.actor(&caller), &name).await?;
    Ok(JsonAnswer(Backup { backup: Base64Url(sealed) }))
}

/// Bring a secret back under its name, where there is none.
#[utoipa::path(
    post, path = "/v1/secret-backups", tag = "administration", operation_id = "restoreSecret",
    request_body = Backup,
    responses((status = 201, description = "The secret is there.", body = SecretDetails)),
)]
pub(crate) async fn secret(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    Json(Backup { backup }): Json<Backup>,
) -> Result<(StatusCode, JsonAnswer<SecretDetails>), Refused> {
    by.may(Permission::SecretsRestore)?;
    let secret = vault(&door)?.secret_restore(by.actor(&caller), &backup.0).await?;
    Ok((StatusCode::CREATED, JsonAnswer(secret.into())))
}
