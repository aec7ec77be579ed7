//! Collateral that simulated Intel signs, in the form of its Provisioning Certification Service.

use data_encoding::{HEXLOWER, HEXUPPER};
use serde_json::{Value, json};

use super::super::SimulationError;
use super::Intel;
use crate::clock::Timestamp;

const DAY: u64 = 86_400;

/// MRSIGNER of the simulated quoting enclave.
pub(super) const QE_SIGNER: [u8; 32] = [0xde; 32];

/// What TCB info says, of one level above another that is out of date.
#[derive(Clone, Debug)]
pub struct TcbTemplate {
    /// `TDX` or `SGX`.
    pub id: &'static str,
    /// The platform's kind.
    pub fmspc: [u8; 6],
    /// First moment.
    pub issued: Timestamp,
    /// Last moment.
    pub next: Timestamp,
    /// The evaluation's number.
    pub evaluation: u32,
    /// What each component must at least be to be up to date.
    pub level: u8,
    /// The status of that level.
    pub status: &'static str,
    /// The TDX module's status at any SVN.
    pub module_status: &'static str,
}

/// What the quoting enclave's identity says.
#[derive(Clone, Debug)]
pub struct QeTemplate {
    /// `TD_QE` or `QE`.
    pub id: &'static str,
    /// MRSIGNER.
    pub signer: [u8; 32],
    /// First moment.
    pub issued: Timestamp,
    /// Last moment.
    pub next: Timestamp,
    /// The lowest SVN.
    pub svn: u16,
    /// The status of that level.
    pub status: &'static str,
    /// tcbEvaluationDataNumber.
    pub evaluation: u32,
}

impl Intel {
    /// TCB info by which the platform of [`Intel::pck_template`] is up to date. `id`: `TDX` or `SGX`.
    #[must_use]
    pub fn tcb_template(&self, id: &'static str) -> TcbTemplate {
        TcbTemplate {
            id,
            fmspc: self.pck_template().fmspc,
            issued: Timestamp(self.minted.0.saturating_sub(DAY)),
            next: self.minted.plus(29 * DAY),
            evaluation: 17,
            level: 7,
            status: "UpToDate",
            module_status: "UpToDate",
        }
    }

    /// The identity of the simulated quoting enclave. `id`: `TD_QE` or `QE`.
    #[must_use]
    pub fn qe_template(&self, id: &'static str) -> QeTemplate {
        QeTemplate {
            id,
            signer: QE_SIGNER,
            issued: Timestamp(self.minted.0.saturating_sub(DAY)),
            next: self.minted.plus(29 * DAY),
            svn: 6,
            status: "UpToDate",
            evaluation: 17,
        }
    }

    /// Signs TCB info: `{"tcbInfo": …, "signature": …}`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn tcb_info(&self, template: &TcbTemplate) -> Result<Vec<u8>, SimulationError> {
        let components = |svn: u8| vec![json!({ "svn": svn }); 16];
        let level = |svn: u8, status: &str, advisories: Value| {
            let mut tcb = json!({ "sgxtcbcomponents": components(svn), "pcesvn": 11 });
            if let (Some(tcb), "TDX") = (tcb.as_object_mut(), template.id) {
                tcb.insert("tdxtcbcomponents".to_owned(), components(svn).into());
            }
            json!({
                "tcb": tcb,
                "tcbDate": template.issued.to_string(),
                "tcbStatus": status,
                "advisoryIDs": advisories,
            })
        };
        let levels = [
            level(template.level, template.status, json!([])),
            level(template.level.saturating_sub(2), "OutOfDate", json!(["SIMULATED-SA-1"])),
        ];
        let mut info = json!({
            "id": template.id,
            "version": 3,
            "issueDate": template.issued.to_string(),
            "nextUpdate": template.next.to_string(),
            "fmspc": HEXLOWER.encode(&template.fmspc),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": template.evaluation,
            "tcbLevels": levels,
        });
        if let (Some(info), "TDX") = (info.as_object_mut(), template.id) {
            let module = json!({
                "mrsigner": "00".repeat(48),
                "attributes": "00".repeat(8),
                "attributesMask": "ff".repeat(8),
            });
            let mut identity = module.clone();
            if let Some(identity) = identity.as_object_mut() {
                let level = json!({
                    "tcb": { "isvsvn": 3 },
                    "tcbDate": template.issued.to_string(),
                    "tcbStatus": template.module_status,
                });
                identity.insert("id".to_owned(), "TDX_01".into());
                identity.insert("tcbLevels".to_owned(), json!([level]));
            }
            info.insert("tdxModule".to_owned(), module);
            info.insert("tdxModuleIdentities".to_owned(), json!([identity]));
        }
        self.document("tcbInfo", &info)
    }

    /// Signs the quoting enclave's identity: `{"enclaveIdentity": …, "signature": …}`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn qe_identity(&self, template: &QeTemplate) -> Result<Vec<u8>, SimulationError> {
        let identity = json!({
            "id": template.id,
            "version": 2,
            "issueDate": template.issued.to_string(),
            "nextUpdate": template.next.to_string(),
            "tcbEvaluationDataNumber": template.evaluation,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": HEXUPPER.encode(&template.signer),
            "isvprodid": 2,
            "tcbLevels": [{
                "tcb": { "isvsvn": template.svn },
                "tcbDate": template.issued.to_string(),
                "tcbStatus": template.status,
            }],
        });
        self.document("enclaveIdentity", &identity)
    }

    fn document(&self, member: &str, body: &Value) -> Result<Vec<u8>, SimulationError> {
        let text = body.to_string();
        let signature = HEXLOWER.encode(&self.tcb_signer.sign_fixed(text.as_bytes())?);
        Ok(format!(r#"{{"{member}":{text},"signature":"{signature}"}}"#).into_bytes())
    }
}
