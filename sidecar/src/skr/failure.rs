//! Errors as the SKR sidecar's clients expect them: a status, and a text that says what failed and why.

use http::StatusCode;

/// Why a request of the SKR interface has no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}\nERROR: Please refer to the README of claviger-sidecar: {cause}")]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    what: &'static str,
    cause: String,
}

impl Failure {
    /// The request itself is wrong.
    pub(crate) fn request(what: &'static str, cause: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, what, cause: cause.to_string() }
    }

    /// Attestation or release was refused or failed.
    pub(crate) fn refused(what: &'static str, cause: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::FORBIDDEN, what, cause: cause.to_string() }
    }
}
