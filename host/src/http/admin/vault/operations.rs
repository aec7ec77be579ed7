//! `/v1/keys/{name}/perform`: what a key does without leaving the host.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::vault;
use crate::error::{Code, Refusal};
use crate::flow::vault::{Beside, Operation, OperationRequest};
use crate::http::auth::Principal;
use crate::http::body::Json;
use crate::http::caller::{Asks, KeyName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::{Base64Url, SecretBytes};
use crate::permission::Permission;

/// What a key is to do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PerformRequest {
    /// `encrypt`, `decrypt`, `sign`, `verify`, `wrapKey`, `unwrapKey`.
    #[schema(value_type = String)]
    pub operation: Operation,
    /// `RSA-OAEP-256`, `PS384`, `ES256`, `EdDSA`, `A256GCM`, `A256KW`, …
    pub algorithm: String,
    /// The plaintext, ciphertext, key or digest; for `EdDSA`, which has no digest, the message.
    #[schema(value_type = String)]
    pub value: SecretBytes,
    /// The signature to be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Base64Url>,
    /// The initialisation vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iv: Option<Base64Url>,
    /// What is authenticated and not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aad: Option<Base64Url>,
    /// The authentication tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Base64Url>,
    /// The version's identifier; the newest where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Performance {
    /// The identifier of the version that was used.
    pub version: String,
    /// Ciphertext, plaintext, key or signature; empty for a verification.
    #[schema(value_type = String)]
    pub value: SecretBytes,
    /// Whether the signature holds; only of a verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
    /// The initialisation vector that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iv: Option<Base64Url>,
    /// The authentication tag that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Base64Url>,
}

/// Have a key do something.
#[utoipa::path(
    post, path = "/v1/keys/{name}/perform", tag = "administration", operation_id = "perform",
    params(("name" = String, Path, description = "The key's name.")),
    request_body = PerformRequest,
    responses((status = 200, description = "It is done, and recorded.", body = Performance)),
)]
pub(crate) async fn perform(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    KeyName(name): KeyName,
    Json(request): Json<PerformRequest>,
) -> Result<JsonAnswer<Performance>, Refused> {
    by.may(permission(request.operation)?)?;
    let bytes = |value: Option<Base64Url>| value.map(|value| value.0);
    let operation = request.operation;
    let wanted = OperationRequest {
        operation,
        algorithm: request.algorithm,
        input: request.value.0,
        signature: bytes(request.signature).unwrap_or_default(),
        beside: Beside { iv: bytes(request.iv), aad: bytes(request.aad), tag: bytes(request.tag) },
    };
    let version = request.version.as_deref();
    let done = vault(&door)?.vault_perform(by.actor(&caller), &name, version, wanted).await?;
    Ok(JsonAnswer(Performance {
        version: done.version,
        value: SecretBytes(done.value),
        holds: (operation == Operation::Verify).then_some(done.holds),
        iv: done.iv.map(Base64Url),
        tag: done.tag.map(Base64Url),
    }))
}

fn permission(operation: Operation) -> Result<Permission, Refusal> {
    match operation {
        Operation::Decrypt => Ok(Permission::KeysDecrypt),
        Operation::Encrypt => Ok(Permission::KeysEncrypt),
        Operation::Sign => Ok(Permission::KeysSign),
        Operation::UnwrapKey => Ok(Permission::KeysUnwrap),
        Operation::Verify => Ok(Permission::KeysVerify),
        Operation::WrapKey => Ok(Permission::KeysWrap),
        Operation::Export | Operation::Import => {
            Err(Refusal::new(Code::RequestMalformed, "nothing that a key does"))
        }
    }
}
