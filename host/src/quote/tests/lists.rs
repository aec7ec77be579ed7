//! Several revocation lists of one issuer: for different distribution points, of different times.

use std::sync::Arc;

use super::super::snp::{EndorsementKey, Product};
use super::super::{Authority, Examination, Fault, Revocation};
use super::mint::{self, Certificate, Crl, NOW, Report};
use crate::clock::Timestamp;

const MILAN: Product = Product::Milan;
const DAY: u64 = 86_400;

fn requiring() -> Arc<Authority> {
    let builder = mint::trusting(MILAN).certificate(mint::asvk(MILAN).der());
    Arc::new(builder.revocation(Revocation::Required).build().unwrap())
}

/// Checks a report of a key of a kind, which `issuer` issued, and answers when that expires.
fn check(
    authority: &Arc<Authority>,
    key: EndorsementKey,
    issuer: &Certificate,
    at: u64,
) -> Result<u64, Fault> {
    let key_info = match key {
        EndorsementKey::Vcek => 0,
        EndorsementKey::Vlek => 1 << 2,
    };
    let report = Report { key_info, ..Report::of(MILAN) };
    let attachments = [mint::vek(key, MILAN, &report).der(), issuer.der()];
    let examination = Examination::new(Arc::clone(authority), Timestamp(at));
    let outcome = examination.snp(report.signed(), &attachments);
    outcome.map(|report| report.statement.expires().0)
}

fn vcek(authority: &Arc<Authority>, at: u64) -> Result<u64, Fault> {
    check(authority, EndorsementKey::Vcek, &mint::ask(MILAN), at)
}

fn vlek(authority: &Arc<Authority>, at: u64) -> Result<u64, Fault> {
    check(authority, EndorsementKey::Vlek, &mint::asvk(MILAN), at)
}

fn revoked<T>(outcome: Result<T, Fault>) -> bool {
    matches!(outcome, Err(Fault::Revoked(_)))
}

// attack 24
#[test]
fn one_issuers_list_for_providers_stands_beside_its_list_for_chips() {
    let chips = Crl::of(MILAN);
    // Of another day, and with numbers of its own.
    let providers = Crl {
        number: 100,
        this_update: Timestamp(NOW.0 - 2 * DAY),
        next_update: Some(Timestamp(NOW.0 - DAY)),
        revoked: vec![mint::asvk(MILAN).serial],
        ..Crl::of(MILAN)
    };
    for lists in [[&chips, &providers], [&providers, &chips]] {
        let authority = requiring();
        for list in lists {
            assert_eq!(authority.add_crl(&list.der()), Ok(true));
            assert_eq!(authority.add_crl(&list.der()), Ok(false), "it says the same");
        }
        assert_eq!(vcek(&authority, NOW.0), Ok(NOW.0 + DAY), "the newest is fresh");
        assert!(revoked(vlek(&authority, NOW.0)), "the other was dropped");
    }
}

// attack 24
#[test]
fn every_list_counts_for_an_anchor_of_the_operators() {
    let (middle, mut leaf) = (
        mint::authority("Middle", mint::ASK, "Root", mint::ARK),
        mint::authority("Leaf", mint::STRANGER, "Middle", mint::ASK),
    );
    leaf.extensions.clear();
    let root = mint::authority("Root", mint::ARK, "Root", mint::ARK);
    let list = |issuer: &str, signer, number, revoked: &Certificate| {
        let list = Crl { issuer: issuer.to_owned(), signer, number, ..Crl::of(MILAN) };
        Crl { revoked: vec![revoked.serial.clone()], ..list }.der()
    };
    let builder = || {
        let builder = Authority::builder().anchor("vendor", root.der()).certificate(middle.der());
        builder.crl(list("Middle", mint::ASK, 1, &root)).crl(list("Root", mint::ARK, 1, &root))
    };
    let chain = |authority: Authority| {
        let examination = Examination::new(Arc::new(authority), NOW);
        examination.chain(&[leaf.der(), middle.der()], "vendor").map(|signer| signer.expires().0)
    };
    assert_eq!(chain(builder().build().unwrap()), Ok(NOW.0 + DAY));
    let older = list("Root", mint::ARK, 0, &middle);
    assert!(revoked(chain(builder().crl(older).build().unwrap())));
    let mut coming = Crl { issuer: "Root".to_owned(), number: 9, ..Crl::of(MILAN) };
    coming.this_update = Timestamp(NOW.0 + 10);
    assert_eq!(chain(builder().crl(coming.der()).build().unwrap()), Ok(NOW.0 + 9));
}

