//! What is otherwise in a guest's answer than in a sound one.

use claviger::flow::{ReportDataInput, Submission};
use claviger::http::Challenge;
use claviger::simulated::report::{self, ReportTemplate};
use claviger_tests::site::{Guest, tenant};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;

/// The report itself is signed by the simulated chip after `report` and `bound_to`, before the rest.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Changes {
    report: Report,
    bound_to: Bound,
    /// A bit of the evidence, counted from the first byte's lowest.
    flip_bit: Option<usize>,
    /// So many bytes of the evidence are left.
    cut_to: Option<usize>,
    tee: Option<String>,
    media_type: Option<String>,
    without_certificate: bool,
    recipient: Option<Recipient>,
    /// Put behind the challenge's text.
    challenge_suffix: String,
}

/// What the report says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Report {
    guest_policy: Vec<GuestPolicy>,
    vmpl: Option<u32>,
    version: Option<u32>,
    signature_algorithm: Option<u32>,
    measurement: Option<String>,
    host_data: Option<String>,
    alias_check: Option<bool>,
    reported_snp_below: u8,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum GuestPolicy {
    Debug,
    MigrationAgent,
}

/// What the report data is made of.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Bound {
    host: Option<String>,
    tenant: Option<String>,
    purpose: Option<String>,
    nonce: Option<String>,
    recipient: Option<String>,
    /// In place of all that: 64 bytes.
    report_data: Option<String>,
}

/// The recipient key that is submitted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Recipient {
    /// Of another guest.
    Another,
    /// As it stands.
    Jwk(Value),
}

impl Changes {
    /// The answer to a challenge.
    pub(crate) fn answer(
        &self,
        guest: &Guest,
        challenge: &Challenge,
    ) -> Result<Submission, String> {
        let report_data = self.bound_to.report_data(guest, challenge)?;
        let mut hardware = guest.hardware.clone();
        self.report.apply(&mut hardware.template)?;
        let mut evidence = hardware.report(report_data).to_vec();
        if let Some(bit) = self.flip_bit {
            *evidence.get_mut(bit / 8).ok_or("there is no such bit")? ^= 1 << (bit % 8);
        }
        evidence.truncate(self.cut_to.unwrap_or(evidence.len()));
        let mut submission: Submission = guest.answer_with(challenge, evidence).into();
        submission.challenge.push_str(&self.challenge_suffix);
        if let Some(tee) = &self.tee {
            submission.evidence.tee.clone_from(tee);
        }
        if self.media_type.is_some() {
            submission.evidence.media_type.clone_from(&self.media_type);
        }
        if self.without_certificate {
            submission.evidence.attachments.clear();
        }
        match &self.recipient {
            Some(Recipient::Another) => submission.recipient = Guest::new().key.jwk().clone(),
            Some(Recipient::Jwk(jwk)) => submission.recipient = jwk.clone(),
            None => {}
        }
        Ok(submission)
    }
}

impl Report {
    fn apply(&self, template: &mut ReportTemplate) -> Result<(), String> {
        for flag in &self.guest_policy {
            template.policy |= match flag {
                GuestPolicy::Debug => report::POLICY_DEBUG,
                GuestPolicy::MigrationAgent => report::POLICY_MIGRATION_AGENT,
            };
        }
        template.vmpl = self.vmpl.unwrap_or(template.vmpl);
        template.version = self.version.unwrap_or(template.version);
        template.signature_algorithm =
            self.signature_algorithm.unwrap_or(template.signature_algorithm);
        if let Some(measurement) = &self.measurement {
            template.measurement = bytes(measurement)?;
        }
        if let Some(host_data) = &self.host_data {
            template.host_data = bytes(host_data)?;
        }
        if self.alias_check == Some(false) {
            template.platform_info &= !report::PLATFORM_ALIAS_CHECK;
        }
        template.reported_tcb.snp -= self.reported_snp_below;
        Ok(())
    }
}

impl Bound {
    fn report_data(&self, guest: &Guest, challenge: &Challenge) -> Result<[u8; 64], String> {
        if let Some(report_data) = &self.report_data {
            return bytes(report_data);
        }
        let nonce = HEXLOWER.encode(&challenge.nonce.0);
        let recipient = HEXLOWER.encode(&guest.key.thumbprint());
        let of = self.tenant.as_deref().map_or_else(|| guest.tenant.clone(), tenant);
        let input = ReportDataInput {
            host: self.host.as_deref().unwrap_or(&challenge.host),
            tenant: &of,
            purpose: self.purpose.as_deref().unwrap_or(&challenge.purpose),
            nonce: &bytes(self.nonce.as_ref().unwrap_or(&nonce))?,
            recipient: &bytes(self.recipient.as_ref().unwrap_or(&recipient))?,
            companions: &[],
        };
        Ok(input.digest())
    }
}

fn bytes<const LENGTH: usize>(hex: &str) -> Result<[u8; LENGTH], String> {
    let bytes = HEXLOWER.decode(hex.as_bytes()).map_err(|error| error.to_string())?;
    bytes.try_into().map_err(|_| format!("wanted are {LENGTH} bytes"))
}
