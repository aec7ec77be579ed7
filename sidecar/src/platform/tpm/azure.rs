//! Azure's confidential VMs: the paravisor's vTPM holds the hardware's report of the boot (the HCL
//! report) in an NV index, and quotes by the key that the report's runtime data name. What the
//! hardware's evidence needs besides comes from Azure's metadata service.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use claviger_client::{Evidence, PlatformError};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::super::Attester;
use super::attach_log;
use super::commands::Tpm;
use crate::metadata::Metadata;

/// The HCL report; where a guest's own 64 bytes for the next one are written; the attestation key.
const REPORT: u32 = 0x0140_0001;
const USER_DATA: u32 = 0x0140_0002;
const KEY: u32 = 0x8100_0003;

/// Where in the HCL report the kind of the hardware's report stands, and the TDREPORT.
const KIND: std::ops::Range<usize> = 1224..1228;
const TDREPORT: std::ops::Range<usize> = 32..1056;

/// The vTPM of a confidential VM.
pub(in crate::platform) struct AzureVm {
    tpm: Mutex<Tpm>,
    kind: Kind,
    metadata: Metadata,
    event_log: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Snp,
    Tdx,
}

impl AzureVm {
    /// None where this TPM is no such VM's.
    pub(in crate::platform) fn find(
        mut tpm: Tpm,
        metadata: Metadata,
        event_log: PathBuf,
    ) -> Option<Self> {
        let kind = kind(&tpm.nv_read(REPORT).ok()?)?;
        Some(Self { tpm: Mutex::new(tpm), kind, metadata, event_log })
    }
}

/// `report_type` of an HCL report: 2 SNP, 4 TDX.
fn kind(report: &[u8]) -> Option<Kind> {
    if !report.starts_with(b"HCLA") {
        return None;
    }
    match report.get(KIND)? {
        [2, 0, 0, 0] => Some(Kind::Snp),
        [4, 0, 0, 0] => Some(Kind::Tdx),
        _ => None,
    }
}

impl Attester for AzureVm {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Snp => "az-snp",
            Kind::Tdx => "az-tdx",
        }
    }

    fn room(&self) -> usize {
        32
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let (report, quote) = {
            let mut tpm = self.tpm.lock().unwrap_or_else(PoisonError::into_inner);
            (tpm.nv_read(REPORT)?, tpm.quote(KEY, data)?)
        };
        let pcrs: Vec<String> = quote.pcrs.iter().map(|value| HEXLOWER.encode(value)).collect();
        let (name, endorsement) = match self.kind {
            Kind::Snp => ("vcek", self.vcek()?),
            Kind::Tdx => ("td_quote", self.td_quote(&report)?),
        };
        let body = json!({
            "version": 1,
            "hcl_report": BASE64.encode(&report),
            "tpm_quote": {
                "message": HEXLOWER.encode(&quote.message),
                "signature": HEXLOWER.encode(&quote.signature),
                "pcrs": pcrs,
            },
            name: endorsement,
        });
        let body = body.to_string().into_bytes();
        let mut evidence = Evidence::new(self.name(), "application/json", body);
        attach_log(&mut evidence, &self.event_log);
        Ok(evidence)
    }
}

impl AzureVm {
    /// Has the next report carry 64 bytes of the guest's own, which some relying parties ask for.
    #[cfg_attr(not(test), expect(dead_code, reason = "no request asks for it yet"))]
    pub(in crate::platform) fn set_user_data(&self, data: &[u8; 64]) -> Result<(), PlatformError> {
        self.tpm.lock().unwrap_or_else(PoisonError::into_inner).nv_write(USER_DATA, data)
    }

    fn vcek(&self) -> Result<Value, PlatformError> {
        let answer = self.metadata.get("/metadata/THIM/amd/certification")?;
        answer.get("vcekCert").cloned().ok_or_else(|| missing("vcekCert"))
    }

    /// The quoting service takes a TDREPORT (1024 bytes) and gives a quote.
    fn td_quote(&self, report: &[u8]) -> Result<Value, PlatformError> {
        let report = report.get(TDREPORT).ok_or_else(|| missing("report"))?;
        let body = json!({"report": BASE64URL_NOPAD.encode(report)});
        let answer = self.metadata.post("/acc/tdquote", &body)?;
        let quote = answer.get("quote").and_then(Value::as_str).ok_or_else(|| missing("quote"))?;
        let quote = BASE64URL_NOPAD.decode(quote.trim_end_matches('=').as_bytes());
        quote.map(|quote| json!(BASE64.encode(&quote))).map_err(|_| missing("quote"))
    }
}

fn missing(what: &str) -> PlatformError {
    PlatformError::new("azure", format!("the metadata service gives no {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_hcl_report_is_read() {
        let mut report = vec![0; 2048];
        report[..4].copy_from_slice(b"HCLA");
        for (byte, wanted) in [(2, Some(Kind::Snp)), (4, Some(Kind::Tdx)), (1, None)] {
            report[1224] = byte;
            assert_eq!(kind(&report), wanted);
        }
        report[1224] = 2;
        report[0] = 0;
        assert_eq!(kind(&report), None);
        assert_eq!(kind(b"HCLA"), None);
    }
}
