//! The quoting enclave: that its report vouches for the attestation key, and that it is Intel's.
//!
//! Source: Intel PCS API v4, "Get Quoting Enclave Identity", version 2.

use serde::Deserialize;

use super::super::algorithm::DigestAlgorithm;
use super::super::fault::Fault;
use super::frame::Frame;
use super::report::EnclaveReport;
use super::signed_json::{Dated, Hex, Moment};
use super::status::TcbStatus;

/// The identity of the quoting enclave for one kind of TEE.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QeIdentity {
    id: String,
    version: u32,
    issue_date: Moment,
    next_update: Moment,
    tcb_evaluation_data_number: u32,
    miscselect: Hex<4>,
    miscselect_mask: Hex<4>,
    attributes: Hex<16>,
    attributes_mask: Hex<16>,
    mrsigner: Hex<32>,
    isvprodid: u16,
    tcb_levels: Vec<QeLevel>,
}

/// A TCB level of the quoting enclave.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QeLevel {
    tcb: QeTcb,
    pub(crate) tcb_date: Moment,
    pub(crate) tcb_status: TcbStatus,
    #[serde(rename = "advisoryIDs", default)]
    pub(crate) advisories: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct QeTcb {
    isvsvn: u16,
}

impl Dated for QeIdentity {
    fn window(&self) -> (Moment, Moment) {
        (self.issue_date, self.next_update)
    }

    fn evaluation(&self) -> u32 {
        self.tcb_evaluation_data_number
    }
}

impl QeIdentity {
    /// Whether it is that of the quoting enclave for this kind of TEE.
    pub(crate) fn is_for(&self, tee: &str) -> bool {
        self.id == if tee == "tdx" { "TD_QE" } else { "QE" }
    }

    /// Refuses versions that are not read here. The highest level comes first.
    pub(crate) fn prepared(mut self) -> Result<Self, Fault> {
        if self.version != 2 {
            return Err(Fault::Unsupported(format!("a QE identity of version {}", self.version)));
        }
        self.tcb_levels.sort_by_key(|level| std::cmp::Reverse(level.tcb.isvsvn));
        Ok(self)
    }

    /// Whether this is the enclave, and at which level.
    pub(crate) fn judge(&self, report: &EnclaveReport) -> Result<&QeLevel, Fault> {
        let same = [
            ("MRSIGNER", self.mrsigner.0 == report.mr_signer),
            ("ISVPRODID", self.isvprodid == report.isv_prod_id),
            ("MISCSELECT", self.miscselect.covers(&self.miscselect_mask, &report.misc_select)),
            ("ATTRIBUTES", self.attributes.covers(&self.attributes_mask, &report.attributes)),
        ];
        if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
            let reason = format!("{field} of the quoting enclave is not what its identity says");
            return Err(Fault::Untrusted(reason));
        }
        let level = self.tcb_levels.iter().find(|level| report.isv_svn >= level.tcb.isvsvn);
        level.ok_or_else(|| {
            Fault::Outdated(format!("a quoting enclave of ISVSVN {}", report.isv_svn))
        })
    }
}

/// Whether the quoting enclave's report vouches for the attestation key: REPORTDATA is the SHA-256 of
/// key and authentication data, then 32 zeros. The report's signature is checked elsewhere.
pub(crate) fn check_vouches(frame: &Frame<'_>, report: &EnclaveReport) -> Result<(), Fault> {
    // Whoever may debug the quoting enclave has its key; no identity is needed to know that.
    if report.debug() {
        return Err(Fault::untrusted("the quoting enclave may be debugged"));
    }
    let digest = DigestAlgorithm::Sha256.digest(&[frame.key, frame.qe_auth].concat());
    let wanted = [digest.as_ref(), &[0; 32]].concat();
    match report.report_data == *wanted {
        true => Ok(()),
        false => {
            Err(Fault::untrusted("the quoting enclave's report does not name the attestation key"))
        }
    }
}
