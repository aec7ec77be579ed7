//! Second step: the evidence is genuine. A verifier plugin reads it; this gate believes only what
//! rests on statements that the host itself checked up to a trust anchor.

use std::sync::Arc;

use super::challenge::Fresh;
use super::request::Evidence;
use crate::appraisal::Vector;
use crate::audit::Digest;
use crate::claim::Claim;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::plugin::{
    Binding, Rejection, Verdict, VerifierFailure, VerifierPlugin, VerifierRequest,
};
use crate::quote::{Authority, Examination, Statement, Step};

/// Formats that the host reads natively: evidence of such a kind needs a statement of that format,
/// not one that a plugin put together from other signatures.
const NATIVE: &[&str] = &["snp"];

/// What a verifier said, after the gate. Only [`examine`] makes one.
#[derive(Debug)]
pub struct Verified {
    tee: String,
    statements: Vec<Statement>,
    bindings: Vec<Binding>,
    facts: Vec<Claim>,
    claims: Vec<Claim>,
    vector: Vector,
    verifier: VerifierIdentity,
    evidence: Digest,
}

/// Which plugin read the evidence.
#[derive(Clone, Debug)]
pub struct VerifierIdentity {
    /// Its name.
    pub name: String,
    /// SHA-256 of its component, lower-case hexadecimal.
    pub digest: String,
}

impl Verified {
    /// The attester's kind.
    #[must_use]
    pub fn tee(&self) -> &str {
        &self.tee
    }

    /// What the host read itself.
    #[must_use]
    pub fn facts(&self) -> &[Claim] {
        &self.facts
    }

    /// What the plugin says beyond that.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The plugin's trustworthiness vector: an upper bound.
    #[must_use]
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    /// Which plugin it was.
    #[must_use]
    pub fn verifier(&self) -> &VerifierIdentity {
        &self.verifier
    }

    /// The digest of the evidence as it came.
    #[must_use]
    pub fn evidence(&self) -> Digest {
        self.evidence
    }

    /// Whether any of it rests on simulated hardware.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.statements.iter().any(Statement::simulated)
    }

    /// From this moment a certificate or revocation list behind it is out of date.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.statements.iter().map(Statement::expires).min().unwrap_or_default()
    }

    /// The custody operations that it rests on, anchor first.
    #[must_use]
    pub fn path(&self) -> Vec<Step> {
        self.statements.iter().flat_map(Statement::path).collect()
    }

    /// For each statement, the first one of the same piece of evidence.
    pub(super) fn origins(&self) -> Vec<usize> {
        let origin = |statement: &Statement| {
            self.statements.iter().position(|first| first.shares_origin(statement))
        };
        let statements = self.statements.iter().enumerate();
        statements.map(|(index, statement)| origin(statement).unwrap_or(index)).collect()
    }

    /// The signed bytes that a binding points at.
    pub(super) fn bound_bytes(&self) -> impl Iterator<Item = (&Binding, Option<&[u8]>)> {
        self.bindings.iter().map(|binding| {
            let bytes = self
                .statements
                .get(binding.statement)
                .filter(|statement| statement.may_bind(binding.at))
                .and_then(|statement| statement.read(binding.at).ok());
            (binding, bytes)
        })
    }
}

/// Lets a verifier read evidence, at a moment, against an authority.
pub async fn examine(
    verifier: &VerifierPlugin,
    authority: Arc<Authority>,
    evidence: Evidence,
    at: Timestamp,
) -> Result<Verified, Refusal> {
    let description = verifier.description();
    let evidence_type = evidence
        .media_type
        .or_else(|| description.evidence_types.first().cloned())
        .unwrap_or_default();
    if evidence.tee != description.tee || !description.evidence_types.contains(&evidence_type) {
        let reason = format!("{} does not read {evidence_type}", verifier.name());
        return Err(Refusal::new(Code::EvidenceUnsupported, reason));
    }
    let digest = Digest::of(&evidence.data);
    let request = VerifierRequest {
        evidence_type,
        evidence: evidence.data,
        attachments: evidence.attachments,
    };
    let verdict = verifier
        .verify(Examination::new(authority, at), request)
        .await
        .map_err(|failure| refuse(verifier.name(), failure))?;
    let identity =
        VerifierIdentity { name: verifier.name().to_owned(), digest: verifier.digest().to_owned() };
    gate(&description.tee, verdict, identity, digest)
}

