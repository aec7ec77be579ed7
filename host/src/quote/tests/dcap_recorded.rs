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

/// A genuine quote of each kind with the collateral for it, and an examination that wants everything.
fn genuine() -> Vec<(Case, Examination)> {
    let mut found: Vec<(Case, Examination)> = Vec::new();
    for case in cases() {
        let examination = Examination::new(Authority::builder().build().unwrap().into(), case.at);
        let Ok(report) = examination.dcap(case.quote.clone(), &case.attachments) else { continue };
        let same = |(known, _): &(Case, Examination)| {
            known.quote[..2] == case.quote[..2] && known.quote[4] == case.quote[4]
        };
        if !debug(&report) && !found.iter().any(same) {
            found.push((case, examination));
        }
    }
    found
}

/// Where the quote ends and zeros begin: behind its signature data.
fn end(quote: &[u8]) -> usize {
    let number = |at: usize| u32::from_le_bytes(quote[at..at + 4].try_into().unwrap()) as usize;
    let at = match (quote[0], quote[4]) {
        (3, _) => 432,
        (4, _) => 632,
        (_, 0) => 438,
        _ => 54 + number(50),
    };
    at + 4 + number(at)
}

// attack 30
#[test]
fn every_altered_bit_of_a_quote_is_refused() {
    for (case, examination) in genuine() {
        let end = end(&case.quote);
        // Everything up to the PCK chain bit by bit; in the chain, which is text, a bit of every 16th byte.
        let chain = case.quote.windows(10).position(|bytes| bytes == b"-----BEGIN").unwrap();
        let bits = (0..chain).flat_map(|at| (0..8).map(move |bit| (at, bit)));
        let text = (chain..end).step_by(16).map(|at| (at, at / 16 % 8));
        let mut kept = Vec::new();
        for (at, bit) in bits.chain(text) {
            let mut quote = case.quote.clone();
            quote[at] ^= 1 << bit;
            if examination.dcap(quote, &case.attachments).is_ok() {
                kept.push((at, bit));
            }
        }
        // PEM has bits that say nothing: the labels of a root that the host has itself, its line ends.
        assert!(kept.iter().all(|(at, _)| *at > chain), "{}: {kept:?}", case.name);
        assert!(kept.len() < 60, "{}: {kept:?}", case.name);
    }
}

// attacks 27, 28
#[test]
fn every_truncation_is_refused_and_only_zeros_may_follow() {
    for (case, examination) in genuine() {
        let end = end(&case.quote);
        let examined = |quote: Vec<u8>| examination.dcap(quote, &case.attachments);
        for length in 0..end {
            let cut = examined(case.quote[..length].to_vec());
            assert!(matches!(cut, Err(Fault::Malformed(_))), "{}: {length} {cut:?}", case.name);
        }
        let whole = case.quote[..end].to_vec();
        examined(whole.clone()).unwrap();
        examined([whole.clone(), vec![0; 99]].concat()).unwrap();
        let trailing = examined([whole, vec![0, 1]].concat());
        assert!(matches!(trailing, Err(Fault::Malformed(_))), "{trailing:?}");
    }
}

// attacks 31, 32
#[test]
fn nothing_of_the_collateral_may_be_missing_altered_or_old() {
    for (case, examination) in genuine() {
        let bare = examination.dcap(case.quote.clone(), &[]);
        assert!(matches!(bare, Err(Fault::Unavailable(_))), "{bare:?}");
        let collateral = case.attachments.iter().find(|one| {
            serde_json::from_slice::<serde_json::Value>(one)
                .is_ok_and(|json| json.get("tcb_info").is_some())
        });
        let json: serde_json::Value = serde_json::from_slice(collateral.unwrap()).unwrap();
        let examined = |at: Timestamp, json: &serde_json::Value| {
            let authority = Authority::builder().build().unwrap();
            let attachments = [serde_json::to_vec(json).unwrap()];
            Examination::new(authority.into(), at).dcap(case.quote.clone(), &attachments)
        };
        examined(case.at, &json).unwrap();
        for member in ["tcb_info", "qe_identity", "root_ca_crl", "pck_crl"] {
            let mut without = json.clone();
            without.as_object_mut().unwrap().remove(member);
            let outcome = examined(case.at, &without);
            assert!(matches!(outcome, Err(Fault::Unavailable(_))), "{member}: {outcome:?}");
            let mut altered = json.clone();
            let text = altered[member].as_str().unwrap();
            // A digit in the middle: of an SVN, a date, a signature.
            let (place, digit) = text
                .char_indices()
                .skip(text.len() / 2)
                .find(|(_, one)| one.is_ascii_digit() && *one != '0')
                .unwrap();
            let other = if digit == '1' { "2" } else { "1" };
            let text = [&text[..place], other, &text[place + 1..]].concat();
            altered[member] = text.into();
            assert!(examined(case.at, &altered).is_err(), "{member}");
        }
        for later in [60, 365 * 5] {
            let outcome = examined(case.at.plus(later * 86_400), &json);
            assert!(matches!(outcome, Err(Fault::Expired(_))), "{outcome:?}");
        }
        let earlier = examined(Timestamp(case.at.0 - 365 * 86_400), &json);
        assert!(matches!(earlier, Err(Fault::Expired(_))), "{earlier:?}");
    }
}

