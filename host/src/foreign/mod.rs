//! Tokens of other attestation services ("foreign authorities", Microsoft Azure Attestation among
//! them): which services the operator lists, and the strict check of what they sign.
//!
//! A service is listed by its exact `iss`. Its keys come from the file that the operator pinned, or
//! by OpenID Connect Discovery below that URL; never from a token. Such a token answers no
//! challenge of this host: what keeps it from being of use to a thief is the recipient key that it
//! names, and its age.

mod certificate;
mod discovery;
mod error;
mod fetch;
mod issuer;
mod jwks;
mod jwt;
mod recipient;
#[cfg(test)]
mod tests;

pub use error::ForeignError;
pub use issuer::{Issuer, IssuerPlan, Issuers};
pub use jwt::ForeignResult;
pub(crate) use jwt::said_issuer;
pub(crate) use recipient::recipient_of;
