//! Second step: the evidence is genuine. A verifier plugin reads it; the gate believes only what
//! rests on statements that the host itself checked up to a trust anchor.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::challenge::Fresh;
use super::gate::{Verified, VerifierIdentity, gate};
use super::report_data::Companion;
use super::request::Evidence;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::endorsements::{Endorsements, SourceError};
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::plugin::{Rejection, Unverified, VerifierFailure, VerifierPlugin, VerifierRequest};
use crate::quote::{Authority, Examination, Step, Want};

/// Lets a verifier read evidence, at a moment, against an authority.
pub async fn examine(
    verifier: &VerifierPlugin,
    authority: Arc<Authority>,
    evidence: Evidence,
    at: Timestamp,
) -> Result<Verified, Refusal> {
    let digest = Digest::of(&evidence.data);
    examine_digested(verifier, Examination::new(authority, at), evidence, digest).await
}

async fn examine_digested(
    verifier: &VerifierPlugin,
    examination: Examination,
    evidence: Evidence,
    digest: Digest,
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
    let request = VerifierRequest {
        evidence_type,
        evidence: evidence.data,
        attachments: evidence.attachments,
    };
    let examination = examination.with(&request.attachments);
    let verdict = verifier
        .verify(examination, request)
        .await
        .map_err(|unverified| refuse(verifier.name(), unverified))?;
    let identity =
        VerifierIdentity { name: verifier.name().to_owned(), digest: verifier.digest().to_owned() };
    gate(&description.tee, verdict, identity, digest)
}

fn refuse(name: &str, unverified: Unverified) -> Refusal {
    let explanation = explain(&unverified);
    let failure = unverified.failure;
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
    let refusal = Refusal::new(code, reason).explain(explanation);
    if code == Code::EndorsementsUnavailable {
        return refusal.retry_after(std::time::Duration::from_secs(30));
    }
    refusal
}

/// The native check that failed last, with the links that held before it; where none did, what the
/// plugin had got before it said no.
fn explain(unverified: &Unverified) -> Explanation {
    let words = |steps: &[Step]| steps.iter().map(Step::words).collect();
    match &unverified.broken {
        Some(broken) => {
            let path = match broken.path() {
                path if path.is_empty() => words(&unverified.reached),
                path => words(&path),
            };
            Explanation::of(broken.operation)
                .seen(broken.fault.to_string())
                .wanted(broken.wanted())
                .trust_path(path)
        }
        None => Explanation::of("verifier")
            .seen(unverified.failure.to_string())
            .wanted("a verdict that rests on what the host checked")
            .trust_path(words(&unverified.reached)),
    }
}

/// Whether evidence could hold with what it lacked: nothing else was wrong, or what came along in its place is
/// of another chip, of the firmware before, or unreadable. Nobody is asked about a certificate of NVIDIA's
/// while something else is wrong.
fn could_hold(refusal: &Refusal, wants: &BTreeSet<Want>) -> bool {
    match refusal.code {
        Code::EndorsementsUnavailable | Code::EvidenceExpired => true,
        Code::EvidenceMalformed | Code::EvidenceUntrusted => {
            !wants.iter().any(|want| matches!(want, Want::NvidiaOcsp { .. }))
        }
        _ => false,
    }
}

/// Examines evidence once more with what it lacked. Where that cannot be had, the first refusal stands
/// and says so.
async fn complete<F: Future<Output = Result<Verified, Refusal>>>(
    endorsements: &Arc<Endorsements>,
    authority: &Arc<Authority>,
    wants: BTreeSet<Want>,
    mut evidence: Evidence,
    refusal: Refusal,
    examine: impl FnOnce(Evidence) -> F,
) -> Result<Verified, Refusal> {
    match endorsements.supply(authority, wants).await {
        Ok(supplied) => {
            evidence.attachments.extend(supplied);
            examine(evidence).await
        }
        Err(error) => {
            let reason = format!("{}; {error}", refusal.reason);
            let refusal = Refusal { reason, ..refusal };
            Err(match error {
                SourceError::Paused { pause, .. } => refusal.retry_after(pause),
                SourceError::Absent(_) | SourceError::Failed(_) => refusal,
            })
        }
    }
}

/// Evidence that is genuine, in answer to a challenge that was spent for it.
#[derive(Debug)]
pub struct Genuine {
    pub(super) fresh: Fresh,
    pub(super) verified: Verified,
    /// What came along, each with what the main evidence must say of it.
    pub(super) companions: Vec<(Companion, Verified)>,
}

impl Genuine {
    /// The same with one more attester's evidence, after all that came along before it.
    pub(super) async fn accompanied(
        mut self,
        companion: Companion,
        verifier: &VerifierPlugin,
        authority: Arc<Authority>,
        endorsements: Option<&Arc<Endorsements>>,
        evidence: Evidence,
    ) -> Result<Self, Refusal> {
        let digest = Digest(companion.evidence);
        let verified = self.fresh.read(verifier, authority, endorsements, evidence, digest).await?;
        self.companions.push((companion, verified));
        Ok(self)
    }
}

impl Fresh {
    /// The evidence that came with this challenge is read and checked; `digest` is its own.
    pub(super) async fn verify(
        self,
        verifier: &VerifierPlugin,
        authority: Arc<Authority>,
        endorsements: Option<&Arc<Endorsements>>,
        evidence: Evidence,
        digest: Digest,
    ) -> Result<Genuine, Refusal> {
        let verified = self.read(verifier, authority, endorsements, evidence, digest).await?;
        Ok(Genuine { fresh: self, verified, companions: Vec::new() })
    }

    async fn read(
        &self,
        verifier: &VerifierPlugin,
        authority: Arc<Authority>,
        endorsements: Option<&Arc<Endorsements>>,
        evidence: Evidence,
        digest: Digest,
    ) -> Result<Verified, Refusal> {
        let examination = Examination::new(Arc::clone(&authority), self.at());
        let again = endorsements.map(|endorsements| (endorsements, evidence.clone()));
        let examined = examine_digested(verifier, examination.clone(), evidence, digest).await;
        match (examined, again) {
            (Err(refusal), Some((endorsements, evidence))) => {
                let wants = examination.wants();
                if wants.is_empty() || !could_hold(&refusal, &wants) {
                    return Err(refusal);
                }
                complete(endorsements, &authority, wants, evidence, refusal, |evidence| {
                    let examination = Examination::new(Arc::clone(&authority), self.at());
                    examine_digested(verifier, examination, evidence, digest)
                })
                .await
            }
            (examined, _) => examined,
        }
    }
}
