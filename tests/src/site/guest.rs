//! A guest with its recipient key: it answers challenges and opens what it gets.

use claviger::flow::{Caller, ReportDataInput};
use claviger::http::{AttestationRequest, Base64Url, Challenge, EvidenceBody};
use claviger::http::{ReleaseRequest, ReleaseWithEvidence};
use claviger::keys::{RecipientKind, RecipientPrivateKey};
use claviger::quote::DigestAlgorithm;
use claviger::simulated::SimulatedGuest;
use claviger::simulated::report::ReportTemplate;
use claviger::tenant::Tenant;

/// A workload in a simulated guest.
pub struct Guest {
    /// What it runs on.
    pub hardware: SimulatedGuest,
    /// Opens what was wrapped for it.
    pub key: RecipientPrivateKey,
    /// Whose it is.
    pub tenant: Tenant,
}

impl Guest {
    /// A sound one, with an X25519 key.
    #[must_use]
    pub fn new() -> Self {
        Self::with_key(RecipientKind::X25519)
    }

    /// A sound one, with a recipient key of this kind.
    #[must_use]
    pub fn with_key(kind: RecipientKind) -> Self {
        let key = RecipientPrivateKey::generate(kind).unwrap();
        let hardware = SimulatedGuest::new(super::chip());
        Self { hardware, key, tenant: Tenant::default() }
    }

    /// One on this hardware.
    #[must_use]
    pub fn on(hardware: SimulatedGuest) -> Self {
        Self { hardware, ..Self::new() }
    }

    /// One whose reports say something else.
    #[must_use]
    pub fn whose(change: impl FnOnce(&mut ReportTemplate)) -> Self {
        let mut guest = Self::new();
        change(&mut guest.hardware.template);
        guest
    }

    /// The same guest as a tenant's.
    #[must_use]
    pub fn of(self, tenant: &Tenant) -> Self {
        Self { tenant: tenant.clone(), ..self }
    }

    /// Who asks when this guest asks.
    #[must_use]
    pub fn caller(&self) -> Caller {
        super::caller(&self.tenant)
    }

    /// The report data for a challenge and this guest's key.
    #[must_use]
    pub fn report_data(&self, challenge: &Challenge) -> [u8; 64] {
        self.digest(challenge, DigestAlgorithm::Sha512).try_into().unwrap()
    }

    /// The same for a format that has another room for it.
    #[must_use]
    pub fn digest(&self, challenge: &Challenge, algorithm: DigestAlgorithm) -> Vec<u8> {
        let input = ReportDataInput {
            host: &challenge.host,
            tenant: &self.tenant,
            purpose: &challenge.purpose,
            nonce: challenge.nonce.0.as_slice().try_into().unwrap(),
            recipient: &self.key.thumbprint(),
            companions: &[],
        };
        input.digest_by(algorithm).as_ref().to_vec()
    }

    /// The report that answers a challenge.
    #[must_use]
    pub fn report(&self, challenge: &Challenge) -> Vec<u8> {
        self.hardware.report(self.report_data(challenge)).to_vec()
    }

    /// What answers a challenge.
    #[must_use]
    pub fn answer(&self, challenge: &Challenge) -> AttestationRequest {
        self.answer_with(challenge, self.report(challenge))
    }

    /// The same with other evidence.
    #[must_use]
    pub fn answer_with(&self, challenge: &Challenge, evidence: Vec<u8>) -> AttestationRequest {
        AttestationRequest {
            challenge: challenge.challenge.clone(),
            evidence: EvidenceBody {
                tee: "snp".to_owned(),
                media_type: None,
                data: Base64Url(evidence),
                attachments: self.hardware.attachments.iter().cloned().map(Base64Url).collect(),
            },
            companions: Vec::new(),
            recipient: self.key.jwk().as_object().unwrap().clone(),
            trust_path: false,
        }
    }

    /// The answer as a request for a key.
    #[must_use]
    pub fn asks(&self, challenge: &Challenge) -> ReleaseRequest {
        with_evidence(self.answer(challenge))
    }

    /// What was wrapped for this guest.
    #[must_use]
    pub fn open(&self, jwe: &str) -> Vec<u8> {
        self.key.unwrap(jwe).unwrap().secret.expose().to_vec()
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

/// An attestation request as a request for a key.
#[must_use]
pub fn with_evidence(answer: AttestationRequest) -> ReleaseRequest {
    let AttestationRequest { challenge, evidence, companions, recipient, .. } = answer;
    let version = None;
    ReleaseRequest::Evidence(ReleaseWithEvidence {
        challenge,
        evidence,
        companions,
        recipient,
        version,
    })
}
