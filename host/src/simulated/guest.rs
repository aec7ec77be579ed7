//! A guest on simulated hardware: report data in, evidence out, as a client sends it.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::endorser::{EndorsementKey, Endorser};
use super::report::ReportTemplate;
use super::table::{self, CertificateTable};

/// The evidence type of an SEV-SNP report.
pub const EVIDENCE_TYPE: &str = "application/vnd.amd.sev-snp-report";

/// A guest: what its reports say, and the key that signs them.
#[derive(Clone, Debug)]
pub struct SimulatedGuest {
    /// Signs the reports.
    pub endorser: Endorser,
    /// What they say, but for the report data.
    pub template: ReportTemplate,
    /// Certificates that go with each report, in DER.
    pub attachments: Vec<Vec<u8>>,
}

/// Evidence as the host's API takes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// The media type.
    pub evidence_type: &'static str,
    /// The report, with or without a certificate table behind it.
    pub data: Vec<u8>,
    /// Certificates in DER.
    pub attachments: Vec<Vec<u8>>,
}

impl SimulatedGuest {
    /// A sound guest on the endorser's platform, which sends the endorser's certificate along.
    #[must_use]
    pub fn new(endorser: Endorser) -> Self {
        Self {
            template: endorser.report(),
            attachments: vec![endorser.certificate().to_vec()],
            endorser,
        }
    }

    /// The report alone (a plain guest request).
    #[must_use]
    pub fn report(&self, report_data: [u8; 64]) -> [u8; super::REPORT_LENGTH] {
        let template = ReportTemplate { report_data, ..self.template.clone() };
        self.endorser.sign(&template)
    }

    /// A report over `report_data`, with the certificates as attachments.
    #[must_use]
    pub fn evidence(&self, report_data: [u8; 64]) -> Evidence {
        Evidence {
            evidence_type: EVIDENCE_TYPE,
            data: self.report(report_data).to_vec(),
            attachments: self.attachments.clone(),
        }
    }

    /// A report over `report_data`, followed by a table with the endorser's certificate (an
    /// extended guest request); no attachments.
    #[must_use]
    pub fn extended_evidence(&self, report_data: [u8; 64]) -> Evidence {
        let guid = match self.endorser.kind() {
            EndorsementKey::Vcek => table::VCEK,
            EndorsementKey::Vlek => table::VLEK,
        };
        let table = CertificateTable::default().with(guid, self.endorser.certificate());
        let mut data = self.report(report_data).to_vec();
        data.extend(table.to_bytes());
        Evidence { evidence_type: EVIDENCE_TYPE, data, attachments: Vec::new() }
    }
}

impl Evidence {
    /// The wire form: `{"type", "data", "attachments"}`, bytes in base64url without padding.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let encode = |bytes: &Vec<u8>| BASE64URL_NOPAD.encode(bytes);
        json!({
            "type": self.evidence_type,
            "data": encode(&self.data),
            "attachments": self.attachments.iter().map(encode).collect::<Vec<_>>(),
        })
    }
}
