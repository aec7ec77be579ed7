//! Azure Attestation's protocol: evidence in, a token out; policies and who may sign them; the keys that
//! check its tokens. Which of its routes do what, and which do not, stands in `README.md`.

mod attest;
mod guest;
mod policies;
mod published;
mod wire;

use axum::Router;
use axum::routing::{get, post};

use super::Face;
use crate::error::{Code, Refusal};
use crate::flow::{AttestationRules, Host};
use crate::http::door::Door;

pub(in crate::http) use published::{discovery, keys};

/// How the service is played.
#[derive(Clone, Debug, Default)]
pub struct AttestationSettings {
    /// What the operator says of tokens, evidence and policies.
    pub rules: AttestationRules,
}

/// The service's routes.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/attest/{kind}", post(attest::attest))
        .route("/certificates", get(policies::certificates))
        .route("/certificates:add", post(policies::add_certificate))
        .route("/certificates:remove", post(policies::remove_certificate))
        .route("/certs", get(published::certs))
        .route("/policies/{kind}", get(policies::read).put(policies::set).post(policies::reset))
        .route("/tcbbaselines/{kind}", get(attest::baselines))
}

/// What is behind the service: the host, and what the operator says of it.
fn service(door: &Door) -> Result<(&Host, &AttestationRules), Refusal> {
    let host = door.api.azure();
    let host = host.ok_or_else(|| Refusal::new(Code::Internal, "no host is behind this face"))?;
    let face: Option<&Face> = door.azure.as_ref();
    let face = face.ok_or_else(|| Refusal::new(Code::NotFound, "the face is closed"))?;
    Ok((host, &face.attestation()?.rules))
}
