//! The policy language of Microsoft Azure Attestation, versions 1.0, 1.1 and 1.2: claims come in, rules
//! permit or deny, and what they issue goes into the token.
//!
//! Grammar: learn.microsoft.com/azure/attestation, "claim rule grammar", "policy version 1.0", "1.1",
//! "1.2" and "claim rule functions". Where those pages are silent, this is strict: an unknown section,
//! action, function or property is refused when the policy is set, not when a workload comes.
//!
//! ```text
//! version=1.2;
//! configurationrules { => issueproperty(type="…", value=…); };      from 1.1 on
//! authorizationrules { c:[type=="…", value==…] && ![…] => permit(); };
//! issuancerules { c:[type=="…"] => issue(type="…", value=JmesPath(c.value, "…")); };
//! ```
//!
//! An evaluation touches nothing but the claims that it is given, and is bounded in steps, claims and
//! text, so that the same claims give the same answer (invariant 11).

mod claim;
mod default;
mod error;
mod evaluator;
mod functions;
mod lexer;
mod parser;
mod syntax;

use data_encoding::BASE64URL_NOPAD;

pub use claim::{Claim, Issuer, Value};
pub use default::default_policy;
pub use error::{MaaFault, Place};
pub use evaluator::Outcome;

use crate::audit::Digest;
use syntax::Document;

/// The longest source that is read, in bytes.
pub const LONGEST_SOURCE: usize = 64 << 10;

/// A policy that was read whole.
#[derive(Debug)]
pub struct MaaPolicy {
    source: String,
    document: Document,
}

impl MaaPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`MaaFault::Parsing`], with line and column.
    pub fn parse(source: &str) -> Result<Self, MaaFault> {
        let document = parser::parse(source)?;
        Ok(Self { source: source.to_owned(), document })
    }

    /// The text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What tokens call it, `x-ms-policy-hash`: SHA-256 over the base64url of its text, in base64url.
    #[must_use]
    pub fn hash(&self) -> String {
        let encoded = BASE64URL_NOPAD.encode(self.source.as_bytes());
        BASE64URL_NOPAD.encode(&Digest::of(encoded.as_bytes()).0)
    }

    /// What the policy makes of these claims.
    ///
    /// # Errors
    /// [`MaaFault::Evaluation`]: a function got what it cannot take, or a bound was reached.
    pub fn evaluate(&self, claims: Vec<Claim>) -> Result<Outcome, MaaFault> {
        evaluator::evaluate(&self.document, claims)
    }
}

#[cfg(test)]
mod tests;
