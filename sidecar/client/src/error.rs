//! Why there is no key.

use std::time::Duration;

use serde::Deserialize;

use crate::http::TransportError;
use crate::platform::PlatformError;
use crate::recipient::{KeyGenerationError, UnwrapError};
use crate::token::TokenError;

/// A host's refusal: problem details (RFC 9457).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Problem {
    /// Stable; what a program should look at: `release-denied`, `key-disabled`, `overloaded`.
    pub code: String,
    /// One line for a person.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Names the request in the host's log and audit record.
    pub request_id: String,
    /// After what time it may be worth trying again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// Why there is no answer, or none that counts.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client was set up wrongly.
    #[error("{0}")]
    Configuration(String),
    /// The provider made no recipient key.
    #[error(transparent)]
    KeyGeneration(#[from] KeyGenerationError),
    /// The platform gave no evidence.
    #[error("no evidence: {0}")]
    Platform(#[from] PlatformError),
    /// The host refused.
    #[error("{} ({}): {} [request {}]", .0.code, .0.status, .0.title, .0.request_id)]
    Refused(Box<Problem>),
    /// The result token is not the host's, or not about this workload.
    #[error("the result token does not hold: {0}")]
    Token(#[from] TokenError),
    /// The host cannot be reached, is not the one that was meant, or did not answer in time.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer is not one of this API.
    #[error("unexpected answer ({status}): {reason}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// What was released does not open, or is not what was asked for.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
}

impl ClientError {
    /// The host's stable code, where it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// Whether the same may succeed a little later: the host is busy, unwell or out of reach. A
    /// decision, and a host that is not the one meant, are not.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(problem) => is_temporary_status(problem.status),
            Self::Unexpected { status, .. } => is_temporary_status(*status),
            Self::Transport(error) => error.is_temporary(),
            _ => false,
        }
    }

    /// What the host said about when to come back.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) => problem.retry_after,
            _ => None,
        }
    }
}

/// Request timeout, too many requests, bad gateway's slower relatives: RFC 9110, section 15.
fn is_temporary_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 503 | 504)
}
