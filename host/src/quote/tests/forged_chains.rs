//! Certificates of forged hardware, each wrong in one way.

use std::sync::Arc;

use super::super::snp::{EndorsementKey, Product};
use super::super::{Authority, Examination, Fault, Revocation};
use super::mint::{self, BASIC_CONSTRAINTS, Certificate, KEY_USAGE, NOW, Report};
use crate::clock::Timestamp;

const MILAN: Product = Product::Milan;

fn examine(leaf: &Certificate, issuer: &Certificate, report: &Report) -> Result<(), Fault> {
    let authority = mint::trusting(MILAN).build().unwrap();
    let certificates = [leaf.der(), issuer.der()];
    let outcome = Examination::new(Arc::new(authority), NOW).snp(report.signed(), &certificates);
    outcome.map(|_| ())
}

fn with_leaf(change: impl Fn(&mut Certificate)) -> Result<(), Fault> {
    let report = Report::of(MILAN);
    let mut leaf = mint::vek(EndorsementKey::Vcek, MILAN, &report);
    change(&mut leaf);
    examine(&leaf, &mint::ask(MILAN), &report)
}

fn with_issuer(change: impl Fn(&mut Certificate)) -> Result<(), Fault> {
    let report = Report::of(MILAN);
    let mut issuer = mint::ask(MILAN);
    change(&mut issuer);
    examine(&mint::vek(EndorsementKey::Vcek, MILAN, &report), &issuer, &report)
}

fn untrusted(outcome: &Result<(), Fault>) -> bool {
    matches!(outcome, Err(Fault::Untrusted(_)))
}

fn malformed(outcome: &Result<(), Fault>) -> bool {
    matches!(outcome, Err(Fault::Malformed(_)))
}

#[test]
fn the_unaltered_chain_passes() {
    assert_eq!(with_leaf(|_| ()), Ok(()));
    assert_eq!(with_issuer(|_| ()), Ok(()));
}

// attack 23
#[test]
fn a_home_made_root_with_amds_names_is_refused() {
    let report = Report::of(MILAN);
    let chain = [
        mint::vek(EndorsementKey::Vcek, MILAN, &report).der(),
        mint::ask(MILAN).der(),
        mint::ark(MILAN).der(),
    ];
    let authority = Authority::builder().revocation(Revocation::Waived).build().unwrap();
    let examination = Examination::new(Arc::new(authority), NOW);
    let outcome = examination.snp(report.signed(), &chain).map(|_| ());
    assert!(untrusted(&outcome), "{outcome:?}");
    assert!(examination.chain(&chain, "amd").is_err());
}

// attack 23
#[test]
fn an_issuer_that_the_root_did_not_sign_is_refused() {
    assert!(untrusted(&with_issuer(|issuer| issuer.signer = mint::STRANGER)));
    assert!(untrusted(&with_leaf(|leaf| leaf.signer = mint::STRANGER)));
}

// attack 23
#[test]
fn an_issuer_without_authority_is_refused() {
    assert!(untrusted(&with_issuer(|issuer| issuer.set(&BASIC_CONSTRAINTS, None))));
    let no_cert_sign = mint::tlv(0x03, &[1, 0x02]);
    let outcome = with_issuer(|issuer| issuer.set(&KEY_USAGE, Some(no_cert_sign.clone())));
    assert!(untrusted(&outcome));
}

// attack 23
#[test]
fn ask_and_asvk_do_not_stand_in_for_each_other() {
    let report = Report::of(MILAN);
    let mut vcek = mint::vek(EndorsementKey::Vcek, MILAN, &report);
    vcek.signer = mint::ASVK;
    assert!(untrusted(&examine(&vcek, &mint::asvk(MILAN), &report)), "by key");
    vcek.issuer = "SEV-VLEK-Milan".to_owned();
    assert!(untrusted(&examine(&vcek, &mint::asvk(MILAN), &report)), "by key and name");

    let report = Report { key_info: 1 << 2, ..report };
    let mut vlek = mint::vek(EndorsementKey::Vlek, MILAN, &report);
    assert_eq!(examine(&vlek, &mint::asvk(MILAN), &report), Ok(()));
    vlek.signer = mint::ASK;
    assert!(untrusted(&examine(&vlek, &mint::ask(MILAN), &report)), "by key");
    vlek.issuer = "SEV-Milan".to_owned();
    assert!(untrusted(&examine(&vlek, &mint::ask(MILAN), &report)), "by key and name");
}

// attack 23
#[test]
fn an_amd_extension_that_is_missing_twice_there_or_out_of_range_is_refused() {
    for arcs in [&[1][..], &[2], &[3, 1], &[3, 2], &[3, 3], &[3, 8], &[4]] {
        let oid = mint::amd(arcs);
        assert!(malformed(&with_leaf(|leaf| leaf.set(&oid, None))), "{arcs:?} missing");
        let twice = with_leaf(|leaf| {
            let one = leaf.extensions.iter().find(|(known, _, _)| *known == oid).unwrap().clone();
            leaf.extensions.push(one);
        });
        assert!(malformed(&twice), "{arcs:?} twice");
    }
    let large = mint::tlv(0x02, &[1, 213]);
    let outcome = with_leaf(|leaf| leaf.set(&mint::amd(&[3, 8]), Some(large.clone())));
    assert!(malformed(&outcome), "a level of 469 is not 213");
    let extra = with_leaf(|leaf| leaf.set(&mint::amd(&[3, 9]), Some(mint::integer(0))));
    assert!(malformed(&extra), "an FMC level of a Milan chip");
    let provider = with_leaf(|leaf| leaf.set(&mint::amd(&[5]), Some(mint::tlv(0x16, b"CN=x"))));
    assert!(malformed(&provider), "a provider in a chip's certificate");
    let short = with_leaf(|leaf| leaf.set(&mint::amd(&[4]), Some(vec![1, 2, 3, 4, 5, 6, 7, 8])));
    assert!(malformed(&short), "Turin's hardware id in a Milan certificate");
}

