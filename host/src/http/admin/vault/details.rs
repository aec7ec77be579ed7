//! `/v1/keys/{name}/details`, and changes of what is known of a key.

use std::collections::BTreeMap;

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{VersionAttributes, attributes, vault, version};
use crate::flow::vault::{KeyChange, KeyDescription, Operation};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// All that may be known of one version of a key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyDetails {
    /// The key's name.
    pub name: String,
    /// The version's identifier: 32 lower-case hexadecimal digits, never given twice.
    pub version: String,
    /// `oct-256`, `rsa-3072`, …
    pub kind: String,
    /// The public part, a JWK (RFC 7517); none for `oct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub public: Option<Value>,
    /// What it can be used for: `encrypt`, `decrypt`, `sign`, `verify`, `wrapKey`, `unwrapKey`,
    /// `import`, `export`.
    #[schema(value_type = Vec<String>)]
    pub operations: Vec<Operation>,
    /// Whether it may be released, under its release policy.
    pub exportable: bool,
    /// The version's attributes.
    pub attributes: VersionAttributes,
    /// How long it can be recovered once it is deleted, in days.
    pub recoverable_days: u64,
}

impl From<KeyDescription> for KeyDetails {
    fn from(key: KeyDescription) -> Self {
        Self {
            name: key.name,
            version: key.version,
            kind: key.kind,
            public: key.public,
            operations: key.operations,
            exportable: key.exportable,
            attributes: key.described.into(),
            recoverable_days: key.recoverable_days,
        }
    }
}

/// What is to change of a version of a key; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChangeRequest {
    /// The version's identifier; the newest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not used before this moment (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Not used from this moment on (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// What it can be used for, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub operations: Option<Vec<Operation>>,
    /// The operator's own words, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// Read all that may be known of a key.
#[utoipa::path(
    get, path = "/v1/keys/{name}/details", tag = "administration", operation_id = "readKeyDetails",
    params(
        ("name" = String, Path, description = "The key's name."),
        ("version" = Option<String>, Query, description = "The version's identifier; the newest where absent."),
    ),
    responses((status = 200, description = "The version.", body = KeyDetails)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<KeyDetails>, Refused> {
    by.may(Permission::KeysGet)?;
    let version = version(query.as_deref())?;
    let key = vault(&door)?.vault_key(by.actor(&caller), &name, version.as_deref()).await?;
    Ok(JsonAnswer(key.into()))
}

/// Change what is known of a version of a key.
#[utoipa::path(
    patch, path = "/v1/keys/{name}", tag = "administration", operation_id = "changeKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = KeyChangeRequest,
    responses((status = 200, description = "The version, as it is now.", body = KeyDetails)),
)]
pub(crate) async fn change(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<KeyChangeRequest>,
) -> Result<JsonAnswer<KeyDetails>, Refused> {
    by.may(Permission::KeysUpdate)?;
    let KeyChangeRequest { version, enabled, not_before, expires, operations, tags } = request;
    let attributes = attributes(enabled, not_before.as_deref(), expires.as_deref())?;
    let change = KeyChange { attributes, operations, tags, ..KeyChange::default() };
    let changed = vault(&door)?.vault_update(by.actor(&caller), &name, version.as_deref(), change);
    Ok(JsonAnswer(changed.await?.into()))
}
