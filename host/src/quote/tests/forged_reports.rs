//! Reports that forged hardware signed: sound ones pass, and each wrong in one way is refused.

use std::sync::Arc;

use super::super::snp::{EndorsementKey, Product};
use super::super::{Examination, Fault, SnpReport};
use super::mint::{self, NOW, Report};

fn check(key: EndorsementKey, report: &Report, certified: &Report) -> Result<SnpReport, Fault> {
    let product = certified.product;
    let authority = mint::trusting(product).build().unwrap();
    let issuer = match key {
        EndorsementKey::Vcek => mint::ask(product),
        EndorsementKey::Vlek => mint::asvk(product),
    };
    let certificates = [mint::vek(key, product, certified).der(), issuer.der()];
    Examination::new(Arc::new(authority), NOW).snp(report.signed(), &certificates)
}

fn vcek(report: &Report, certified: &Report) -> Result<(), Fault> {
    check(EndorsementKey::Vcek, report, certified).map(|_| ())
}

#[test]
fn a_sound_report_of_every_product_version_and_key_passes_and_is_flagged_simulated() {
    for product in Product::ALL {
        for version in 2..=5 {
            for (key, key_info) in [(EndorsementKey::Vcek, 0), (EndorsementKey::Vlek, 1 << 2)] {
                let report = Report { version, key_info, ..Report::of(product) };
                let outcome = check(key, &report, &report).unwrap();
                assert!(outcome.statement.simulated() && outcome.endorser.simulated());
                assert_eq!((outcome.product, outcome.endorsement_key), (product, key));
                assert_eq!(outcome.reported_tcb, report.reported_tcb);
                assert_eq!(outcome.statement.expires().0, NOW.0 + mint::YEAR);
            }
        }
    }
}

// attack 21
#[test]
fn each_tcb_part_off_by_one_is_refused_by_name() {
    for product in Product::ALL {
        let certified = Report::of(product);
        for (part, index) in
            [("fmc", 0), ("bootloader", 1), ("tee", 2), ("snp", 3), ("microcode", 4)]
        {
            for step in [1i16, -1] {
                let mut report = certified.clone();
                let tcb = &mut report.reported_tcb;
                let value = match index {
                    0 => match &mut tcb.fmc {
                        Some(fmc) => fmc,
                        None => continue,
                    },
                    1 => &mut tcb.bootloader,
                    2 => &mut tcb.tee,
                    3 => &mut tcb.snp,
                    _ => &mut tcb.microcode,
                };
                *value = (i16::from(*value) + step) as u8;
                let Err(Fault::Untrusted(text)) = vcek(&report, &certified) else {
                    panic!("{product} {part} {step}");
                };
                assert!(text.contains(&format!("reported_tcb.{part} is ")), "{text}");
            }
        }
    }
}

// attack 20
#[test]
fn a_report_of_another_chip_is_refused() {
    for product in Product::ALL {
        let certified = Report::of(product);
        for byte in [0, 7, 8, 63] {
            let mut report = certified.clone();
            report.chip_id[byte] ^= 1;
            assert!(matches!(vcek(&report, &certified), Err(Fault::Untrusted(_))), "{byte}");
        }
    }
}

// attack 20
#[test]
fn a_masked_chip_id_is_a_fact_for_policy() {
    let certified = Report::of(Product::Milan);
    let report = Report { chip_id: [0; 64], ..certified.clone() };
    let outcome = check(EndorsementKey::Vcek, &report, &certified).unwrap();
    let facts = outcome.statement.facts();
    let fact = |name: &str| facts.iter().find(|claim| claim.name == name).map(|claim| &claim.value);
    assert!(super::all_are_of("snp", facts));
    assert_eq!(fact("snp.chip_id_masked"), Some(&crate::claim::Value::Flag(true)));
    assert_eq!(fact("snp.chip_id"), None);
    let chip = crate::claim::Value::Bytes(certified.chip_id.to_vec());
    assert_eq!(fact("snp.certified_chip_id"), Some(&chip));
}

