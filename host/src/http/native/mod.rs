//! Claviger's own API, version 1: what workloads call.

pub(super) mod attestations;
pub(super) mod challenges;
pub(super) mod release;
pub(super) mod status;

use axum::Router;
use axum::routing::get;

use super::door::Door;
use super::routes::routes;

routes! {
    "/challenges": post challenges::create;
    "/attestations": post attestations::create;
    "/keys/{name}/release": post release::create;
    "/secrets/{name}/release": post release::secret;
    "/health": get status::health;
    "/openapi.json": get status::openapi;
}

/// Where tokens' keys are looked for (RFC 8615); no tenant has its own.
pub(super) const JWKS: &str = "/.well-known/jwks.json";

/// What OpenID clients begin with (OpenID Connect Discovery 1.0, section 4).
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The routes, for the default tenant and for a named one.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route(DISCOVERY, get(status::discovery))
        .nest("/v1", router())
        .nest("/t/{tenant}/v1", router())
        .route(JWKS, get(status::jwks))
}
