//! `/v1/keys`: keys are made, imported, listed, read and destroyed. Nothing here tells a key's
//! material.

use axum::Json as JsonAnswer;
use axum::extract::RawQuery;
use axum::extract::State;
use data_encoding::BASE64URL_NOPAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::release_policy::ReleasePolicyRequest;
use crate::error::{Code, Refusal};
use crate::flow::{KeySummary, NewKey};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::SecretBytes;
use crate::permission::Permission;

/// A key to be made, or imported where `material` is given.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKeyRequest {
    /// Its name.
    pub name: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`, `ed25519`, …
    pub kind: String,
    /// Its material, to import one; the KMS generates one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub material: Option<SecretBytes>,
    /// When it may leave. There is no default.
    pub release_policy: ReleasePolicyRequest,
}

impl TryFrom<NewKeyRequest> for NewKey {
    type Error = Refusal;

    fn try_from(request: NewKeyRequest) -> Result<Self, Refusal> {
        Ok(Self {
            name: request.name,
            kind: request.kind,
            material: request.material.map(|bytes| bytes.0),
            release_policy: request.release_policy.try_into()?,
        })
    }
}

/// What may be known of one version of a key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Key {
    /// The key's name.
    pub name: String,
    /// The version that this speaks of.
    pub version: String,
    /// `oct-256`, `rsa-3072`, …
    pub kind: String,
    /// Whether it may be released now.
    pub enabled: bool,
    /// When this version was made (RFC 3339).
    #[schema(format = DateTime)]
    pub created: String,
    /// When its state last changed (RFC 3339).
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<KeySummary> for Key {
    fn from(summary: KeySummary) -> Self {
        Self {
            name: summary.name,
            version: summary.version,
            kind: summary.kind,
            enabled: summary.enabled,
            created: summary.created.to_string(),
            updated: summary.updated.to_string(),
        }
    }
}

/// One page of keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyPage {
    /// By name.
    pub keys: Vec<Key>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// List keys.
#[utoipa::path(
    get, path = "/v1/keys", tag = "administration", operation_id = "listKeys",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "One page.", body = KeyPage)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<KeyPage>, Refused> {
    let by = by.may(Permission::KeysList)?;
    let cursor = cursor(query.as_deref())?;
    let (keys, next) = door.api.list_keys(&caller, by, cursor).await?;
    let keys = keys.into_iter().map(Key::from).collect();
    Ok(JsonAnswer(KeyPage { keys, next: next.map(opaque) }))
}

/// Make or import a key.
#[utoipa::path(
    post, path = "/v1/keys", tag = "administration", operation_id = "createKey",
    request_body = NewKeyRequest,
    responses((status = 201, description = "The key is there.", body = Key)),
)]
pub(crate) async fn create(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    Json(request): Json<NewKeyRequest>,
) -> Result<(StatusCode, JsonAnswer<Key>), Refused> {
    let permission = match request.material {
        Some(_) => Permission::KeysImport,
        None => Permission::KeysCreate,
    };
    let by = by.may(permission)?;
    let key = door.api.create_key(&caller, by, request.try_into()?).await?;
    Ok((StatusCode::CREATED, JsonAnswer(key.into())))
}

/// Read about a key's newest version.
#[utoipa::path(
    get, path = "/v1/keys/{name}", tag = "administration", operation_id = "readKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 200, description = "What may be known of it.", body = Key)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<Key>, Refused> {
    let by = by.may(Permission::KeysGet)?;
    let key = door.api.get_key(&caller, by, &name).await?;
    Ok(JsonAnswer(key.into()))
}

/// Destroy a key with all its versions.
#[utoipa::path(
    delete, path = "/v1/keys/{name}", tag = "administration", operation_id = "deleteKey",
    params(("name" = String, Path, description = "The key's name.")),
    responses((status = 204, description = "The key is gone.")),
)]
pub(crate) async fn delete(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<StatusCode, Refused> {
    by.may(Permission::KeysDelete)?;
    let by = by.may(Permission::KeysPurge)?;
    door.api.delete_key(&caller, by, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The one parameter that a list knows. Outside, a cursor is opaque and needs no percent encoding,
/// whatever characters the connector puts into its own.
pub(super) fn cursor(query: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let cursor = query.strip_prefix("cursor=").filter(|cursor| !cursor.is_empty());
    let decoded = cursor
        .and_then(|cursor| BASE64URL_NOPAD.decode(cursor.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            Refused::new(Code::RequestMalformed, format!("the query {query:?} is not a cursor"))
        })?;
    Ok(Some(decoded))
}

/// The connector's cursor, as it is told.
pub(super) fn opaque(cursor: String) -> String {
    BASE64URL_NOPAD.encode(cursor.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 40
    #[test]
    fn a_list_knows_a_cursor_and_no_other_parameter() {
        assert_eq!(cursor(None).unwrap(), None);
        assert_eq!(cursor(Some("")).unwrap(), None);
        for own in ["b2", "t/default/k 1&limit=5#%", "\u{9375}"] {
            let told = format!("cursor={}", opaque(own.to_owned()));
            assert!(told.bytes().all(|b| b.is_ascii_alphanumeric() || b"=-_".contains(&b)));
            assert_eq!(cursor(Some(&told)).unwrap().as_deref(), Some(own));
        }
        for other in [
            "cursor=",
            "limit=5",
            "cursor=YQ&cursor=YQ",
            "cursor=YQ%3D",
            "a",
            "cursor=_w",
            "cursor=YQ==",
        ] {
            assert!(cursor(Some(other)).is_err(), "{other}");
        }
    }
}
