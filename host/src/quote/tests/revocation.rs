//! Revocation of forged hardware's issuers.

use std::sync::Arc;

use super::super::snp::{EndorsementKey, Product};
use super::super::{Authority, Examination, Fault, Revocation};
use super::mint::{self, Crl, NOW, Report};
use crate::claim::Value;
use crate::clock::Timestamp;

const MILAN: Product = Product::Milan;

/// The serial number of the forged ASK.
fn ask_serial() -> Vec<u8> {
    mint::ask(MILAN).serial
}

fn requiring() -> Authority {
    mint::trusting(MILAN).revocation(Revocation::Required).build().unwrap()
}

fn check_at(authority: &Arc<Authority>, lists: &[Vec<u8>], at: Timestamp) -> Result<(), Fault> {
    let report = Report::of(MILAN);
    let mut attachments =
        vec![mint::vek(EndorsementKey::Vcek, MILAN, &report).der(), mint::ask(MILAN).der()];
    attachments.extend_from_slice(lists);
    let examination = Examination::new(Arc::clone(authority), at);
    examination.snp(report.signed(), &attachments).map(|_| ())
}

fn brought(list: &Crl) -> Result<(), Fault> {
    check_at(&Arc::new(requiring()), &[list.der()], NOW)
}

// attack 24
#[test]
fn without_a_list_there_is_no_trust_and_the_fault_names_it() {
    let Err(Fault::Unavailable(text)) = check_at(&Arc::new(requiring()), &[], NOW) else {
        panic!("accepted");
    };
    assert!(text.contains("ARK-Milan"), "{text}");
}

// attack 24
#[test]
fn a_valid_list_is_taken_from_the_operator_or_the_evidence() {
    assert_eq!(brought(&Crl::of(MILAN)), Ok(()));
    assert_eq!(brought(&Crl { revoked: Vec::new(), ..Crl::of(MILAN) }), Ok(()));
    let authority = mint::trusting(MILAN)
        .revocation(Revocation::Required)
        .crl(Crl::of(MILAN).der())
        .build()
        .unwrap();
    assert_eq!(check_at(&Arc::new(authority), &[], NOW), Ok(()));
}

// attack 24
#[test]
fn a_revoked_issuer_is_refused_even_where_revocation_is_waived() {
    let list = Crl { revoked: vec![vec![7], ask_serial()], ..Crl::of(MILAN) };
    assert!(matches!(brought(&list), Err(Fault::Revoked(_))));
    let waiving = Arc::new(mint::trusting(MILAN).build().unwrap());
    assert!(matches!(check_at(&waiving, &[list.der()], NOW), Err(Fault::Revoked(_))));
}

// attack 24
#[test]
fn a_list_outside_its_time_is_refused() {
    let stale = Crl { next_update: Some(Timestamp(NOW.0 - 1)), ..Crl::of(MILAN) };
    assert!(matches!(brought(&stale), Err(Fault::Expired(_))));
    let future = Crl { this_update: Timestamp(NOW.0 + 1), ..Crl::of(MILAN) };
    assert!(matches!(brought(&future), Err(Fault::Expired(_))));
    let endless = Crl { next_update: None, ..Crl::of(MILAN) };
    assert!(matches!(brought(&endless), Err(Fault::Malformed(_))));
}

// attack 24
#[test]
fn a_forged_list_is_refused() {
    let forged = Crl { signer: mint::STRANGER, ..Crl::of(MILAN) };
    assert_eq!(brought(&forged), Err(Fault::BadSignature));
    let authority = requiring();
    assert_eq!(authority.add_crl(&forged.der()), Err(Fault::BadSignature));
    let mut altered = Crl::of(MILAN).der();
    let at = altered.windows(3).position(|bytes| bytes == [0x02, 0x01, 0x42]).unwrap();
    altered[at + 2] = 0x43;
    assert_eq!(authority.add_crl(&altered), Err(Fault::BadSignature));
}

// attack 35
#[test]
fn lists_beside_a_good_one_are_passed_over_and_only_some_are_looked_at() {
    let good = Crl::of(MILAN).der();
    let forged = |number| Crl { number, signer: mint::STRANGER, ..Crl::of(MILAN) }.der();
    let unreadable = Crl { next_update: None, ..Crl::of(MILAN) }.der();
    let outcome = |before: Vec<Vec<u8>>| {
        check_at(&Arc::new(requiring()), &[before, vec![good.clone()]].concat(), NOW)
    };
    assert_eq!(outcome(vec![unreadable, forged(1), Crl::of(Product::Turin).der()]), Ok(()));
    assert_eq!(outcome(vec![forged(1); 9]), Ok(()), "it is one list");
    assert_eq!(outcome((1..=3).map(forged).collect()), Ok(()));
    assert_eq!(outcome((1..=4).map(forged).collect()), Err(Fault::BadSignature));
}

