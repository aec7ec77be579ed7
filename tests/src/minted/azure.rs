//! Azure's confidential VMs: a vTPM whose key stands in the runtime data of a paravisor's report, for which the
//! processor vouches. The vTPM's key is EC here; Azure's are RSA.

use claviger::http::EvidenceBody;
use claviger::reference::Group;
use claviger::simulated::SimulatedGuest;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::tpm::{Quote, Tpm, sha256};

/// PCRs that the built-in policies want to have reference values.
const REQUIRED: [usize; 7] = [4, 7, 8, 9, 11, 12, 13];

/// A VM.
pub struct Vm {
    hardware: Hardware,
    tpm: Tpm,
    /// JSON, as the paravisor writes it.
    runtime_data: Vec<u8>,
}

/// A quote over these 64 bytes of REPORTDATA, and the collateral that belongs to it.
pub type Quotes = dyn Fn([u8; 64]) -> (Vec<u8>, Vec<Vec<u8>>);

/// The processor that vouches for the runtime data.
pub enum Hardware {
    /// Its report is from the paravisor.
    Snp(Box<SimulatedGuest>),
    /// Its quotes.
    Tdx(Box<Quotes>),
}

impl Vm {
    /// One on this hardware, with Secure Boot.
    #[must_use]
    pub fn on(hardware: Hardware) -> Self {
        let tpm = Tpm::new();
        let [x, y] = tpm.coordinates().map(|bytes| BASE64URL_NOPAD.encode(&bytes));
        let runtime_data = json!({
            "keys": [{
                "kid": "HCLAkPub", "key_ops": ["sign"],
                "kty": "EC", "crv": "P-256", "x": x, "y": y,
            }],
            "vm-configuration": {
                "console-enabled": true, "secure-boot": true, "tpm-enabled": true,
                "vmUniqueId": "11111111-2222-3333-4444-555555555555",
            },
            "user-data": "00".repeat(64),
        });
        Self { hardware, tpm, runtime_data: runtime_data.to_string().into_bytes() }
    }

    /// The attester's kind.
    #[must_use]
    pub fn tee(&self) -> &'static str {
        match self.hardware {
            Hardware::Snp(_) => "az-snp",
            Hardware::Tdx(_) => "az-tdx",
        }
    }

    /// The PCRs as they are, as reference values.
    #[must_use]
    pub fn approved(&self) -> Group {
        let pcrs = REQUIRED.map(|index| (format!("pcr{index}"), &self.tpm.pcrs[index][..]));
        super::group(self.tee(), pcrs)
    }

    /// The evidence whose quote carries these bytes.
    #[must_use]
    pub fn answer(&self, extra_data: &[u8]) -> EvidenceBody {
        let quote = Quote { extra_data: extra_data.to_vec(), ..Quote::default() };
        let message = self.tpm.message(&quote);
        let pcrs: Vec<Value> =
            self.tpm.pcrs.iter().map(|pcr| HEXLOWER.encode(pcr).into()).collect();
        let mut report_data = [0; 64];
        report_data[..32].copy_from_slice(&sha256(&self.runtime_data));
        let mut evidence = json!({
            "version": 1,
            "tpm_quote": {
                "message": HEXLOWER.encode(&message),
                "signature": HEXLOWER.encode(&self.tpm.sign(&message)),
                "pcrs": pcrs,
            },
        });
        let (report, attachments) = match &self.hardware {
            Hardware::Snp(guest) => {
                (hcl(2, &guest.report(report_data), &self.runtime_data), guest.attachments.clone())
            }
            Hardware::Tdx(quote) => {
                let (quote, collateral) = quote(report_data);
                evidence["td_quote"] = BASE64URL_NOPAD.encode(&quote).into();
                (hcl(4, &[0x7d; 1184], &self.runtime_data), collateral)
            }
        };
        evidence["hcl_report"] = BASE64URL_NOPAD.encode(&report).into();
        let evidence = evidence.to_string().into_bytes();
        super::body(self.tee(), evidence, attachments)
    }
}

/// The paravisor's report: a header, the hardware's report, five numbers, the runtime data.
pub(super) fn hcl(kind: u32, hardware: &[u8; 1184], runtime_data: &[u8]) -> Vec<u8> {
    let size = runtime_data.len() as u32;
    let length = 20 + size;
    let mut report = b"HCLA".to_vec();
    report.extend([2, 32 + 1184 + length, 2, 0, 0, 0, 0].map(u32::to_le_bytes).concat());
    report.extend(hardware);
    report.extend([length, 1, kind, 1, size].map(u32::to_le_bytes).concat());
    report.extend(runtime_data);
    report
}
