//! Recorded evidence of SGX and TDX, natively: every verdict, every bit, every truncation.

use claviger_tests::vectors;

use super::super::dcap::{Body, DcapReport, TcbStatus};
use super::super::{Authority, Examination, Fault, Revocation};
use crate::clock::Timestamp;

/// One quote with one collateral.
struct Case {
    name: String,
    verdict: String,
    quote: Vec<u8>,
    attachments: Vec<Vec<u8>>,
    at: Timestamp,
}

/// Every recorded quote, once with each collateral.
fn cases() -> Vec<Case> {
    let Some(folder) = vectors::folder() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, case) in vectors::cases(&folder) {
        let case = case.unwrap();
        if !matches!(case.tee(), "tdx" | "sgx") {
            continue;
        }
        let raw =
            case.evidence.iter().find(|file| !file.bytes.trim_ascii_start().starts_with(b"{"));
        let Some(quote) = raw.map(|file| file.bytes.clone()) else { continue };
        for trial in case.trials() {
            let json = case.others.iter().filter(|file| file.name.ends_with(".json"));
            let collateral: Vec<Vec<u8>> = match &trial.collateral {
                Some(file) => vec![file.bytes.clone()],
                None => json.map(|file| file.bytes.clone()).collect(),
            };
            let certificates = case.certificates.iter().map(|file| file.bytes.clone());
            let roots = case.roots.iter().filter_map(|root| root.bytes.clone());
            found.push(Case {
                name: name.clone(),
                verdict: trial.verdict.clone(),
                quote: quote.clone(),
                attachments: certificates
                    .chain(roots)
                    .chain(collateral)
                    .chain(signers(&folder))
                    .collect(),
                at: trial.at.map_or(Timestamp(1_767_225_600), |at| Timestamp(at.0)),
            });
        }
    }
    found
}

/// The certificates that sign Intel's collateral, which some cases leave out.
fn signers(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(folder.join("roots/intel")).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read(file.path()).ok()).collect()
}

/// Revocation required where the case has lists, the QE's identity where it has one.
fn examine(case: &Case) -> Result<DcapReport, Fault> {
    let strict = Authority::builder().build().unwrap();
    let strict = Examination::new(strict.into(), case.at);
    match strict.dcap(case.quote.clone(), &case.attachments) {
        Err(Fault::Unavailable(_) | Fault::Expired(_)) => {}
        outcome => return outcome,
    }
    let lenient = Authority::builder().revocation(Revocation::Waived).waive_qe_identity();
    let lenient = Examination::new(lenient.build().unwrap().into(), case.at);
    lenient.dcap(case.quote.clone(), &case.attachments)
}

fn debug(report: &DcapReport) -> bool {
    match &report.body {
        Body::Sgx(enclave) => enclave.debug(),
        Body::Tdx(domain) => domain.debug(),
    }
}

fn verdict(outcome: &Result<DcapReport, Fault>) -> String {
    match outcome {
        Ok(report) if debug(report) => "debug".to_owned(),
        Ok(report) => match report.status {
            TcbStatus::UpToDate => "valid".to_owned(),
            TcbStatus::OutOfDate => "out_of_date_tcb".to_owned(),
            TcbStatus::SWHardeningNeeded => "sw_hardening_needed".to_owned(),
            status => status.name().to_owned(),
        },
        Err(Fault::Outdated(_)) => "tcb_not_supported".to_owned(),
        Err(Fault::Untrusted(_)) => "untrusted_root".to_owned(),
        Err(Fault::Unsupported(_)) => "unsupported_cert_type".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn recorded_quotes_get_the_verdicts_that_others_gave_them() {
    let mut wrong = Vec::new();
    for case in cases() {
        let outcome = examine(&case);
        if verdict(&outcome) != case.verdict {
            wrong.push(format!("{} {}: {outcome:?}", case.name, case.verdict));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
