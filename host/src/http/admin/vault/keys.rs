//! `PUT /v1/keys/{name}`: keys made or brought in as a vault has them, with attributes, with or without a
//! release policy; and further versions of keys that are there.

use std::collections::BTreeMap;

use axum::Json as JsonAnswer;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::details::KeyDetails;
use super::{attributes, vault};
use crate::error::{Code, Refusal};
use crate::flow::vault::{Imported, NewVaultKey, Operation, WrappedKey};
use crate::http::admin::release_policy::ReleasePolicyRequest;
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::{Base64Url, SecretBytes};
use crate::keys::RsaAesKeyWrap;
use crate::permission::Permission;

/// A key, or a further version of it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyVersionRequest {
    /// `oct-256`, `rsa-3072`, `ec-p256`, …; of material that is brought in the family will do: `oct`, `rsa`,
    /// `ec`.
    pub kind: String,
    /// Its material, to bring it in as it is; the host generates where neither this nor `wrapped` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub material: Option<SecretBytes>,
    /// Its material, wrapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapped: Option<WrappedMaterial>,
    /// Of a new key: when it may leave. Without one it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<ReleasePolicyRequest>,
    /// Whether the version may be used; enabled where absent.
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
    /// What it can be used for; what its kind can do where absent, `import` aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub operations: Option<Vec<Operation>>,
    /// The operator's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Material wrapped to an RSA key of this tenant whose operations have `import`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WrappedMaterial {
    /// The name of the key that it is wrapped to.
    pub by: String,
    /// That key's version, by its identifier; the newest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `CKM_RSA_AES_KEY_WRAP` (SHA-1), `RSA_AES_KEY_WRAP_256` or `RSA_AES_KEY_WRAP_384` (PKCS#11 3.1,
    /// section 6.1.22).
    pub algorithm: String,
    /// The AES key, encrypted with RSA-OAEP, and the material (PKCS#8, or raw bytes for `oct`) under it.
    pub value: Base64Url,
}

/// Make or bring in a key, or a further version of one.
#[utoipa::path(
    put, path = "/v1/keys/{name}", tag = "administration", operation_id = "putKey",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = KeyVersionRequest,
    responses((status = 201, description = "The version is there.", body = KeyDetails)),
)]
pub(crate) async fn put(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<KeyVersionRequest>,
) -> Result<(StatusCode, JsonAnswer<KeyDetails>), Refused> {
    let material = imported(request.material, request.wrapped)?;
    by.may(match material {
        Some(_) => Permission::KeysImport,
        None => Permission::KeysCreate,
    })?;
    let (not_before, expires) = (request.not_before.as_deref(), request.expires.as_deref());
    let attributes = attributes(request.enabled, not_before, expires)?;
    let policy = request.release_policy.map(TryInto::try_into).transpose()?;
    let new = NewVaultKey {
        name,
        kind: request.kind,
        hardware: false,
        material,
        attributes,
        operations: request.operations,
        tags: request.tags,
        exportable: policy.is_some(),
        release_policy: policy,
    };
    let key = vault(&door)?.vault_create(by.actor(&caller), new).await?;
    Ok((StatusCode::CREATED, JsonAnswer(key.into())))
}

fn imported(
    plain: Option<SecretBytes>,
    wrapped: Option<WrappedMaterial>,
) -> Result<Option<Imported>, Refusal> {
    let malformed = |why: &str| Refusal::new(Code::RequestMalformed, why);
    match (plain, wrapped) {
        (None, None) => Ok(None),
        (Some(plain), None) => Ok(Some(Imported::Plain(plain.0))),
        (None, Some(WrappedMaterial { by, version, algorithm, value })) => {
            let wrap = RsaAesKeyWrap::of(&algorithm);
            let wrap = wrap.ok_or_else(|| malformed("`algorithm` is no RSA AES key wrap"))?;
            Ok(Some(Imported::Wrapped(WrappedKey { by, version, wrap, bytes: value.0 })))
        }
        (Some(_), Some(_)) => Err(malformed("`material` or `wrapped`, not both")),
    }
}