// attack 23
#[test]
fn a_product_name_of_another_product_is_refused() {
    let name = |name: &str| Some(mint::tlv(0x16, name.as_bytes()));
    assert_eq!(with_leaf(|leaf| leaf.set(&mint::amd(&[2]), name("Milan-B0"))), Ok(()));
    for other in ["Genoa-B1", "Milano", "milan", ""] {
        assert!(with_leaf(|leaf| leaf.set(&mint::amd(&[2]), name(other))).is_err(), "{other}");
    }
}

// attack 23
#[test]
fn expired_and_future_certificates_are_refused_at_each_place() {
    let past = Timestamp(NOW.0 - 1);
    let future = Timestamp(NOW.0 + 1);
    let expired = |outcome| matches!(outcome, Err(Fault::Expired(_)));
    assert!(expired(with_leaf(|leaf| leaf.not_after = past)));
    assert!(expired(with_leaf(|leaf| leaf.not_before = future)));
    assert!(expired(with_issuer(|issuer| issuer.not_after = past)));
    assert!(expired(with_issuer(|issuer| issuer.not_before = future)));
    for change in [
        |root: &mut Certificate| root.not_after = Timestamp(NOW.0 - 1),
        |root: &mut Certificate| root.not_before = Timestamp(NOW.0 + 1),
    ] {
        let mut root = mint::ark(MILAN);
        change(&mut root);
        let builder = Authority::builder().simulated_root(root.der());
        let authority = builder.revocation(Revocation::Waived).build().unwrap();
        let report = Report::of(MILAN);
        let leaf = mint::vek(EndorsementKey::Vcek, MILAN, &report);
        let chain = [leaf.der(), mint::ask(MILAN).der()];
        let outcome = Examination::new(Arc::new(authority), NOW).snp(report.signed(), &chain);
        assert!(expired(outcome.map(|_| ())));
    }
}

// attack 23
#[test]
fn other_pss_parameters_than_the_signature_uses_are_refused() {
    for algorithm in [mint::pss(1, 48), mint::pss(2, 32), mint::pss(3, 64)] {
        assert!(with_leaf(|leaf| leaf.algorithm = algorithm.clone()).is_err());
    }
}

#[test]
fn an_unknown_critical_extension_is_refused_and_another_ignored() {
    let unknown =
        |critical| with_leaf(|leaf| leaf.extensions.push((vec![0x2a, 0x03], critical, vec![5, 0])));
    assert_eq!(unknown(false), Ok(()));
    assert!(matches!(unknown(true), Err(Fault::Unsupported(_))));
}

#[test]
fn an_endorsement_key_that_is_an_authority_or_may_not_sign_is_refused() {
    let authority = mint::sequence(&[&mint::tlv(0x01, &[0xff])]);
    let outcome = with_leaf(|leaf| leaf.set(&BASIC_CONSTRAINTS, Some(authority.clone())));
    assert!(untrusted(&outcome));
    let cert_sign = mint::tlv(0x03, &[1, 0x06]);
    assert!(untrusted(&with_leaf(|leaf| leaf.set(&KEY_USAGE, Some(cert_sign.clone())))));
}

#[test]
fn evidence_may_leave_out_what_the_operator_supplied() {
    let report = Report::of(MILAN);
    let leaf = mint::vek(EndorsementKey::Vcek, MILAN, &report).der();
    let ask = mint::ask(MILAN).der();
    let supplied = mint::trusting(MILAN).certificate(leaf).certificate(ask).build().unwrap();
    let examination = Examination::new(Arc::new(supplied), NOW);
    examination.snp(report.signed(), &[]).unwrap();
    let stranger = Report { chip_id: [7; 64], ..report };
    let outcome = examination.snp(stranger.signed(), &[]).map(|_| ());
    assert!(matches!(outcome, Err(Fault::Unavailable(_))));
}

#[test]
fn what_one_request_brought_does_not_serve_the_next() {
    let report = Report::of(MILAN);
    let leaf = mint::vek(EndorsementKey::Vcek, MILAN, &report).der();
    let ask = mint::ask(MILAN).der();
    let authority = Arc::new(mint::trusting(MILAN).build().unwrap());
    let check = |certificates: &[Vec<u8>]| {
        let examination = Examination::new(Arc::clone(&authority), NOW);
        examination.snp(report.signed(), certificates).map(|_| ())
    };
    assert!(check(std::slice::from_ref(&leaf)).is_err());
    assert_eq!(check(&[leaf.clone(), ask.clone()]), Ok(()));
    assert!(check(std::slice::from_ref(&leaf)).is_err(), "the issuer is remembered");
    assert_eq!(check(&[leaf, ask]), Ok(()));
}

#[test]
fn a_root_must_sign_itself_and_be_one_of_amds_names() {
    let mut root = mint::ark(MILAN);
    root.signer = mint::STRANGER;
    assert!(Authority::builder().simulated_root(root.der()).build().is_err());
    let other = mint::authority("ARK-Rome", mint::ARK, "ARK-Rome", mint::ARK);
    assert!(Authority::builder().simulated_root(other.der()).build().is_err());
    assert!(Authority::builder().anchor("amd", mint::ark(MILAN).der()).build().is_err());
}
