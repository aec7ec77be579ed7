//! What anybody may read: how the host is, the keys that check its tokens, the API's description.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as JsonAnswer};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::flow::Health;
use crate::http::azure::{self, attestation};
use crate::http::door::Door;
use crate::http::openapi;
use crate::http::problem::{Deliberate, Refused};

/// How the host is.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct HealthStatus {
    /// Whether it can release keys now.
    pub healthy: bool,
    /// Whether development switches are on. Such a host protects nothing.
    pub development: bool,
    /// Part by part: `ok`, or what is wrong.
    pub parts: BTreeMap<String, String>,
}

impl From<Health> for HealthStatus {
    fn from(health: Health) -> Self {
        let part = |(name, state): (&str, String)| (name.to_owned(), state);
        Self {
            healthy: health.healthy,
            development: health.development,
            parts: health.parts.into_iter().map(part).collect(),
        }
    }
}

/// See how the host is.
#[utoipa::path(
    get, path = "/v1/health", tag = "status", operation_id = "health",
    responses(
        (status = 200, description = "The host can release keys.", body = HealthStatus),
        (status = 503, description = "The host cannot release keys now.", body = HealthStatus),
    ),
)]
pub(crate) async fn health(State(door): State<Door>) -> Response {
    let health = HealthStatus::from(door.api.health().await);
    let status = if health.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Extension(Deliberate), JsonAnswer(health)).into_response()
}

/// Read the keys that check attestation tokens.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "status", operation_id = "jwks",
    responses((status = 200, description = "A JWK set (RFC 7517).", body = Object)),
)]
pub(crate) async fn jwks(State(door): State<Door>) -> Result<JsonAnswer<Value>, Refused> {
    Ok(JsonAnswer(attestation::keys(&door).await?))
}

/// Read what an OpenID client wants to know of the issuer of tokens.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "status", operation_id = "openidConfiguration",
    responses((status = 200, description = "Issuer, the address of its keys, algorithms (OpenID Connect Discovery 1.0).", body = Object)),
)]
pub(crate) async fn discovery(
    State(door): State<Door>,
    uri: Uri,
    headers: HeaderMap,
) -> JsonAnswer<Value> {
    JsonAnswer(attestation::discovery(&door, azure::host(&uri, &headers)))
}

/// Read this description.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "status", operation_id = "openapi",
    responses((status = 200, description = "The OpenAPI document of both listeners.", body = Object)),
)]
pub(crate) async fn openapi() -> Response {
    let mut response = openapi::document().into_response();
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
