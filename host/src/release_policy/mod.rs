//! The release policy of a key: it judges attestation results, and says whether the key may leave.
//!
//! Three languages: `affirming` (no text: the result's status is affirming), `akv` (the grammar of
//! Azure Key Vault, version 1.0.0) and `rego`. A policy is compiled before it is stored and once after it is
//! read; what it does not say is no.

mod akv;
mod fault;
mod rego;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::appraisal::Status;
use crate::audit::Digest;
use akv::Akv;
use rego::Rego;

pub use fault::{Denial, PolicyFault, Unmet};

/// The longest text of a policy, in bytes.
const LONGEST: usize = 64 << 10;

/// What a release policy is written in.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    /// No text: the status of the attestation result is affirming.
    Affirming,
    /// Azure Key Vault's grammar, version 1.0.0 (JSON).
    Akv,
    /// Rego, version 1: `package claviger.release`, rule `allow`.
    Rego,
}

impl Language {
    /// The name that stands in requests and in the audit log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Affirming => "affirming",
            Self::Akv => "akv",
            Self::Rego => "rego",
        }
    }
}

/// A release policy, compiled.
#[derive(Debug)]
pub struct ReleasePolicy(Program);

#[derive(Debug)]
enum Program {
    Affirming,
    Akv(Akv),
    Rego(Rego),
}

/// An attestation result, as a release policy sees it.
pub trait AttestationResult {
    /// The status, where this host appraised the evidence itself; a result of another service has
    /// none.
    fn status(&self) -> Option<Status>;

    /// The other service that issued it, by its `iss`; none: this host did.
    fn authority(&self) -> Option<&str>;

    /// The claims that a token of this result carries.
    ///
    /// # Errors
    /// What cannot be put into words cannot be judged.
    fn claims(&self) -> Result<Json, String>;
}

/// The policy allows it. Only [`ReleasePolicy::judge`] makes one.
#[derive(Debug)]
pub struct Allowed(());

impl ReleasePolicy {
    /// Compiles the text of a policy.
    ///
    /// # Errors
    /// [`PolicyFault`]: what is wrong, and where.
    pub fn compile(language: Language, text: &str) -> Result<Self, PolicyFault> {
        if text.len() > LONGEST {
            return Err(PolicyFault::new("the text", format!("more than {LONGEST} bytes")));
        }
        let program = match language {
            Language::Affirming if text.is_empty() => Program::Affirming,
            Language::Affirming => {
                return Err(PolicyFault::new("the text", "`affirming` has none"));
            }
            Language::Akv => Program::Akv(Akv::compile(text)?),
            Language::Rego => Program::Rego(Rego::compile(text)?),
        };
        Ok(Self(program))
    }

    /// The language, and the digest of the text where there is one: `akv:sha256:…`.
    #[must_use]
    pub fn id(language: Language, text: &str) -> String {
        match language {
            Language::Affirming => language.name().to_owned(),
            _ => format!("{}:sha256:{}", language.name(), Digest::of(text.as_bytes())),
        }
    }

    /// Judges a result. What this host found contraindicated leaves no room for a policy.
    ///
    /// # Errors
    /// [`Denial`]: the policy says no, or cannot say yes.
    pub fn judge(&self, result: &impl AttestationResult) -> Result<Allowed, Denial> {
        let status = result.status();
        match &self.0 {
            // What another service affirms, this host did not.
            Program::Affirming
                if status == Some(Status::Affirming) && result.authority().is_none() =>
            {
                Ok(Allowed(()))
            }
            Program::Affirming => Err(Denial::status(status, "affirming")),
            _ if status == Some(Status::Contraindicated) => {
                Err(Denial::status(status, "anything better"))
            }
            Program::Akv(akv) => {
                let claims = result.claims().map_err(Denial::failed)?;
                akv.allows(&claims).then_some(Allowed(())).ok_or_else(|| akv.denial(&claims))
            }
            Program::Rego(rego) => {
                let claims = result.claims().map_err(Denial::failed)?;
                rego.judge(result.authority(), claims).map(|()| Allowed(()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
