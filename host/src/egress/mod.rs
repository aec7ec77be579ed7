//! The gate to the network: the one way on which a plugin's request leaves this process.
//!
//! ```text
//! url ─▶ target (grant) ─▶ addresses, each checked ─▶ TLS ─▶ credential attached ─▶ answer, bounded
//!                                                                                    │
//!                     the plugin  ◀── body without withheld values, secrets masked ◀──┘
//! ```
//! A name is looked up once, every address that it has is checked, and the connection is made to a
//! checked address: what the name answers later changes nothing. A redirection is an answer like any
//! other, and never followed.

mod address;
mod breaker;
mod connection;
mod exchange;
mod gate;
mod headers;
mod mask;
mod resolve;
mod signed;
mod target;
mod url;
mod withhold;

use std::time::Duration;

pub use address::{AddressRange, reserved};
pub use gate::{Answer, Gate, Outgoing};
pub use resolve::{Looked, Resolver, SystemResolver};
pub(crate) use target::TENANT;
pub use target::{TargetPlan, TlsPlan};
pub use url::{Scheme, Url};
pub use withhold::Pointer;

/// Bounds on each request of one plugin, and on how many there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EgressLimits {
    /// From the look-up of the name to the end of the TLS handshake.
    pub connect: Duration,
    /// From the request to the answer's head.
    pub first_byte: Duration,
    /// Between two parts of the answer's body.
    pub idle: Duration,
    /// The largest body of a request, in bytes.
    pub request_bytes: usize,
    /// The largest body of an answer, in bytes.
    pub answer_bytes: usize,
    /// The largest head of an answer, in bytes.
    pub head_bytes: usize,
    /// Requests at the same time.
    pub at_once: usize,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(5),
            idle: Duration::from_secs(3),
            request_bytes: 256 << 10,
            answer_bytes: 1 << 20,
            head_bytes: 32 << 10,
            at_once: 64,
        }
    }
}

/// Why there is no answer. No variant holds a secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EgressError {
    /// No grant covers the request, or an address that its host has; or it has no credential.
    #[error("denied: {0}")]
    Denied(String),
    /// The answer breaks HTTP, or the rules for it here.
    #[error("{0}")]
    Protocol(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The TLS handshake failed: most often a certificate of an authority that is not trusted.
    #[error("TLS: {0}")]
    Tls(String),
    /// The request or its answer is larger than is allowed.
    #[error("larger than is allowed")]
    TooLarge,
    /// No connection, or it broke; or the service is left alone for a while.
    #[error("{0}")]
    Unreachable(String),
    /// The name has no address.
    #[error("{0}")]
    Unresolved(String),
}
