//! The appraisal policy: what genuine evidence is worth. It lowers what the verifier said, and
//! raises nothing above what the native checks support.

mod case;
mod facts;
mod judge;
mod last_seen;
mod snp;
mod vector;

use crate::error::{Code, Refusal};
use crate::flow::Finding;
use crate::policy::PolicyError;
use crate::reference::Snapshot;
use facts::Facts;
use judge::Judge;

pub use case::Case;
pub use last_seen::LastSeen;
pub use snp::{BUILT_IN, MilanRule, MinimumTcb, SnpPolicy};
pub use vector::{Status, Trust, Vector};

/// The policies in force.
pub struct Appraiser {
    snp: Judge,
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
    /// `last_seen`: the highest TCB of each chip, where firmware must not go back.
    ///
    /// # Errors
    /// Where the operator's policy cannot be compiled.
    pub fn new(snp: &SnpPolicy, last_seen: Option<LastSeen>) -> Result<Self, PolicyError> {
        let name = if snp.policy.is_empty() { "built-in:snp" } else { "configured:snp" };
        Ok(Self { snp: Judge::new(name, snp.modules(), &snp.settings())?, last_seen })
    }

    /// Judges a case by the policy and the reference values of now; may wait for the store. There is
    /// no policy for kinds other than `snp` yet, and what no policy judges is refused.
    pub fn appraise(&self, case: &Case<'_>, references: &Snapshot) -> Result<Appraisal, Refusal> {
        self.judge(case, &Facts::new(case.facts), references)
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
        self.judge(case, &facts, references).map(Some)
    }

    fn judge(
        &self,
        case: &Case<'_>,
        facts: &Facts<'_>,
        references: &Snapshot,
    ) -> Result<Appraisal, Refusal> {
        if case.tee != "snp" {
            let reason = format!("there is no appraisal policy for {}", case.tee);
            return Err(Refusal::new(Code::EvidenceUnsupported, reason));
        }
        let judgement = self.snp.judge(case, references)?;
        let (mut vector, mut findings) = (judgement.vector.clone(), judgement.findings.clone());
        if let Some(last_seen) = &self.last_seen {
            findings.extend(last_seen.apply(facts, &mut vector)?);
        }
        let (status, policy) = (vector.status(), self.snp.id().clone());
        Ok(Appraisal { tee: case.tee.to_owned(), vector, status, policy, findings })
    }
}

#[cfg(test)]
mod tests;
