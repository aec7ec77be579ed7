//! A workload on simulated hardware.

use std::sync::OnceLock;

use claviger::clock::{Clock, SystemClock};
use claviger::flow::ReportDataInput;
use claviger::http::{
    Base64Url, Challenge, EvidenceBody, Release, ReleaseRequest, ReleaseWithEvidence,
};
use claviger::keys::{RecipientKind, RecipientPrivateKey, Unwrapped};
use claviger::quote::snp::Product;
use claviger::secret::Secret;
use claviger::simulated::{Family, SimulatedGuest};
use claviger::tenant::Tenant;

/// The simulated hardware of all these tests: three RSA-4096 keys take seconds.
pub(crate) fn family() -> &'static Family {
    static FAMILY: OnceLock<Family> = OnceLock::new();
    FAMILY.get_or_init(|| Family::mint(Product::Genoa, SystemClock.now()).unwrap())
}

/// The same, as a development host keeps it.
pub(crate) fn hardware() -> &'static [u8] {
    static TEXT: OnceLock<Secret> = OnceLock::new();
    TEXT.get_or_init(|| family().to_pem().unwrap()).expose()
}

/// A sound guest with a recipient key of its own.
pub(crate) struct Guest {
    pub(crate) hardware: SimulatedGuest,
    key: RecipientPrivateKey,
}

impl Guest {
    pub(crate) fn new() -> Self {
        let chip = family().chip(&family().chip_template()).unwrap();
        let key = RecipientPrivateKey::generate(RecipientKind::X25519).unwrap();
        Self { hardware: SimulatedGuest::new(chip), key }
    }

    /// Evidence in answer to a challenge.
    pub(crate) fn answer(&self, challenge: &Challenge) -> ReleaseRequest {
        let report_data = ReportDataInput {
            host: &challenge.host,
            tenant: &Tenant::default(),
            purpose: &challenge.purpose,
            nonce: challenge.nonce.0.as_slice().try_into().unwrap(),
            recipient: &self.key.thumbprint(),
            companions: &[],
        };
        let evidence = self.hardware.evidence(report_data.digest());
        ReleaseRequest::Evidence(ReleaseWithEvidence {
            challenge: challenge.challenge.clone(),
            evidence: EvidenceBody {
                tee: "snp".to_owned(),
                media_type: Some(evidence.evidence_type.to_owned()),
                data: Base64Url(evidence.data),
                attachments: evidence.attachments.into_iter().map(Base64Url).collect(),
            },
            companions: Vec::new(),
            recipient: self.key.jwk().as_object().unwrap().clone(),
            version: None,
        })
    }

    /// Opens a released key.
    pub(crate) fn open(&self, release: &Release) -> Unwrapped {
        self.key.unwrap(&release.jwe).unwrap()
    }
}
