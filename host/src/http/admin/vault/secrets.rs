//! `/v1/secrets`: values that a principal with the permission reads, unlike keys.

use std::collections::BTreeMap;

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{VersionAttributes, attributes, vault, version};
use crate::flow::vault::{LARGEST_PAGE, NewSecret, SecretChange, SecretDescription};
use crate::http::admin::keys::{cursor, opaque};
use crate::http::admin::release_policy::{ReleasePolicyRequest, ReleasePolicyText};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::SecretBytes;
use crate::permission::Permission;

/// A version of a secret, without its value.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SecretDetails {
    /// The secret's name.
    pub name: String,
    /// The version's identifier: 32 lower-case hexadecimal digits, never given twice.
    pub version: String,
    /// What is inside, in its owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The version's attributes.
    pub attributes: VersionAttributes,
    /// When it may leave. A secret that has a release policy is not read: see `/v1/secrets/{name}/release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<ReleasePolicyText>,
    /// How long it can be recovered once it is deleted, in days.
    pub recoverable_days: u64,
}

impl From<SecretDescription> for SecretDetails {
    fn from(secret: SecretDescription) -> Self {
        let SecretDescription {
            name,
            version,
            content_type,
            described,
            release_policy,
            recoverable_days,
        } = secret;
        let attributes = described.into();
        let release_policy = release_policy.map(ReleasePolicyText::from);
        Self { name, version, content_type, attributes, release_policy, recoverable_days }
    }
}

/// A version of a secret with its value.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SecretValue {
    /// What is known of it.
    pub secret: SecretDetails,
    /// The value (UTF-8).
    #[schema(value_type = String)]
    pub value: SecretBytes,
}

/// A value to be stored.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecretRequest {
    /// The value: text (UTF-8) of at most 25 KiB.
    #[schema(value_type = String)]
    pub value: SecretBytes,
    /// What is inside, in its owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it may be read; it may where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not read before this moment (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Not read from this moment on (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// The operator's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Of a new secret: when it may leave. Then it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<ReleasePolicyRequest>,
}

/// What is to change of a version of a secret; what is absent stays, the value always.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretChangeRequest {
    /// The version's identifier; the newest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is inside, in its owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Whether it may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not read before this moment (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Not read from this moment on (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// The operator's own words, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
}

/// One page of secrets.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SecretPage {
    /// By name, each as its newest version.
    pub secrets: Vec<SecretDetails>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// All versions of a secret.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SecretVersions {
    /// In the order in which they were made.
    pub versions: Vec<SecretDetails>,
}

/// Give a secret a release policy, or another in the place of the one that it has. From then on it is not
/// read any more.
#[utoipa::path(
    put, path = "/v1/secrets/{name}/release-policy", tag = "administration",
    operation_id = "setSecretReleasePolicy",
    params(("name" = String, Path, description = "The secret's name.")),
    request_body = ReleasePolicyRequest,
    responses((status = 200, description = "The newest version.", body = SecretDetails)),
)]
pub(crate) async fn set_release_policy(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<ReleasePolicyRequest>,
) -> Result<JsonAnswer<SecretDetails>, Refused> {
    by.may(Permission::SecretsSet)?;
    let (vault, policy) = (vault(&door)?, request.try_into()?);
    let set = vault.secret_set_release_policy(by.actor(&caller), &name, policy);
    Ok(JsonAnswer(set.await?.into()))
}

/// List secrets, without their values.
#[utoipa::path(
    get, path = "/v1/secrets", tag = "administration", operation_id = "listSecrets",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "One page.", body = SecretPage)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<SecretPage>, Refused> {
    by.may(Permission::SecretsList)?;
    let after = cursor(query.as_deref())?;
    let page = vault(&door)?.secrets(by.actor(&caller), after.as_deref(), LARGEST_PAGE).await?;
    let secrets = page.items.into_iter().map(SecretDetails::from).collect();
    Ok(JsonAnswer(SecretPage { secrets, next: page.next.map(opaque) }))
}

/// Store a value under a name, as its newest version.
#[utoipa::path(
    put, path = "/v1/secrets/{name}", tag = "administration", operation_id = "setSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    request_body = NewSecretRequest,
    responses((status = 200, description = "The new version.", body = SecretDetails)),
)]
pub(crate) async fn set(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<NewSecretRequest>,
) -> Result<JsonAnswer<SecretDetails>, Refused> {
    by.may(Permission::SecretsSet)?;
    let NewSecretRequest {
        value,
        content_type,
        enabled,
        not_before,
        expires,
        tags,
        release_policy,
    } = request;
    let release_policy = release_policy.map(TryInto::try_into).transpose()?;
    let attributes = attributes(enabled, not_before.as_deref(), expires.as_deref())?;
    let new = NewSecret { name, value: value.0, content_type, attributes, tags, release_policy };
    Ok(JsonAnswer(vault(&door)?.secret_set(by.actor(&caller), new).await?.into()))
}

/// Read a value. That it was read is recorded first.
#[utoipa::path(
    get, path = "/v1/secrets/{name}", tag = "administration", operation_id = "readSecret",
    params(
        ("name" = String, Path, description = "The secret's name."),
        ("version" = Option<String>, Query, description = "The version's identifier; the newest where absent."),
    ),
    responses((status = 200, description = "The value.", body = SecretValue)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<SecretValue>, Refused> {
    by.may(Permission::SecretsGet)?;
    let version = version(query.as_deref())?;
    let read = vault(&door)?.secret_get(by.actor(&caller), &name, version.as_deref());
    let (secret, value) = read.await?;
    Ok(JsonAnswer(SecretValue { secret: secret.into(), value: SecretBytes(value) }))
}

/// Change what is known of a version of a secret.
#[utoipa::path(
    patch, path = "/v1/secrets/{name}", tag = "administration", operation_id = "changeSecret",
    params(("name" = String, Path, description = "The secret's name.")),
    request_body = SecretChangeRequest,
    responses((status = 200, description = "The version, as it is now.", body = SecretDetails)),
)]
pub(crate) async fn change(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<SecretChangeRequest>,
) -> Result<JsonAnswer<SecretDetails>, Refused> {
    by.may(Permission::SecretsSet)?;
    let SecretChangeRequest { version, content_type, enabled, not_before, expires, tags } = request;
    let attributes = attributes(enabled, not_before.as_deref(), expires.as_deref())?;
    let change = SecretChange { content_type, attributes, tags };
    let changed = vault(&door)?.secret_update(by.actor(&caller), &name, version.as_deref(), change);
    Ok(JsonAnswer(changed.await?.into()))
}

/// List a secret's versions, without their values.
#[utoipa::path(
    get, path = "/v1/secrets/{name}/versions", tag = "administration",
    operation_id = "listSecretVersions",
    params(("name" = String, Path, description = "The secret's name.")),
    responses((status = 200, description = "All of them.", body = SecretVersions)),
)]
pub(crate) async fn versions(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
) -> Result<JsonAnswer<SecretVersions>, Refused> {
    by.may(Permission::SecretsList)?;
    let versions = vault(&door)?.secret_versions(by.actor(&caller), &name).await?;
    let versions = versions.into_iter().map(SecretDetails::from).collect();
    Ok(JsonAnswer(SecretVersions { versions }))
}
