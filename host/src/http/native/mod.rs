//! Claviger's own API, version 1: what workloads call.

pub(super) mod attestations;
pub(super) mod challenges;
pub(super) mod release;
pub(super) mod status;

use axum::Router;
use axum::routing::{get, post};

use super::door::Door;

/// The routes, for the default tenant and for a named one.
pub(super) fn routes() -> Router<Door> {
    let v1 = Router::new()
        .route("/challenges", post(challenges::create))
        .route("/attestations", post(attestations::create))
        .route("/keys/{name}/release", post(release::create))
        .route("/health", get(status::health))
        .route("/openapi.json", get(status::openapi));
    Router::new()
        .nest("/v1", v1.clone())
        .nest("/t/{tenant}/v1", v1)
        .route("/.well-known/jwks.json", get(status::jwks))
}