#[test]
fn no_fact_has_two_values() {
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        let report = Report::of(product);
        let outcome = check(EndorsementKey::Vcek, &report, &report).unwrap();
        let facts = outcome.statement.facts();
        let mut names: Vec<_> = facts.iter().map(|fact| &fact.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), facts.is_empty()), (facts.len(), false));
    }
}

// attack 19
#[test]
fn a_report_that_says_it_is_not_signed_by_this_key_is_refused() {
    let sound = Report::of(Product::Milan);
    let with = |change: &dyn Fn(&mut Report)| {
        let mut report = sound.clone();
        change(&mut report);
        vcek(&report, &sound)
    };
    for version in [0, 1, 6, 7] {
        let outcome = with(&|report| report.version = version);
        assert!(matches!(outcome, Err(Fault::Unsupported(_))), "version {version}");
    }
    for algorithm in [0, 2, 257] {
        let outcome = with(&|report| report.signature_algorithm = algorithm);
        assert!(matches!(outcome, Err(Fault::Unsupported(_))), "algorithm {algorithm}");
    }
    let outcome = with(&|report| report.key_info = 7 << 2);
    assert!(matches!(outcome, Err(Fault::Untrusted(_))), "signed by none");
    let outcome = with(&|report| report.key_info = 1 << 2);
    assert!(matches!(outcome, Err(Fault::Untrusted(_))), "VLEK report, VCEK certificate");
    let outcome = with(&|report| report.key_info = 2);
    assert!(matches!(outcome, Err(Fault::Untrusted(_))), "MASK_CHIP_KEY");
    let outcome = with(&|report| report.vmpl = u32::MAX);
    assert!(matches!(outcome, Err(Fault::Untrusted(_))), "asked for by the hypervisor");
    let vlek = check(EndorsementKey::Vlek, &sound, &sound);
    assert!(matches!(vlek, Err(Fault::Untrusted(_))), "VCEK report, VLEK certificate");
}

#[test]
fn a_providers_key_signs_where_the_chips_key_is_masked() {
    let report = Report { key_info: 1 << 2 | 2, ..Report::of(Product::Milan) };
    let outcome = check(EndorsementKey::Vlek, &report, &report).unwrap();
    let facts = outcome.statement.facts();
    let fact = facts.iter().find(|claim| claim.name == "snp.mask_chip_key").unwrap();
    assert_eq!(fact.value, crate::claim::Value::Flag(true));
}

// attack 18
#[test]
fn the_privilege_level_is_a_fact_for_policy() {
    let report = Report { vmpl: 2, ..Report::of(Product::Genoa) };
    assert_eq!(check(EndorsementKey::Vcek, &report, &report).unwrap().vmpl, 2);
}

// attack 23
#[test]
fn a_certificate_of_another_product_than_the_processor_is_refused() {
    for (of_report, of_certificate) in [
        (Product::Milan, Product::Genoa),
        (Product::Genoa, Product::Milan),
        (Product::Genoa, Product::Turin),
    ] {
        let report = Report::of(of_report);
        let certified = Report { product: of_certificate, ..Report::of(of_certificate) };
        let outcome = vcek(&report, &certified);
        assert!(matches!(outcome, Err(Fault::Untrusted(_))), "{of_report} {of_certificate}");
    }
}

// attack 16
#[test]
fn the_key_of_another_chip_does_not_sign_for_this_one() {
    let report = Report::of(Product::Milan);
    let authority = Arc::new(mint::trusting(Product::Milan).build().unwrap());
    let mut leaf = mint::vek(EndorsementKey::Vcek, Product::Milan, &report);
    leaf.spki = other_chip_spki();
    let certificates = [leaf.der(), mint::ask(Product::Milan).der()];
    let outcome = Examination::new(authority, NOW).snp(report.signed(), &certificates);
    assert_eq!(outcome.map(|_| ()), Err(Fault::BadSignature));
}

fn other_chip_spki() -> Vec<u8> {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    spki.as_ref().to_vec()
}