// attack 24
#[test]
fn a_list_that_begins_later_ends_what_is_cached_and_says_nothing_before() {
    let coming = Crl {
        number: 6,
        this_update: Timestamp(NOW.0 + 100),
        revoked: vec![mint::ask(MILAN).serial],
        ..Crl::of(MILAN)
    };
    let authority = requiring();
    assert_eq!(authority.add_crl(&Crl::of(MILAN).der()), Ok(true));
    assert_eq!(authority.add_crl(&coming.der()), Ok(true));
    assert_eq!(vcek(&authority, NOW.0), Ok(NOW.0 + 99));
    assert_eq!(vcek(&authority, NOW.0 + 99), Ok(NOW.0 + 99));
    assert!(revoked(vcek(&authority, NOW.0 + 100)), "the cache outlived the list");
    assert_eq!(vcek(&authority, NOW.0 + 99), Ok(NOW.0 + 99));
    let waiving = Arc::new(mint::trusting(MILAN).build().unwrap());
    assert_eq!(waiving.add_crl(&coming.der()), Ok(true));
    assert_eq!(vcek(&waiving, NOW.0), Ok(NOW.0 + 99));
    assert!(revoked(vcek(&waiving, NOW.0 + 100)));
}

// attack 44
#[test]
fn however_many_lists_come_what_one_of_them_revoked_stays_revoked() {
    let authority = requiring();
    let revoking = Crl {
        this_update: Timestamp(NOW.0 - 50),
        revoked: vec![mint::asvk(MILAN).serial],
        ..Crl::of(MILAN)
    };
    assert_eq!(authority.add_crl(&revoking.der()), Ok(true));
    for number in 0..20 {
        let newer = Crl { number, this_update: Timestamp(NOW.0 - 40), ..Crl::of(MILAN) };
        assert_eq!(authority.add_crl(&newer.der()), Ok(true));
    }
    let oldest = Crl { this_update: Timestamp(NOW.0 - 60), revoked: vec![], ..Crl::of(MILAN) };
    assert_eq!(authority.add_crl(&oldest.der()), Ok(false), "there is no room for it");
    assert!(revoked(vlek(&authority, NOW.0)));
    assert_eq!(vcek(&authority, NOW.0), Ok(NOW.0 + DAY));
}

/// A DistributionPointName of one URI.
fn point(uri: &str) -> Vec<u8> {
    mint::tlv(0xa0, &mint::tlv(0xa0, &mint::tlv(0x86, uri.as_bytes())))
}

/// An IssuingDistributionPoint.
fn scoped(fields: &[&[u8]]) -> Crl {
    let mut list = Crl::of(MILAN);
    list.extensions.push((vec![0x55, 0x1d, 0x1c], true, mint::sequence(fields)));
    list
}

/// The forged ASK with a cRLDistributionPoints extension.
fn ask_pointing_to(uri: &str) -> Certificate {
    let mut ask = mint::ask(MILAN);
    ask.set(&[0x55, 0x1d, 0x1f], Some(mint::sequence(&[&mint::sequence(&[&point(uri)])])));
    ask
}

// attack 24
#[test]
fn a_list_for_one_distribution_point_serves_those_who_name_it() {
    let outcome = |list: &Crl, ask: &Certificate| {
        let authority = requiring();
        authority.add_crl(&list.der()).unwrap();
        check(&authority, EndorsementKey::Vcek, ask, NOW.0).map(|_| ())
    };
    let unavailable = |outcome| matches!(outcome, Err(Fault::Unavailable(_)));
    let only_authorities: &[u8] = &[0x82, 1, 0xff];
    let here = ask_pointing_to("https://kds/vcek");
    for fields in [
        &[&point("https://kds/vcek")[..]][..],
        &[&point("https://kds/vcek")[..], only_authorities],
        &[only_authorities],
        &[],
    ] {
        assert_eq!(outcome(&scoped(fields), &here), Ok(()), "{fields:?}");
    }
    let there = scoped(&[&point("https://kds/vlek")]);
    assert!(unavailable(outcome(&there, &here)));
    assert!(unavailable(outcome(&there, &mint::ask(MILAN))), "it names no point");
    assert!(unavailable(outcome(&scoped(&[&[0x81, 1, 0xff]]), &here)), "for end entities");
    let revoking = Crl { revoked: vec![here.serial.clone()], ..there };
    assert!(revoked(outcome(&revoking, &here)), "who is named is revoked anyway");
    for partial in [[0x83, 2, 6, 0x40].as_slice(), &[0x84, 1, 0xff], &[0x85, 1, 0xff]] {
        let list = scoped(&[partial]).der();
        assert!(matches!(requiring().add_crl(&list), Err(Fault::Unsupported(_))));
    }
}

// attack 24
#[test]
fn a_list_for_authorities_does_not_speak_for_an_end_entity() {
    let root = mint::authority("Root", mint::ARK, "Root", mint::ARK);
    let mut leaf = mint::authority("Leaf", mint::STRANGER, "Root", mint::ARK);
    leaf.extensions.clear();
    let outcome = |flag: u8| {
        let list = Crl { issuer: "Root".to_owned(), ..scoped(&[&[flag, 1, 0xff]]) };
        let builder = Authority::builder().anchor("vendor", root.der()).crl(list.der());
        let examination = Examination::new(Arc::new(builder.build().unwrap()), NOW);
        examination.chain(&[leaf.der()], "vendor").map(|_| ())
    };
    assert_eq!(outcome(0x81), Ok(()));
    assert!(matches!(outcome(0x82), Err(Fault::Unavailable(_))));
}
