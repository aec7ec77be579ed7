//! Which anchors may be named, by whom, and what follows from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;

use super::super::snp::family::Family;
use super::super::snp::{EndorsementKey, Product};
use super::super::{Authority, Examination, Fault, Revocation, SignatureAlgorithm};
use super::mint::{self, NOW, Report};

const SET: &str = "vendor";
const MILAN: Product = Product::Milan;

fn stranger() -> mint::Certificate {
    mint::authority("Root", mint::STRANGER, "Root", mint::STRANGER)
}

// attack 46
#[test]
fn an_authority_of_snp_hardware_is_no_anchor_of_another_set() {
    let published = Family::published().unwrap();
    for certificate in published.iter().flat_map(Family::certificates) {
        let builder = Authority::builder().products(&[]).anchor(SET, certificate.der());
        assert!(matches!(builder.build(), Err(Fault::Untrusted(_))), "{}", certificate.subject);
    }
    let mut again = mint::ark(MILAN);
    again.serial = vec![77];
    let builder = || mint::trusting(MILAN).certificate(mint::ask(MILAN).der());
    for own in [mint::ark(MILAN), again, mint::ask(MILAN)] {
        assert!(matches!(builder().anchor(SET, own.der()).build(), Err(Fault::Untrusted(_))));
    }
    assert!(builder().anchor(SET, stranger().der()).build().is_ok());
}

// attack 46
#[test]
fn what_a_chips_key_signs_is_a_report_whoever_certified_the_authority_above_it() {
    let mut certified = mint::ask(MILAN);
    certified.issuer = "Root".to_owned();
    certified.signer = mint::STRANGER;
    let chip = mint::vek(EndorsementKey::Vcek, MILAN, &Report::of(MILAN));
    let may_sign_anything = |snp: bool| {
        let mut builder = Authority::builder().anchor(SET, stranger().der());
        if snp {
            builder = builder.simulated_root(mint::ark(MILAN).der());
            builder = builder.certificate(mint::ask(MILAN).der());
        }
        let authority = builder.revocation(Revocation::Waived).build().unwrap();
        let examination = Examination::new(Arc::new(authority), NOW);
        let signer = examination.chain(&[chip.der(), certified.der()], SET).unwrap();
        let signature = mint::chip_key().sign(&SystemRandom::new(), b"anything").unwrap();
        let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
        examination.check(&signer, algorithm, b"anything".to_vec(), signature.as_ref()).is_ok()
    };
    assert!(may_sign_anything(false));
    assert!(!may_sign_anything(true));
}

// invariant 6
#[test]
fn a_key_that_is_for_certain_purposes_only_is_refused() {
    let with = |critical: bool| {
        let mut leaf = mint::authority("Leaf", mint::ASVK, "Root", mint::STRANGER);
        let server_authentication = mint::tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 1]);
        let purposes = mint::sequence(&[&server_authentication]);
        leaf.extensions = vec![(vec![0x55, 0x1d, 0x25], critical, purposes)];
        let builder = Authority::builder().anchor(SET, stranger().der());
        let authority = builder.revocation(Revocation::Waived).build().unwrap();
        let examination = Examination::new(Arc::new(authority), NOW);
        examination.chain(&[leaf.der()], SET).map(|_| ())
    };
    assert!(matches!(with(true), Err(Fault::Unsupported(_))));
    assert_eq!(with(false), Ok(()), "a remark, where it is not critical");
}

// invariant 7
#[test]
fn an_examination_within_some_sets_knows_no_others() {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;
    let pair = Ed25519KeyPair::generate().unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let mut leaf = mint::authority("Leaf", mint::ASVK, "Root", mint::STRANGER);
    leaf.extensions.clear();
    let report = Report::of(MILAN);
    let chip = mint::vek(EndorsementKey::Vcek, MILAN, &report).der();
    let chain = [chip, mint::ask(MILAN).der()];
    let builder = mint::trusting(MILAN).anchor(SET, stranger().der());
    let all =
        Examination::new(Arc::new(builder.pin(SET, b"1", spki.as_ref()).build().unwrap()), NOW);
    let sets = |names: &[&str]| -> Arc<BTreeSet<String>> {
        Arc::new(names.iter().map(|name| (*name).to_owned()).collect())
    };
    // Whether each set may be used: the vendor's by chain and by pin, AMD's by chain and by report.
    let usable = |examination: &Examination| {
        let outcomes = [
            examination.chain(&[leaf.der()], SET).map(|_| ()),
            examination.pinned(SET, b"1").map(|_| ()),
            examination.chain(&chain, "amd").map(|_| ()),
            examination.snp(report.signed(), &chain).map(|_| ()),
        ];
        outcomes.map(|outcome| match outcome {
            Ok(()) => true,
            Err(Fault::Untrusted(_)) => false,
            Err(fault) => panic!("{fault}"),
        })
    };
    assert_eq!(usable(&all), [true; 4]);
    assert_eq!(usable(&all.clone().within(&sets(&[SET, "amd"]))), [true; 4]);
    let vendor = all.clone().within(&sets(&[SET]));
    assert_eq!(usable(&vendor), [true, true, false, false]);
    let amd = all.clone().within(&sets(&["amd"]));
    assert_eq!(usable(&amd), [false, false, true, true]);
    assert_eq!(usable(&all.within(&sets(&[]))), [false; 4]);
    assert_eq!(
        usable(&vendor.within(&sets(&[SET, "amd"]))),
        [true, true, false, false],
        "narrower"
    );
}
