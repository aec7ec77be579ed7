//! `/v1/token-keys`: the keys that sign attestation results. They are the host's, no tenant's.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::auth::Operator;
use crate::http::body::OptionalJson;
use crate::http::caller::Asks;
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::keys::TokenKeySummary;
use crate::permission::Permission;

/// What may be known of a signing key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TokenKey {
    /// Its name in the key set.
    pub kid: String,
    /// `ES256` or `ES384`.
    pub algorithm: String,
    /// When it was made (RFC 3339); absent where it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub created: Option<String>,
    /// From this moment its tokens are refused (RFC 3339); absent where it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

impl From<TokenKeySummary> for TokenKey {
    fn from(key: TokenKeySummary) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm.name().to_owned(),
            created: key.created.map(|moment| moment.to_string()),
            until: key.until.map(|moment| moment.to_string()),
        }
    }
}

/// The signing keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TokenKeyList {
    /// The one that signs first, then those that are still believed.
    pub keys: Vec<TokenKey>,
}

/// How to rotate; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateTokenKeyRequest {
    /// Refuse what any other key signed, at once: for a key that others may have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoke: bool,
}

/// List the keys that sign attestation results.
#[utoipa::path(
    get, path = "/v1/token-keys", tag = "administration", operation_id = "listTokenKeys",
    responses((status = 200, description = "All that are believed.", body = TokenKeyList)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Operator,
) -> Result<JsonAnswer<TokenKeyList>, Refused> {
    by.may(Permission::TokenKeysList)?;
    let keys = door.api.token_keys().into_iter().map(TokenKey::from).collect();
    Ok(JsonAnswer(TokenKeyList { keys }))
}

/// Have a fresh key sign attestation results.
#[utoipa::path(
    post, path = "/v1/token-keys/rotate", tag = "administration", operation_id = "rotateTokenKey",
    request_body = Option<RotateTokenKeyRequest>,
    responses((status = 200, description = "The fresh key signs; the old one is believed until its last token is over.", body = TokenKeyList)),
)]
pub(crate) async fn rotate(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    OptionalJson(request): OptionalJson<RotateTokenKeyRequest>,
) -> Result<JsonAnswer<TokenKeyList>, Refused> {
    let by = by.may(Permission::TokenKeysRotate)?;
    let keys = door.api.rotate_token_key(&caller, by, request.revoke).await?;
    Ok(JsonAnswer(TokenKeyList { keys: keys.into_iter().map(TokenKey::from).collect() }))
}
