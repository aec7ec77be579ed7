//! What anybody may read: the keys that check the service's tokens, and where they are.
//!
//! `/.well-known/openid-configuration` is one document for the service and for the native API where both
//! have the same URL; where they have not, the host name says which is meant.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::service;
use crate::error::Refusal;
use crate::http::azure::error::Fault;
use crate::http::azure::visit::Visitor;
use crate::http::door::Door;

/// `GET /certs`.
pub(super) async fn certs(
    State(door): State<Door>,
    Visitor { url, .. }: Visitor,
) -> Result<Response, Fault> {
    let (host, rules) = service(&door)?;
    let mut response = Answer(host.maa_jwks(&url, rules).await?).into_response();
    let json = HeaderValue::from_static("application/jwk+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// The native API's key set, with the service's keys in it where the service is on.
pub(in crate::http) async fn keys(door: &Door) -> Result<Value, Refusal> {
    let mut keys = door.api.jwks();
    let Some(face) = door.azure.as_ref().filter(|face| face.attestation().is_ok()) else {
        return Ok(keys);
    };
    let (host, rules) = service(door)?;
    let more = host.maa_jwks(&face.url(), rules).await?;
    let more = more.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(keys) = keys.get_mut("keys").and_then(Value::as_array_mut) {
        keys.extend(more);
    }
    Ok(keys)
}

/// What an OpenID client wants to know of whoever answers under this host name.
pub(in crate::http) fn discovery(door: &Door, host: Option<&str>) -> Value {
    let native = door.api.discovery();
    let Some(face) = door.azure.as_ref().filter(|face| face.attestation().is_ok()) else {
        return native;
    };
    let Ok(url) = face.addressed(host) else { return native };
    let same =
        |issuer: &Value| issuer.as_str().is_some_and(|issuer| issuer.trim_end_matches('/') == url);
    let mut document = match native.get("issuer").is_some_and(same) {
        true => native,
        false => {
            if !face.is_named(host) {
                return native;
            }
            json!({
                "issuer": url,
                "jwks_uri": format!("{url}/certs"),
                "response_types_supported": ["token", "none"],
                "id_token_signing_alg_values_supported": [],
                "subject_types_supported": ["public"],
                "claims_supported": [],
            })
        }
    };
    let add = |document: &mut Value, member: &str, values: &[&str]| {
        if let Some(list) = document.get_mut(member).and_then(Value::as_array_mut) {
            for value in values {
                if !list.iter().any(|known| known == value) {
                    list.push((*value).into());
                }
            }
        }
    };
    add(&mut document, "id_token_signing_alg_values_supported", &["RS256"]);
    add(
        &mut document,
        "claims_supported",
        &[
            "x-ms-attestation-type",
            "x-ms-policy-hash",
            "x-ms-runtime",
            "x-ms-ver",
            "x-claviger-freshness",
        ],
    );
    document
}
