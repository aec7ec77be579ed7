//! Fourth step: the appraisal policy judges bound evidence. What comes out is what a token says;
//! a token that comes back is judged anew, by the policy of that moment.

use std::sync::Arc;

use super::bind::Bound;
use super::challenge::Freshness;
use super::gate::{Said, Verified, VerifierIdentity};
use super::request::Finding;
use crate::appraisal::{Appraisal, Appraiser, Case, Status, Vector};
use crate::audit::Digest;
use crate::claim::Claim;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::keys::RecipientKey;
use crate::quote::Step;
use crate::reference::Snapshot;
use crate::tenant::Tenant;

/// Evidence, or a token made of evidence, with the judgement of now.
#[derive(Debug)]
pub struct Appraised {
    pub(super) tenant: Tenant,
    pub(super) at: Timestamp,
    pub(super) recipient: RecipientKey,
    pub(super) occasion: Occasion,
    /// The attester that bound the recipient key.
    pub(super) main: Part,
    /// Those for which it vouched, in its order.
    pub(super) companions: Vec<Part>,
    /// The reference values that it was judged by.
    pub(super) references: Arc<Snapshot>,
}

/// What the evidence answered.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The nonce of the challenge; the digest of the runtime data where there was none.
    pub nonce: [u8; 32],
    /// What is fresh of it.
    pub freshness: Freshness,
    /// The purpose of that challenge.
    pub purpose: String,
    /// The token's identifier, where the judgement is of a token.
    pub token: Option<String>,
    /// Whether any of it rests on simulated hardware. All of it is judged as if it did.
    pub simulated: bool,
    /// From this moment a certificate or revocation list behind any of it is out of date.
    pub expires: Timestamp,
}

/// One attester with its judgement.
#[derive(Clone, Debug)]
pub struct Part {
    pub(super) subject: Subject,
    pub(super) appraisal: Appraisal,
}

/// What was judged of one attester; all of it stands in the token and in the audit record.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What the host read itself.
    pub facts: Arc<[Claim]>,
    /// What the plugin says beyond that.
    pub claims: Vec<Claim>,
    /// What the plugin at most affirmed.
    pub vector: Vector,
    /// Which plugin read the evidence.
    pub verifier: VerifierIdentity,
    /// The custody operations that it rests on.
    pub path: Vec<String>,
    /// The digest of the evidence, where it came with the request.
    pub evidence: Option<Digest>,
}

impl Bound {
    /// Judges the evidence, where memory has all that judging it needs; none where the store must be
    /// asked.
    pub(super) fn appraise_from_memory(
        &self,
        appraiser: &Appraiser,
        references: &Snapshot,
    ) -> Result<Option<Vec<Appraisal>>, Refusal> {
        self.cases().map(|case| appraiser.appraise_from_memory(&case, references)).collect()
    }

    /// Judges the evidence; may wait for the store.
    pub fn appraise(
        self,
        appraiser: &Appraiser,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let appraisals: Result<Vec<_>, _> =
            self.cases().map(|case| appraiser.appraise(&case, &references)).collect();
        self.appraised(appraisals?, references)
    }

    fn parts(&self) -> impl Iterator<Item = &Verified> {
        std::iter::once(&self.verified).chain(&self.companions)
    }

    fn simulated(&self) -> bool {
        self.parts().any(Verified::simulated)
    }

    fn expires(&self) -> Timestamp {
        self.parts().map(Verified::expires).min().unwrap_or_default()
    }

    fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let (simulated, expires) = (self.simulated(), self.expires());
        self.parts().map(move |part| Case { simulated, expires, ..part.case(self.fresh.at()) })
    }

    /// The evidence with its judgements: the main one's, then each companion's.
    pub(super) fn appraised(
        self,
        appraisals: Vec<Appraisal>,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let (simulated, expires) = (self.simulated(), self.expires());
        let Self { fresh, verified, companions, recipient } = self;
        let occasion = Occasion {
            nonce: *fresh.nonce(),
            freshness: fresh.freshness(),
            purpose: fresh.purpose().to_owned(),
            token: None,
            simulated,
            expires,
        };
        let mut appraisals = appraisals.into_iter();
        let mut part = |verified: Verified| {
            let unjudged = || Refusal::new(Code::Internal, "an attester was not judged");
            let appraisal = appraisals.next().ok_or_else(unjudged)?;
            Ok(Part { subject: Subject::of(verified), appraisal })
        };
        let main = part(verified)?;
        let companions = companions.into_iter().map(part).collect::<Result<_, Refusal>>()?;
        let (tenant, at) = (fresh.tenant().clone(), fresh.at());
        Ok(Appraised { tenant, at, recipient, occasion, main, companions, references })
    }
}

impl Subject {
    pub(super) fn of(verified: Verified) -> Self {
        let path = verified.path().iter().map(Step::words).collect();
        let evidence = Some(verified.evidence());
        let Said { facts, claims, vector, verifier } = verified.into_said();
        Self { facts, claims, vector, verifier, path, evidence }
    }
}

impl Appraised {
    /// The main attester, then those for which it vouched.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.main).chain(&self.companions)
    }

    /// The overall status: the worst of all attesters'.
    #[must_use]
    pub fn status(&self) -> Status {
        self.parts().map(|part| part.appraisal.status).max().unwrap_or(Status::None)
    }

    /// The rules that did not hold.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.parts().flat_map(|part| part.appraisal.findings.iter().cloned()).collect()
    }

    /// The custody operations that all of it rests on.
    pub(super) fn trust_path(&self) -> Vec<String> {
        self.parts().flat_map(|part| part.subject.path.iter().cloned()).collect()
    }

    /// The findings, for the audit record; none where every rule held.
    pub(super) fn explanation(&self) -> Option<Explanation> {
        let findings = self.findings();
        (!findings.is_empty()).then(|| Explanation::of("appraisal").findings(&findings))
    }

    /// The findings, in one line for the operator.
    pub(super) fn why(&self) -> String {
        let mut text = format!("status {}", self.status().name());
        for part in self.parts() {
            if !self.companions.is_empty() {
                let Appraisal { tee, status, .. } = &part.appraisal;
                text.push_str(&format!("; {tee}: {}", status.name()));
            }
            for finding in &part.appraisal.findings {
                let seen = match &finding.seen {
                    Some(value) => serde_json::to_string(value).unwrap_or_default(),
                    None => "nothing".to_owned(),
                };
                text.push_str(&format!(
                    "; {}: {} is {seen}, wanted {}",
                    finding.rule, finding.claim, finding.wanted
                ));
            }
        }
        text
    }
}
