//! Certificates for an SNP report, as Azure's hosts hand them out: from the files or the environment
//! that a confidential container group finds, from the metadata service, or out of what came along with
//! the report.

use claviger_client::Evidence;
use data_encoding::BASE64;
use serde::Deserialize;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::failure::Failure;
use crate::context::SecurityContext;
use crate::metadata::Metadata;

/// `{vcekCert, tcbm, certificateChain}` (THIM).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Endorsements {
    /// The chip's certificate, PEM.
    #[serde(rename = "vcekCert")]
    vcek: String,
    /// The TCB that it was made for, hexadecimal, big-endian.
    pub(super) tcbm: String,
    /// ASK and ARK, PEM.
    #[serde(rename = "certificateChain")]
    chain: String,
}

impl Endorsements {
    /// The chip's certificate and those above it, PEM.
    pub(super) fn pem(&self) -> String {
        format!("{}{}", self.vcek, self.chain)
    }

    fn tcb(&self) -> Option<u64> {
        u64::from_str_radix(self.tcbm.trim(), 16).ok()
    }
}

/// What the platform's provider says about it.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    context: SecurityContext,
    metadata: Option<Metadata>,
}

impl Provider {
    /// What lies beside the group, and the metadata service where it may be asked.
    pub(crate) fn new(context: SecurityContext, metadata: Option<Metadata>) -> Self {
        Self { context, metadata }
    }

    /// The signed reference info of the utility VM (COSE_Sign1), base64; empty where there is none.
    pub(super) fn reference(&self) -> String {
        self.context.reference().unwrap_or_default()
    }

    /// Certificates that were made for the TCB which the report names.
    pub(super) async fn endorsements(&self, evidence: &Evidence) -> Result<Endorsements, Failure> {
        let reported = reported_tcb(&evidence.data)?;
        let mut seen = None;
        for endorsements in [self.given(), own(evidence, reported)].into_iter().flatten() {
            match endorsements.tcb() {
                Some(tcb) if tcb == reported => return Ok(endorsements),
                other => seen = other,
            }
        }
        if let Some(metadata) = &self.metadata
            && let Ok(answer) = metadata.fetch("/metadata/THIM/amd/certification").await
            && let Ok(endorsements) = serde_json::from_value::<Endorsements>(answer)
        {
            match endorsements.tcb() {
                Some(tcb) if tcb == reported => return Ok(endorsements),
                other => seen = other,
            }
        }
        Err(match seen {
            Some(tcb) => Failure::refused(
                "the certificates are of another TCB",
                format!(
                    "SNP reported TCB value: {reported} doesn't match Certificate TCB value: {tcb}"
                ),
            ),
            None => Failure::refused("no certificates", "nothing here endorses the report"),
        })
    }

    fn given(&self) -> Option<Endorsements> {
        let json = BASE64.decode(self.context.certificates()?.as_bytes()).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// What came along with the report: certificates in DER, or AMD's table of them (GHCB specification,
/// section 4.1.8.1: GUID, offset, length, 24 bytes each, zeros at the end).
fn own(evidence: &Evidence, reported: u64) -> Option<Endorsements> {
    let mut found: Vec<&[u8]> = Vec::new();
    for attachment in &evidence.attachments {
        if X509Certificate::from_der(attachment).is_ok_and(|(rest, _)| rest.is_empty()) {
            found.push(attachment);
        } else {
            found.extend(table(attachment));
        }
    }
    let (vcek, chain) = found.split_first()?;
    Some(Endorsements {
        vcek: pem(vcek),
        tcbm: format!("{reported:016x}"),
        chain: chain.iter().copied().map(pem).collect(),
    })
}

/// Certificates of the table; the chip's or the provider's first.
fn table(bytes: &[u8]) -> Vec<&[u8]> {
    let mut certificates = Vec::new();
    for entry in bytes.chunks_exact(24).take(16) {
        let (guid, place) = entry.split_at(16);
        let number = |at: std::ops::Range<usize>| {
            let bytes = place.get(at)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        if guid.iter().all(|byte| *byte == 0) {
            break;
        }
        let found = number(0..4).zip(number(4..8)).and_then(|(start, length)| {
            let content = bytes.get(start..start.checked_add(length)?)?;
            X509Certificate::from_der(content).ok().map(|_| content)
        });
        certificates.extend(found);
    }
    // The root signs itself; the chip's certificate is what nothing else in the table is signed by.
    certificates.sort_by_key(|certificate| {
        X509Certificate::from_der(certificate)
            .is_ok_and(|(_, parsed)| parsed.is_ca() || parsed.issuer() == parsed.subject())
    });
    certificates
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// `reported_tcb` of a report: 8 bytes at 384, little-endian (SEV-SNP firmware ABI, table 23).
fn reported_tcb(report: &[u8]) -> Result<u64, Failure> {
    let bytes = report.get(384..392).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u64::from_le_bytes).ok_or_else(|| Failure::refused("no report", "it is too short"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(tcb: u64, attachments: Vec<Vec<u8>>) -> Evidence {
        let mut report = vec![0; 1184];
        report[384..392].copy_from_slice(&tcb.to_le_bytes());
        Evidence { attachments, ..Evidence::new("snp", "x", report) }
    }

    fn certificate() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn files_count_only_for_the_tcb_that_the_report_names() {
        let folder = tempfile::tempdir().unwrap();
        let json = r#"{"vcekCert":"V\n","tcbm":"7308000000000003","certificateChain":"C\n"}"#;
        let text = BASE64.encode(json.as_bytes());
        std::fs::write(folder.path().join("host-amd-cert-base64"), text).unwrap();
        let provider = Provider::new(SecurityContext::new(Some(folder.path())), None);
        let found = block_on(provider.endorsements(&evidence(0x7308_0000_0000_0003, Vec::new())));
        let found = found.unwrap();
        assert_eq!(found.pem(), "V\nC\n");
        let error = block_on(provider.endorsements(&evidence(1, Vec::new()))).unwrap_err();
        assert!(error.to_string().contains("SNP reported TCB value: 1 doesn't match"), "{error}");
    }

    #[test]
    fn what_came_along_is_taken_as_it_is_or_out_of_the_table() {
        let certificate = certificate();
        let length = u32::try_from(certificate.len()).unwrap();
        let mut entry = [&[9; 16][..], &48_u32.to_le_bytes(), &length.to_le_bytes()].concat();
        entry.extend([0; 24]);
        entry.extend(&certificate);
        let provider = Provider::new(SecurityContext::new(Some("/nonexistent".as_ref())), None);
        for attachment in [certificate, entry] {
            let evidence = evidence(7, vec![attachment]);
            let found = block_on(provider.endorsements(&evidence)).unwrap();
            assert!(found.pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
            assert_eq!(found.tcbm, "0000000000000007");
        }
        for broken in [vec![9; 24], vec![0; 48], [vec![9; 16], vec![0xff; 8]].concat()] {
            assert!(block_on(provider.endorsements(&evidence(7, vec![broken]))).is_err());
        }
    }
}
