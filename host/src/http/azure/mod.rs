//! The front door that speaks as Microsoft's services do, for clients that know no other: Azure Key
//! Vault and Managed HSM (`vault`), Azure Attestation (`attestation`). It shares the listener of
//! the native API, translates, and decides nothing.
//!
//! ```text
//! gate → visit (path in one spelling, tenant by host name) → vault | attestation → Host
//!  └── what fails below these paths leaves in the services' own error envelope (`error`)
//! ```

pub(super) mod attestation;
mod authority;
mod body;
mod error;
mod path;
mod settings;
mod vault;
mod visit;

pub use attestation::AttestationSettings;
pub use settings::{AzureSettings, NotAnAuthority};
pub use vault::{Principal, Principals, Proof, ReleaseSigner, SignerError, Signing, VaultSettings};

pub(super) use error::render;
pub(super) use visit::{Visit, host};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::door::Door;
use super::problem::Refused;
use crate::error::Code;
use authority::Authority;

/// The face as it serves: where it is reached, and which of the two services it plays.
pub(in crate::http) struct Face {
    authority: Authority,
    vault: Option<VaultSettings>,
    attestation: Option<AttestationSettings>,
}

/// Every route of the face.
pub(super) fn router(door: Door) -> Router {
    Router::new()
        .merge(vault::routes())
        .merge(attestation::routes())
        .fallback(|| async { Refused::new(Code::NotFound, "no such route") })
        .method_not_allowed_fallback(|| async {
            Refused::new(Code::MethodNotAllowed, "no such method on this route")
        })
        .layer(from_fn(tell_route))
        .with_state(door)
}

/// The gate, whose log names routes, stands before this router.
async fn tell_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}