// attack 43
#[test]
fn what_was_checked_before_answers_for_nothing_else() {
    for (case, examination) in genuine() {
        examination.dcap(case.quote.clone(), &case.attachments).unwrap();
        let authority = Authority::builder().build().unwrap();
        let authority = std::sync::Arc::new(authority);
        let at = |at| Examination::new(std::sync::Arc::clone(&authority), at);
        let examined = |moment| at(moment).dcap(case.quote.clone(), &case.attachments);
        let warm = examined(case.at).unwrap();
        assert!(examined(warm.statement.expires()).is_ok());
        let late = Timestamp(warm.statement.expires().0 + 1);
        assert!(examined(late).is_err());
        // Less comes along, and the same platform is not known any more.
        let bare = at(case.at).dcap(case.quote.clone(), &[]);
        assert!(matches!(bare, Err(Fault::Unavailable(_))), "{bare:?}");
    }
}

// attacks 29, 46
#[test]
fn what_a_pck_signs_binds_vouches_and_is_adopted_by_nobody() {
    use super::super::{DigestAlgorithm, KeyEncoding, SignatureAlgorithm, Span};
    for (case, _) in genuine() {
        let builder = Authority::builder().revocation(Revocation::Waived);
        let examination = Examination::new(builder.build().unwrap().into(), case.at);
        let frame = super::super::dcap::frame::Frame::read(&case.quote).unwrap();
        let bundle = super::super::bundle::Bundle::brought([frame.chain]);
        let chain: Vec<Vec<u8>> =
            bundle.certificates.iter().map(|item| item.der.to_vec()).collect();
        let pck = examination.chain(&chain, "intel").unwrap();
        let (report, signature) = (frame.qe_report.to_vec(), frame.qe_signature);
        let algorithm = SignatureAlgorithm::EcdsaP256Sha256;
        let statement = examination.check(&pck, algorithm, report, signature).unwrap();
        assert_eq!((statement.tee(), statement.facts().len()), (None, 0));
        let digest = Span { start: 320, length: 32 };
        assert!(!statement.may_bind(digest));
        let key = [frame.key, frame.qe_auth].concat();
        let vouched = examination.vouch(&statement, digest, DigestAlgorithm::Sha256, key);
        assert!(matches!(vouched, Err(Fault::Untrusted(_))), "{vouched:?}");
        let at = Span { start: 0, length: 64 };
        let adopted = examination.adopt(&statement, at, KeyEncoding::RawXy);
        assert!(matches!(adopted, Err(Fault::Untrusted(_))), "{adopted:?}");
        // Anchored by an operator under another name, it is the same key.
        let anchored = Authority::builder().revocation(Revocation::Waived);
        let anchored = anchored.anchor("mine", chain[1].clone()).build().unwrap();
        let other = Examination::new(anchored.into(), case.at);
        let pck = other.chain(&chain[..1], "mine").unwrap();
        let report = frame.qe_report.to_vec();
        let statement = other.check(&pck, algorithm, report, signature).unwrap();
        assert!(!statement.may_bind(digest));
        let root = Authority::builder().anchor("mine", chain[2].clone()).build();
        assert!(matches!(root, Err(Fault::Untrusted(_))));
    }
}
