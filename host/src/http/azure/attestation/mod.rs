//! Azure Attestation's protocol.

use axum::Router;

use crate::http::door::Door;

/// How the service is played.
#[derive(Debug, Default)]
pub struct AttestationSettings {}

/// The service's routes.
pub(super) fn routes() -> Router<Door> {
    Router::new()
}
