//! Fourth step: the appraisal policy judges bound evidence. What comes out is what a token says;
//! a token that comes back is judged anew, by the policy of that moment.

use std::sync::Arc;

use super::bind::Bound;
use super::gate::{Said, VerifierIdentity};
use super::request::Finding;
use crate::appraisal::{Appraisal, Appraiser, Case, Status, Vector};
use crate::audit::Digest;
use crate::claim::Claim;
use crate::clock::Timestamp;
use crate::error::Refusal;
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
    pub(super) subject: Subject,
    pub(super) appraisal: Appraisal,
    /// The reference values that it was judged by.
    pub(super) references: Arc<Snapshot>,
}

/// What was judged; all of it stands in the token and in the audit record.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The nonce of the challenge that the evidence answered.
    pub nonce: [u8; 32],
    /// The purpose of that challenge.
    pub purpose: String,
    /// The token's identifier, where the judgement is of a token.
    pub token: Option<String>,
    /// What the host read itself.
    pub facts: Arc<[Claim]>,
    /// What the plugin says beyond that.
    pub claims: Vec<Claim>,
    /// What the plugin at most affirmed.
    pub vector: Vector,
    /// Which plugin read the evidence.
    pub verifier: VerifierIdentity,
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// From this moment a certificate or revocation list behind it is out of date.
    pub expires: Timestamp,
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
    ) -> Result<Option<Appraisal>, Refusal> {
        appraiser.appraise_from_memory(&self.case(), references)
    }

    /// Judges the evidence; may wait for the store.
    pub fn appraise(
        self,
        appraiser: &Appraiser,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let appraisal = appraiser.appraise(&self.case(), &references)?;
        Ok(self.appraised(appraisal, references))
    }

    fn case(&self) -> Case<'_> {
        self.verified.case(self.fresh.at())
    }

    /// The evidence with its judgement.
    pub(super) fn appraised(self, appraisal: Appraisal, references: Arc<Snapshot>) -> Appraised {
        let Self { fresh, verified, recipient } = self;
        let (simulated, expires) = (verified.simulated(), verified.expires());
        let path = verified.path().iter().map(Step::words).collect();
        let evidence = Some(verified.evidence());
        let Said { facts, claims, vector, verifier } = verified.into_said();
        let subject = Subject {
            nonce: *fresh.nonce(),
            purpose: fresh.purpose().to_owned(),
            token: None,
            facts,
            claims,
            vector,
            verifier,
            simulated,
            expires,
            path,
            evidence,
        };
        let (tenant, at) = (fresh.tenant().clone(), fresh.at());
        Appraised { tenant, at, recipient, subject, appraisal, references }
    }
}

impl Appraised {
    /// The overall status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.appraisal.status
    }

    /// The rules that did not hold.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.appraisal.findings
    }

    /// The findings, for the audit record; none where every rule held.
    pub(super) fn explanation(&self) -> Option<Explanation> {
        let findings = &self.appraisal.findings;
        (!findings.is_empty()).then(|| Explanation::of("appraisal").findings(findings))
    }

    /// The findings, in one line for the operator.
    pub(super) fn why(&self) -> String {
        let mut text = format!("status {}", self.appraisal.status.name());
        for finding in &self.appraisal.findings {
            let seen = match &finding.seen {
                Some(value) => serde_json::to_string(value).unwrap_or_default(),
                None => "nothing".to_owned(),
            };
            text.push_str(&format!(
                "; {}: {} is {seen}, wanted {}",
                finding.rule, finding.claim, finding.wanted
            ));
        }
        text
    }
}