/// Invariant 1: what the plugin says counts only as far as statements carry it.
fn gate(
    tee: &str,
    verdict: Verdict,
    verifier: VerifierIdentity,
    evidence: Digest,
) -> Result<Verified, Refusal> {
    let invalid = |reason: &str| {
        let reason = format!("{}: {reason}", verifier.name);
        Err(Refusal::new(Code::PluginFailed, reason))
    };
    let Verdict { statements, bindings, claims, trustworthiness } = verdict;
    if statements.is_empty() {
        return invalid("a verdict without a statement vouches for nothing");
    }
    if bindings.is_empty() {
        return invalid("a verdict without a binding is bound to nothing");
    }
    let formats: Vec<_> = statements.iter().filter_map(Statement::tee).collect();
    if NATIVE.contains(&tee) && !formats.contains(&tee) {
        return invalid("no statement is of the format that the verdict is about");
    }
    // In a token only one of them would be left, and which one is not for a plugin to choose.
    let twice = |index: usize, format| formats.iter().take(index).any(|before| before == format);
    if formats.iter().enumerate().any(|(index, format)| twice(index, format)) {
        return invalid("two statements are of one format, and it is not clear whose facts count");
    }
    let of_format = |claim: &Claim| {
        let format = claim.name.split('.').next().unwrap_or_default();
        formats.contains(&format) || NATIVE.contains(&format)
    };
    if claims.iter().any(of_format) {
        return invalid("a claim stands in the namespace of what the host reads itself");
    }
    let facts = statements.iter().flat_map(|statement| statement.facts().to_vec()).collect();
    let Some(vector) = Vector::from_plugin(&trustworthiness) else {
        return invalid("the trustworthiness vector has a value outside AR4SI");
    };
    Ok(Verified {
        tee: tee.to_owned(),
        statements,
        bindings,
        facts,
        claims,
        vector,
        verifier,
        evidence,
    })
}

fn refuse(name: &str, failure: VerifierFailure) -> Refusal {
    let reason = format!("verifier {name}: {failure}");
    let code = match failure {
        VerifierFailure::Deadline => Code::PluginTimeout,
        VerifierFailure::Invalid(_) | VerifierFailure::Limit(_) | VerifierFailure::Trap(_) => {
            Code::PluginFailed
        }
        VerifierFailure::Rejected(rejection) => match rejection {
            Rejection::Expired(_) => Code::EvidenceExpired,
            Rejection::Malformed(_) => Code::EvidenceMalformed,
            Rejection::Outdated(_) => Code::EvidenceOutdated,
            Rejection::Revoked(_) => Code::EvidenceRevoked,
            Rejection::BadSignature(_) => Code::EvidenceSignature,
            Rejection::Unavailable(_) => Code::EndorsementsUnavailable,
            Rejection::Unsupported(_) => Code::EvidenceUnsupported,
            Rejection::Untrusted(_) => Code::EvidenceUntrusted,
        },
    };
    let refusal = Refusal::new(code, reason);
    if code == Code::EndorsementsUnavailable {
        return refusal.retry_after(std::time::Duration::from_secs(30));
    }
    refusal
}

/// Evidence that is genuine, in answer to a challenge that was spent for it.
#[derive(Debug)]
pub struct Genuine {
    pub(super) fresh: Fresh,
    pub(super) verified: Verified,
}

impl Fresh {
    /// The evidence that came with this challenge is read and checked.
    pub async fn verify(
        self,
        verifier: &VerifierPlugin,
        authority: Arc<Authority>,
        evidence: Evidence,
    ) -> Result<Genuine, Refusal> {
        let verified = examine(verifier, authority, evidence, self.at()).await?;
        Ok(Genuine { fresh: self, verified })
    }
}
