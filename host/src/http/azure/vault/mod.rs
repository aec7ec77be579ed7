//! The protocol of Azure Key Vault and Managed HSM: keys, secrets, and the release of keys.

use axum::Router;

use crate::http::door::Door;

/// How the service is played.
#[derive(Debug, Default)]
pub struct VaultSettings {}

/// The service's routes.
pub(super) fn routes() -> Router<Door> {
    Router::new()
}
