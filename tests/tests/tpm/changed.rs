//! Recorded evidence of vTPMs with one byte changed or with its end cut off, wherever the signatures reach.

use std::sync::Arc;

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::Code;
use claviger::quote::{Authority, Revocation};
use claviger_tests::vectors::{self, Case};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::bench::Bench;

/// What a refusal of changed evidence may be called.
const REFUSED: [Code; 5] = [
    Code::EvidenceMalformed,
    Code::EvidenceOutdated,
    Code::EvidenceSignature,
    Code::EvidenceUnsupported,
    Code::EvidenceUntrusted,
];

#[derive(Clone)]
struct Parts {
    report: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
    pcrs: Value,
    attachments: Vec<Vec<u8>>,
    at: Timestamp,
}

impl Parts {
    fn of(case: &Case) -> Option<Self> {
        let bytes =
            |name: &str| case.files().find(|file| file.name == name).map(|file| file.bytes.clone());
        let registers = case.expected.get("fields")?.get("pcrs_sha256")?;
        let pcrs = (0..24).map(|index| registers.get(index.to_string()).cloned());
        let certificates = case.certificates.iter().map(|file| file.bytes.clone());
        Some(Self {
            report: bytes("hcl_report.bin")?,
            message: bytes("tpm_quote.msg")?,
            signature: bytes("tpm_quote.sig")?,
            pcrs: pcrs.collect::<Option<_>>()?,
            attachments: certificates.collect(),
            at: case.trials()[0].at.unwrap_or_else(|| SystemClock.now()),
        })
    }

    fn verify(&self, bench: &Bench, authority: &Arc<Authority>) -> Option<Code> {
        let evidence = json!({
            "version": 1,
            "hcl_report": BASE64URL_NOPAD.encode(&self.report),
            "tpm_quote": {
                "message": HEXLOWER.encode(&self.message),
                "signature": HEXLOWER.encode(&self.signature),
                "pcrs": self.pcrs,
            },
        });
        let (json, evidence) = (Some("application/json".to_owned()), evidence.to_string());
        let attachments = self.attachments.clone();
        let outcome = bench.verify_at(authority, json, evidence.as_bytes(), attachments, self.at);
        outcome.err().map(|refusal| refusal.code)
    }
}

fn recorded(tee: &str) -> Option<Parts> {
    let cases = vectors::cases(&vectors::folder()?);
    let of_tee =
        cases.into_iter().filter_map(|(_, case)| case.ok()).filter(|case| case.tee() == tee);
    of_tee.filter(|case| case.verdict() == "valid").find_map(|case| Parts::of(&case))
}

// attack 16
#[test]
fn nothing_of_recorded_evidence_can_be_changed() {
    let Some(parts) = recorded("az-snp") else { return };
    let bench = Bench::of("verifier-az-snp");
    let builder = Authority::builder().revocation(Revocation::Waived);
    let authority = Arc::new(builder.build().unwrap());
    assert_eq!(parts.verify(&bench, &authority), None);
    let refused = |parts: &Parts, what: &str| {
        let code = parts.verify(&bench, &authority);
        assert!(code.is_some_and(|code| REFUSED.contains(&code)), "{what}: {code:?}");
    };
    let end = parts.report.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut changed = parts;
    for at in 0..end {
        changed.report[at] ^= 0x80;
        refused(&changed, &format!("byte {at} of the report"));
        changed.report[at] ^= 0x80;
    }
    for at in 0..changed.message.len() {
        changed.message[at] ^= 1;
        refused(&changed, &format!("byte {at} of the quote"));
        changed.message[at] ^= 1;
    }
    for at in 0..changed.signature.len() {
        changed.signature[at] ^= 1;
        refused(&changed, &format!("byte {at} of the signature"));
        changed.signature[at] ^= 1;
    }
    for index in 0..24 {
        let honest = changed.pcrs[index].clone();
        changed.pcrs[index] = "11".repeat(32).into();
        refused(&changed, &format!("PCR {index}"));
        changed.pcrs[index] = honest;
    }
    assert_eq!(changed.verify(&bench, &authority), None);
    for length in (0..end).step_by(13) {
        let report = changed.report[..length].to_vec();
        let cut = Parts { report, ..changed.clone() };
        refused(&cut, &format!("a report of {length} bytes"));
    }
}
