//! A workload on simulated hardware: asks for a challenge, answers with evidence, opens what it
//! gets. The demonstration, the benchmark and `simulate` are made of it.

use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::{Map, Value};

use super::files::read_bounded;
use crate::client::Client;
use crate::flow::ReportDataInput;
use crate::http::{
    Base64Url, Challenge, ChallengeRequest, EvidenceBody, Release, ReleaseRequest,
    ReleaseWithEvidence,
};
use crate::keys::{RecipientKind, RecipientPrivateKey};
use crate::secret::Secret;
use crate::simulated::{Family, SimulatedGuest};
use crate::tenant::Tenant;

/// Where a development host keeps its simulated hardware, in its state folder.
pub(super) const HARDWARE: &str = "simulated-hardware.pem";

/// A guest with its recipient key.
pub(super) struct Guest {
    pub(super) hardware: SimulatedGuest,
    pub(super) key: RecipientPrivateKey,
    pub(super) tenant: Tenant,
}

impl Guest {
    /// A sound guest on chip 0 of the family.
    pub(super) fn new(family: &Family) -> anyhow::Result<Self> {
        let endorser = family.chip(&family.chip_template())?;
        Self::with(SimulatedGuest::new(endorser), RecipientKind::X25519)
    }

    /// A guest on this hardware, with a fresh recipient key.
    pub(super) fn with(hardware: SimulatedGuest, kind: RecipientKind) -> anyhow::Result<Self> {
        let key = RecipientPrivateKey::generate(kind)?;
        Ok(Self { hardware, key, tenant: Tenant::default() })
    }

    /// The report data for a challenge and this guest's key.
    pub(super) fn report_data(&self, challenge: &Challenge) -> anyhow::Result<[u8; 64]> {
        let nonce = challenge.nonce.0.as_slice();
        let nonce: &[u8; 32] = nonce.try_into().context("the nonce has not 32 bytes")?;
        Ok(ReportDataInput {
            host: &challenge.host,
            tenant: &self.tenant,
            purpose: &challenge.purpose,
            nonce,
            recipient: &self.key.thumbprint(),
            companions: &[],
        }
        .digest())
    }

    /// Evidence over report data, as the API takes it.
    pub(super) fn evidence(&self, report_data: [u8; 64]) -> EvidenceBody {
        let evidence = self.hardware.evidence(report_data);
        EvidenceBody {
            tee: "snp".to_owned(),
            media_type: Some(evidence.evidence_type.to_owned()),
            data: Base64Url(evidence.data),
            attachments: evidence.attachments.into_iter().map(Base64Url).collect(),
        }
    }

    /// The recipient key as a JWK.
    pub(super) fn recipient(&self) -> anyhow::Result<Map<String, Value>> {
        self.key.jwk().as_object().cloned().ok_or_else(|| anyhow!("a JWK is an object"))
    }

    /// The request that answers a challenge.
    pub(super) fn answer(&self, challenge: &Challenge) -> anyhow::Result<ReleaseRequest> {
        Ok(ReleaseRequest::Evidence(ReleaseWithEvidence {
            challenge: challenge.challenge.clone(),
            evidence: self.evidence(self.report_data(challenge)?),
            companions: Vec::new(),
            recipient: self.recipient()?,
            version: None,
        }))
    }

    /// The whole way: challenge, evidence, key.
    pub(super) async fn fetch(
        &self,
        client: &Client,
        key: &str,
    ) -> anyhow::Result<(Secret, Release)> {
        let challenge =
            client.challenge(&ChallengeRequest::Release { key: key.to_owned() }).await?;
        let release = client.release(key, &self.answer(&challenge)?).await?;
        Ok((self.open(&release)?, release))
    }

    /// Opens a released key.
    pub(super) fn open(&self, release: &Release) -> anyhow::Result<Secret> {
        Ok(self.key.unwrap(&release.jwe)?.secret)
    }
}

/// The simulated hardware of a development host's state folder.
pub(super) fn hardware(state: &Path) -> anyhow::Result<Family> {
    let path = state.join(HARDWARE);
    let text = zeroize::Zeroizing::new(read_bounded(&path, 1 << 20)?);
    let text = std::str::from_utf8(&text).with_context(|| path.display().to_string())?;
    Ok(Family::from_pem(text)?)
}
