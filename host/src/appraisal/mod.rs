//! The appraisal policy: what genuine evidence is worth. It lowers what the verifier said, and
//! raises nothing above what the native checks support.

mod facts;
mod last_seen;
mod snp;
mod vector;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

use crate::claim::Claim;
use crate::error::{Code, Refusal};
use crate::flow::Finding;
use crate::reference::Snapshot;
use facts::Facts;

pub use last_seen::LastSeen;
pub use snp::{MilanRule, MinimumTcb, SnpPolicy};
pub use vector::{Status, Trust, Vector};

/// The policies in force.
pub struct Appraiser {
    snp: SnpPolicy,
    snp_id: PolicyId,
    last_seen: Option<LastSeen>,
}

/// Which policy judged: its name, and a digest of its content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyId(String);

impl PolicyId {
    /// `built-in:snp:sha256:…`
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
    #[must_use]
    pub fn new(snp: SnpPolicy, last_seen: Option<LastSeen>) -> Self {
        let text = format!("{snp:?} rollback={}", last_seen.is_some());
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        let snp_id = PolicyId(format!("built-in:snp:sha256:{}", HEXLOWER.encode(digest.as_ref())));
        Self { snp, snp_id, last_seen }
    }

    /// Judges what a verifier found by the reference values of now; may wait for the store. There is no policy for kinds other than
    /// `snp` yet, and what no policy judges is refused.
    pub fn appraise(
        &self,
        tee: &str,
        facts: &[Claim],
        vector: Vector,
        references: &Snapshot,
    ) -> Result<Appraisal, Refusal> {
        self.judge(tee, &Facts::new(facts), vector, references)
    }

    /// The same where memory has all that it needs: the chip was seen with this firmware. None where
    /// the store must be asked.
    pub fn appraise_from_memory(
        &self,
        tee: &str,
        facts: &[Claim],
        vector: Vector,
        references: &Snapshot,
    ) -> Result<Option<Appraisal>, Refusal> {
        let facts = Facts::new(facts);
        if self.last_seen.as_ref().is_some_and(|last_seen| !last_seen.is_familiar(&facts)) {
            return Ok(None);
        }
        self.judge(tee, &facts, vector, references).map(Some)
    }

    fn judge(
        &self,
        tee: &str,
        facts: &Facts<'_>,
        mut vector: Vector,
        references: &Snapshot,
    ) -> Result<Appraisal, Refusal> {
        if tee != "snp" {
            let reason = format!("there is no appraisal policy for {tee}");
            return Err(Refusal::new(Code::EvidenceUnsupported, reason));
        }
        let mut findings = self.snp.apply(facts, references, &mut vector);
        if let Some(last_seen) = &self.last_seen {
            findings.extend(last_seen.apply(facts, &mut vector)?);
        }
        let status = vector.status();
        let policy = self.snp_id.clone();
        Ok(Appraisal { tee: tee.to_owned(), vector, status, policy, findings })
    }
}
