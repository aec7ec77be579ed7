//! Administration, on its own address: keys, plugins, the audit log's checkpoint. Every call needs
//! an administrator's credential, `health` and the API's description aside.

pub(super) mod audit;
pub(super) mod keys;
pub(super) mod plugins;
pub(super) mod versions;

use axum::Router;
use axum::routing::{get, post};

use super::door::Door;
use super::native::status;

/// The routes, for the default tenant and for a named one.
pub(super) fn routes() -> Router<Door> {
    let v1 = Router::new()
        .route("/keys", get(keys::list).post(keys::create))
        .route("/keys/{name}", get(keys::read).delete(keys::delete))
        .route("/keys/{name}/versions", get(versions::list))
        .route("/keys/{name}/rotate", post(versions::rotate))
        .route("/keys/{name}/enable", post(versions::enable))
        .route("/keys/{name}/disable", post(versions::disable))
        .route("/plugins", get(plugins::list))
        .route("/audit/checkpoint", get(audit::checkpoint))
        .route("/health", get(status::health))
        .route("/openapi.json", get(status::openapi));
    Router::new().nest("/v1", v1.clone()).nest("/t/{tenant}/v1", v1)
}
