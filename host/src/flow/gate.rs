//! The gate: what a verifier says counts only as far as statements carry it (invariant 1). It is
//! written for a plugin that lies: one that gets handles of whatever evidence its accomplice sent
//! and puts them together as it likes.

use std::sync::Arc;

use crate::appraisal::{Case, Vector};
use crate::audit::Digest;
use crate::claim::Claim;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::plugin::{Binding, Carries, Verdict};
use crate::quote::{DigestAlgorithm, NATIVE, Statement, Step};

/// What a verifier said, after the gate. Only the gate makes one.
#[derive(Debug)]
pub struct Verified {
    tee: String,
    statements: Vec<Statement>,
    bindings: Vec<Binding>,
    facts: Arc<[Claim]>,
    claims: Vec<Claim>,
    vector: Vector,
    verifier: VerifierIdentity,
    evidence: Digest,
}

/// See [`Verified::into_said`].
pub(super) struct Said {
    pub(super) facts: Arc<[Claim]>,
    pub(super) claims: Vec<Claim>,
    pub(super) vector: Vector,
    pub(super) verifier: VerifierIdentity,
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

    /// What an appraisal policy judges, at a moment.
    #[must_use]
    pub fn case(&self, at: Timestamp) -> Case<'_> {
        Case {
            tee: &self.tee,
            facts: &self.facts,
            claims: &self.claims,
            vector: &self.vector,
            verifier: (&self.verifier.name, &self.verifier.digest),
            simulated: self.simulated(),
            expires: self.expires(),
            at,
        }
    }

    /// What was read and said, without what it rests on.
    pub(super) fn into_said(self) -> Said {
        let Self { facts, claims, vector, verifier, .. } = self;
        Said { facts, claims, vector, verifier }
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

    /// The moment at which the newest collateral of its report was issued.
    #[must_use]
    pub fn collateral_from(&self) -> Option<Timestamp> {
        self.statements.iter().find_map(Statement::collateral_from)
    }

    /// The custody operations that it rests on, anchor first.
    #[must_use]
    pub fn path(&self) -> Vec<Step> {
        self.statements.iter().flat_map(Statement::path).collect()
    }

    /// Whether these very bytes are one of the statements that it rests on.
    pub(super) fn vouches_for(&self, bytes: &[u8]) -> bool {
        self.statements.iter().any(|statement| statement.bytes() == bytes)
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

/// Lets a verdict about `tee` through, where
///
/// - its statements are of *one* attester: all rest on one of them, so that the facts of one machine
///   never stand beside the challenge of another (CVE-2022-1053);
/// - evidence of a kind that the host reads itself rests on a whole report of that kind, once;
/// - what is bound stands exactly where the format has the challenge, where the host knows that, and of a
///   kind that the host reads itself nowhere else;
/// - facts come from one statement, and no claim is made in the host's name;
/// - the vector says nothing that a verifier may not say.
pub(super) fn gate(
    tee: &str,
    verdict: Verdict,
    verifier: VerifierIdentity,
    evidence: Digest,
) -> Result<Verified, Refusal> {
    let Verdict { statements, bindings, claims, trustworthiness } = verdict;
    let invalid = |reason: &str| {
        let path = statements.iter().flat_map(Statement::path).map(|step| step.words()).collect();
        let explanation = Explanation::of("gate")
            .seen(reason)
            .wanted("a verdict that its own statements carry")
            .trust_path(path);
        let reason = format!("{}: {reason}", verifier.name);
        Err(Refusal::new(Code::PluginFailed, reason).explain(explanation))
    };
    // A format that the host reads itself has a place for the challenge, used or not.
    if bindings.is_empty() && NATIVE.contains(&tee) {
        return invalid("a verdict without a binding is bound to nothing");
    }
    if !of_one_attester(&statements) {
        return invalid("its statements are none, or not of one attester");
    }
    let formats: Vec<_> = statements.iter().filter_map(Statement::tee).collect();
    let whole = match NATIVE.contains(&tee) {
        true => formats == [tee],
        false => formats.len() <= 1,
    };
    if !whole {
        return invalid("it does not rest on one whole report of the format that it is about");
    }
    if !bindings.iter().all(|binding| in_its_place(tee, &statements, binding)) {
        return invalid("a binding is not where the format has the challenge");
    }
    let of_format = |claim: &Claim| {
        let format = claim.name.split('.').next().unwrap_or_default();
        formats.contains(&format) || NATIVE.contains(&format)
    };
    if claims.iter().any(of_format) {
        return invalid("a claim stands in the namespace of what the host reads itself");
    }
    // Only whole reports have facts, and there is at most one.
    let facts = statements.iter().find(|statement| statement.tee().is_some());
    let facts = facts.map_or_else(Arc::default, |statement| Arc::clone(statement.facts()));
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

/// Whether there are any, and one of them is what all the others rest on.
fn of_one_attester(statements: &[Statement]) -> bool {
    statements.iter().any(|root| statements.iter().all(|one| one.descends_from(root)))
}

/// In a format that the host knows the challenge has its field. Evidence of such a kind is bound there and
/// nowhere else: what REPORT_DATA vouches for, and what a key in it signs, may hold whatever somebody had the
/// guest put there, for another protocol.
fn in_its_place(tee: &str, statements: &[Statement], binding: &Binding) -> bool {
    let Some(statement) = statements.get(binding.statement) else { return false };
    match statement.challenge_field() {
        Some(field) => {
            binding.at == field
                && binding.carries == Carries::ChallengeDigest(DigestAlgorithm::Sha512)
        }
        None => !NATIVE.contains(&tee),
    }
}

#[cfg(test)]
mod tests;
