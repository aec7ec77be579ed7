//! The appraisal policy: what genuine evidence is worth. It lowers what the verifier said, and
//! raises nothing above what the native checks support.

mod case;
mod facts;
mod judge;
mod kinds;
mod last_seen;
mod snp;
mod vector;

use std::collections::BTreeMap;

use crate::error::{Code, Refusal};
use crate::flow::Finding;
use crate::policy::{Fault, PolicyError};
use crate::reference::Snapshot;
use facts::Facts;
use judge::Judge;

pub use case::Case;
pub use kinds::{KINDS, Kind, TeePolicy, kind};
pub use last_seen::LastSeen;
pub use snp::{MilanRule, MinimumTcb, SnpPolicy};
pub use vector::{Status, Trust, Vector};

/// The kind whose choices have a type of their own.
const SNP: &str = "snp";

/// The policies in force.
pub struct Appraiser {
    judges: BTreeMap<String, Judge>,
    last_seen: Option<LastSeen>,
}

/// Which policy judged: its name, and a digest of its content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyId(String);

impl PolicyId {
    /// `built-in:snp:sha256:…:settings:sha256:…`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The result of an appraisal.
#[derive(Clone, Debug)]
pub struct Appraisal {
    /// The attester's kind: the result's submodule.
    pub tee: String,
    /// Claim by claim.
    pub vector: Vector,
    /// The worst of it.
    pub status: Status,
    /// Which policy judged.
    pub policy: PolicyId,
    /// The rules that did not hold.
    pub findings: Vec<Finding>,
}

impl Appraiser {
    /// For SEV-SNP by the operator's choices, for every other kind by its built-in policy.
    /// `last_seen`: the highest TCB of each chip, where firmware must not go back.
    ///
    /// # Errors
    /// Where the operator's policy cannot be compiled.
    pub fn new(snp: &SnpPolicy, last_seen: Option<LastSeen>) -> Result<Self, PolicyError> {
        Self::with(snp, &BTreeMap::new(), last_seen)
    }

    /// The same, with the operator's choices for other kinds, by their names.
    ///
    /// # Errors
    /// Where a policy cannot be compiled or a choice is none that it offers; the message names the kind.
    pub fn with(
        snp: &SnpPolicy,
        others: &BTreeMap<String, TeePolicy>,
        last_seen: Option<LastSeen>,
    ) -> Result<Self, PolicyError> {
        let mut judges = BTreeMap::new();
        let name = if snp.policy.is_empty() { "built-in:snp" } else { "configured:snp" };
        let judge = Judge::new("snp", name, snp.modules(), &snp.settings())?;
        judges.insert(SNP.to_owned(), judge);
        let none = TeePolicy::default();
        let built_in = KINDS.iter().map(|kind| kind.tee);
        for tee in built_in.chain(others.keys().map(String::as_str)) {
            if tee == SNP || judges.contains_key(tee) {
                continue;
            }
            let chosen = others.get(tee).unwrap_or(&none);
            let modules = chosen.modules(kind(tee));
            let settings = chosen
                .settings(kind(tee))
                .map_err(|why| PolicyError::new(Fault::WrongType, format!("{tee}: {why}")))?;
            let origin = if chosen.policy.is_empty() { "built-in" } else { "configured" };
            let judge = Judge::new(tee, &format!("{origin}:{tee}"), modules, &settings)?;
            judges.insert(tee.to_owned(), judge);
        }
        Ok(Self { judges, last_seen })
    }

    /// Judges a case by the policy and the reference values of now; may wait for the store. What no
    /// policy judges is refused.
    ///
    /// # Errors
    /// Where there is no policy for this kind of attester, or it gives no answer.
    pub fn appraise(&self, case: &Case<'_>, references: &Snapshot) -> Result<Appraisal, Refusal> {
        let mut appraisal = self.judge(case, references)?;
        if let Some(last_seen) = &self.last_seen {
            let facts = Facts::new(case.facts);
            let affirmed = appraisal.status == Status::Affirming;
            appraisal.findings.extend(last_seen.apply(&facts, affirmed, &mut appraisal.vector)?);
            appraisal.status = appraisal.vector.status();
        }
        Ok(appraisal)
    }

    /// The same where memory has all that it needs: the chip was seen with this firmware. None where
    /// the store must be asked.
    pub fn appraise_from_memory(
        &self,
        case: &Case<'_>,
        references: &Snapshot,
    ) -> Result<Option<Appraisal>, Refusal> {
        let facts = Facts::new(case.facts);
        if self.last_seen.as_ref().is_some_and(|last_seen| !last_seen.is_familiar(&facts)) {
            return Ok(None);
        }
        self.judge(case, references).map(Some)
    }

    /// By the policy alone.
    fn judge(&self, case: &Case<'_>, references: &Snapshot) -> Result<Appraisal, Refusal> {
        let Some(judge) = self.judges.get(case.tee) else {
            let reason = format!("there is no appraisal policy for {}", case.tee);
            return Err(Refusal::new(Code::EvidenceUnsupported, reason));
        };
        let judgement = judge.judge(case, references)?;
        let (vector, findings) = (judgement.vector.clone(), judgement.findings.clone());
        let (status, policy) = (vector.status(), judge.id().clone());
        Ok(Appraisal { tee: case.tee.to_owned(), vector, status, policy, findings })
    }
}

#[cfg(test)]
mod tests;