// attack 24
#[test]
fn a_list_of_another_product_does_not_serve() {
    let other = Crl::of(Product::Genoa);
    assert!(matches!(brought(&other), Err(Fault::Unavailable(_))));
    let stranger = Crl { issuer: "ARK-Rome".to_owned(), ..Crl::of(MILAN) };
    assert!(matches!(requiring().add_crl(&stranger.der()), Err(Fault::Untrusted(_))));
}

// attack 24
#[test]
fn a_list_with_an_unknown_critical_extension_is_refused() {
    let mut list = Crl::of(MILAN);
    // A delta list marks itself so (RFC 5280 section 5.2.4).
    list.extensions.push((vec![0x55, 0x1d, 0x1b], true, mint::integer(1)));
    assert!(matches!(brought(&list), Err(Fault::Unsupported(_))));
}

// attack 44
#[test]
fn a_newer_list_is_never_replaced_by_an_older_one() {
    let revoking = Crl { number: 6, revoked: vec![ask_serial()], ..Crl::of(MILAN) };
    let authority = Arc::new(requiring());
    assert_eq!(authority.add_crl(&Crl::of(MILAN).der()), Ok(true));
    assert_eq!(check_at(&authority, &[], NOW), Ok(()));
    assert_eq!(check_at(&authority, &[], NOW), Ok(()), "cached");
    assert_eq!(authority.add_crl(&revoking.der()), Ok(true));
    let revoked = |outcome| matches!(outcome, Err(Fault::Revoked(_)));
    assert!(revoked(check_at(&authority, &[], NOW)), "the cache outlived the new list");
    assert_eq!(authority.add_crl(&Crl::of(MILAN).der()), Ok(false));
    assert!(revoked(check_at(&authority, &[], NOW)));
    let stapled = Crl { number: 5, ..Crl::of(MILAN) };
    assert!(revoked(check_at(&authority, &[stapled.der()], NOW)), "an old list in the evidence");
}

// attack 24
#[test]
fn a_cached_check_ends_with_its_list() {
    let authority = Arc::new(requiring());
    authority.add_crl(&Crl::of(MILAN).der()).unwrap();
    assert_eq!(check_at(&authority, &[], NOW), Ok(()));
    let later = Timestamp(NOW.0 + 86_401);
    assert!(matches!(check_at(&authority, &[], later), Err(Fault::Expired(_))));
    assert_eq!(check_at(&authority, &[], Timestamp(NOW.0 + 86_400)), Ok(()));
}

#[test]
fn a_list_in_one_evidence_does_not_serve_another() {
    let authority = Arc::new(requiring());
    assert_eq!(check_at(&authority, &[Crl::of(MILAN).der()], NOW), Ok(()));
    assert!(matches!(check_at(&authority, &[], NOW), Err(Fault::Unavailable(_))));
}

#[test]
fn what_was_done_about_revocation_stands_in_facts_path_and_expiry() {
    let report = Report::of(MILAN);
    let attachments =
        [mint::vek(EndorsementKey::Vcek, MILAN, &report).der(), mint::ask(MILAN).der()];
    let fact = |authority: Authority| {
        let examination = Examination::new(Arc::new(authority), NOW);
        let statement = examination.snp(report.signed(), &attachments).unwrap().statement;
        let fact = statement.facts().iter().find(|claim| claim.name == "snp.revocation").unwrap();
        (fact.value.clone(), statement.path()[1].detail.clone(), statement.expires())
    };
    let (value, detail, _) = fact(mint::trusting(MILAN).build().unwrap());
    assert_eq!(value, Value::Text("waived".to_owned()));
    assert!(detail.contains("revocation WAIVED"), "{detail}");
    let authority = requiring();
    authority.add_crl(&Crl::of(MILAN).der()).unwrap();
    let (value, detail, expires) = fact(authority);
    assert_eq!(value, Value::Text("checked".to_owned()));
    assert!(detail.contains("number 0x05"), "{detail}");
    assert_eq!(expires, Timestamp(NOW.0 + 86_400));
}
