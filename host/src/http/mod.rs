//! The front doors: HTTP over TLS. They translate requests into what the flow takes and its
//! answers back; they bound what a client may cost; they decide nothing.
//!
//! ```text
//! serve → admission → connection (TLS, HTTP) → gate → path → body → native | azure | admin → Api
//!                                               ↓ identifier, limits, time, problem details
//! ```

mod accept;
mod admin;
mod admission;
mod api;
mod auth;
pub mod azure;
mod body;
mod caller;
mod connection;
mod door;
mod gate;
mod host;
mod native;
#[cfg_attr(not(test), allow(dead_code, reason = "a test makes the copy that is served"))]
mod openapi;
mod path;
mod problem;
mod rate;
mod routes;
mod serve;
mod settings;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
mod turned_away;
mod unread;
mod wire;

pub use admin::keys::{Key, KeyPage, NewKeyRequest};
pub use admin::plugins::{
    ChooseConnectorRequest, DisablePluginRequest, Plugin, PluginList, RollBackRequest,
};
pub use admin::references::{
    ReferenceChange, ReferenceDocument, ReferenceGroup, ReferenceHistory, ReferencePage,
    ReferenceWithBytes,
};
pub use admin::release_policy::{KeyReleasePolicy, ReleasePolicyRequest, ReleasePolicyText};
pub use admin::requests::Explained;
pub use admin::token_keys::{RotateTokenKeyRequest, TokenKey, TokenKeyList};
pub use admin::vault::VersionAttributes;
pub use admin::vault::backups::Backup;
pub use admin::vault::deleted_keys::{DeletedKey, DeletedKeyPage};
pub use admin::vault::deleted_secrets::{DeletedSecret, DeletedSecretPage};
pub use admin::vault::details::{KeyChangeRequest, KeyDetails};
pub use admin::vault::keys::{KeyVersionRequest, WrappedMaterial};
pub use admin::vault::operations::{PerformRequest, Performance};
pub use admin::vault::rotation_policy::KeyRotationPolicy;
pub use admin::vault::secrets::{
    NewSecretRequest, SecretChangeRequest, SecretDetails, SecretPage, SecretValue, SecretVersions,
};
pub use admin::versions::{KeyVersions, RotateRequest, VersionRequest};
pub use api::{Answer, Api};
pub use auth::{Administrator, Credential};
pub(crate) use body::PACKAGE_TYPE;
pub use native::attestations::{Attestation, AttestationRequest, EvidenceBody};
pub use native::challenges::{Challenge, ChallengeRequest};
pub use native::release::{Release, ReleaseRequest, ReleaseWithEvidence, ReleaseWithToken};
pub use native::status::HealthStatus;
pub use problem::Problem;
pub use serve::{AdminListener, Listener, Listeners, ServeError, ServerHandle, serve};
pub use settings::{Http2Settings, HttpSettings, Rate};
pub use tls::{DevelopmentCertificates, ReleaseSigning, ServerCertificate, TlsError};
pub use wire::{Base64Url, SecretBytes};

use std::any::Any;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::Code;
use door::Door;
use problem::Refused;

fn api_router(door: Door) -> Router {
    let Some(_) = &door.azure else {
        return behind_gate(native::routes().fallback(no_route), door);
    };
    let azure = azure::router(door.clone());
    let beside = move |request: Request| async move {
        match request.extensions().get::<azure::Visit>() {
            Some(_) => azure.oneshot(request).await.into_response(),
            None => no_route().await.into_response(),
        }
    };
    behind_gate(native::routes().fallback(beside), door)
}

fn admin_router(door: Door) -> Router {
    behind_gate(admin::routes().fallback(no_route), door)
}

async fn no_route() -> Refused {
    Refused::new(Code::NotFound, "no such route")
}

fn behind_gate(routes: Router<Door>, door: Door) -> Router {
    routes
        .method_not_allowed_fallback(|| async {
            Refused::new(Code::MethodNotAllowed, "no such method on this route")
        })
        // One layer of two, the gate outermost: each costs every request a clone of what is below.
        .layer((from_fn_with_state(door.clone(), gate::gate), CatchPanicLayer::custom(panicked)))
        .with_state(door)
}

/// A panic is a fault of this request only. Its message goes to the log.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Refused::new(Code::Internal, format!("panicked: {message}")).into_response()
}
