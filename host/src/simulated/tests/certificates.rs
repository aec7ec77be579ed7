//! Certificates and revocation lists, sound and forged.

use super::*;
use crate::quote::snp::tcb::Tcb;
use crate::simulated::chip::hardware_id;
use crate::simulated::{Algorithm, CrlTemplate, Extension, Hash, Name, Role, oid};

fn value<'a>(certificate: &'a X509Certificate<'_>, oid: &[u64]) -> &'a [u8] {
    let found = extension(certificate, oid);
    found.expect("the extension is there").value
}

fn extension<'a, 'b>(
    certificate: &'a X509Certificate<'b>,
    oid: &[u64],
) -> Option<&'a X509Extension<'b>> {
    let oid = der_parser::Oid::from(oid).unwrap();
    certificate.get_extension_unique(&oid).expect("only one")
}

fn common_name(name: &X509Name<'_>) -> String {
    let mut names = name.iter_common_name();
    names.next().unwrap().as_str().unwrap().to_owned()
}

#[test]
fn a_minted_chain_holds_up_to_its_root_and_no_further() {
    for product in Product::ALL {
        let family = family(product);
        let chip = family.chip(&family.chip_template()).unwrap();
        let provider = family.provider(&family.provider_template()).unwrap();
        assert!(issued_by(family.ark(), family.ark()));
        assert!(issued_by(family.ark(), family.ask()));
        assert!(issued_by(family.ark(), family.asvk()));
        assert!(issued_by(family.ask(), chip.certificate()));
        assert!(issued_by(family.asvk(), provider.certificate()));
        assert!(!issued_by(family.asvk(), chip.certificate()));
        assert!(!issued_by(family.ask(), provider.certificate()));
        for der in [family.ark(), family.ask(), family.asvk(), chip.certificate()] {
            let moment = ASN1Time::from_timestamp(NOW.0 as i64).unwrap();
            assert!(certificate(der).validity().is_valid_at(moment));
        }
    }
}

#[test]
fn every_certificate_says_that_it_is_simulated() {
    let family = family(Product::Milan);
    let chip = family.chip(&family.chip_template()).unwrap();
    for (der, expected) in [
        (family.ark(), "ARK-Milan"),
        (family.ask(), "SEV-Milan"),
        (family.asvk(), "SEV-VLEK-Milan"),
        (chip.certificate(), "SEV-VCEK"),
    ] {
        let certificate = certificate(der);
        assert_eq!(common_name(certificate.subject()), expected);
        for name in [certificate.subject(), certificate.issuer()] {
            let organization = name.iter_organization().next().unwrap();
            assert_eq!(organization.as_str().unwrap(), "Claviger simulated hardware");
        }
        let text = String::from_utf8_lossy(der).into_owned();
        assert!(!text.contains("Advanced Micro Devices") && !text.contains("amd.com"));
    }
}

#[test]
fn authorities_may_sign_certificates_and_endorsement_keys_say_nothing_of_it() {
    let family = family(Product::Genoa);
    for (der, path_length, signs_lists) in [
        (family.ark(), None, true),
        (family.ask(), Some(0), false),
        (family.asvk(), Some(0), false),
    ] {
        let certificate = certificate(der);
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, path_length);
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.key_cert_sign());
        assert_eq!(usage.value.crl_sign(), signs_lists);
        assert!(!usage.value.digital_signature());
    }
    let chip = family.chip(&family.chip_template()).unwrap();
    let certificate = certificate(chip.certificate());
    assert!(certificate.basic_constraints().unwrap().is_none());
    assert!(certificate.key_usage().unwrap().is_none());
}

#[test]
fn amd_extensions_carry_product_levels_and_hardware_id_in_either_layout() {
    let milan = family(Product::Milan);
    let chip = milan.chip(&milan.chip_template()).unwrap();
    let read = certificate(chip.certificate());
    assert_eq!(value(&read, oid::AMD_STRUCTURE_VERSION), [2, 1, 0]);
    assert_eq!(value(&read, oid::AMD_PRODUCT_NAME), b"\x16\x08Milan-B0");
    assert_eq!(value(&read, oid::AMD_BOOTLOADER), [2, 1, 4]);
    assert_eq!(value(&read, oid::AMD_TEE), [2, 1, 1]);
    assert_eq!(value(&read, oid::AMD_SNP), [2, 1, 27]);
    assert_eq!(value(&read, oid::AMD_MICROCODE), [2, 2, 0, 222]);
    assert_eq!(value(&read, oid::AMD_SPL4), [2, 1, 0]);
    assert_eq!(value(&read, oid::AMD_HARDWARE_ID), hardware_id(Product::Milan, 0));
    assert_eq!(value(&read, oid::AMD_HARDWARE_ID).len(), 64);
    assert!(extension(&read, oid::AMD_FMC).is_none());
    assert!(extension(&read, oid::AMD_CSP_ID).is_none());

    let turin = family(Product::Turin);
    let chip = turin.chip(&turin.chip_template()).unwrap();
    let read = certificate(chip.certificate());
    assert_eq!(value(&read, oid::AMD_STRUCTURE_VERSION), [2, 1, 1]);
    assert_eq!(value(&read, oid::AMD_PRODUCT_NAME), b"\x16\x05Turin");
    assert_eq!(value(&read, oid::AMD_FMC), [2, 1, 3]);
    assert_eq!(value(&read, oid::AMD_SNP), [2, 1, 7]);
    assert_eq!(value(&read, oid::AMD_HARDWARE_ID).len(), 8);
    assert!(extension(&read, oid::AMD_SPL4).is_none());

    let provider = milan.provider(&milan.provider_template()).unwrap();
    let read = certificate(provider.certificate());
    let csp = [b"\x16\x21".as_slice(), b"CN=cc-nowhere-1.simulated.invalid"].concat();
    assert_eq!(value(&read, oid::AMD_CSP_ID), csp);
    assert!(extension(&read, oid::AMD_HARDWARE_ID).is_none());
}

#[test]
fn a_forger_changes_what_a_chip_certificate_says() {
    let family = family(Product::Genoa);
    let mut template = family.chip_template();
    template.product_name = "Milan".into();
    template.hardware_id = vec![7; 12];
    template.tcb = Tcb { snp: 200, ..template.tcb };
    template.not_after = template.not_before;
    let forged = family
        .forge_chip(&template, family.key(Role::Asvk), |certificate| {
            certificate.serial = 0x1_0000_0000;
            certificate.issuer = Name::simulated("SEV-Nobody");
            certificate.remove(oid::AMD_TEE);
            certificate.repeat(oid::AMD_SNP);
            certificate.replace(Extension::basic_constraints(true, None));
            certificate.replace(Extension::level(oid::AMD_MICROCODE, 1));
        })
        .unwrap();
    let read = certificate(forged.certificate());
    let count = |oid: &[u64]| {
        let oid = der_parser::Oid::from(oid).unwrap();
        read.extensions().iter().filter(|found| found.oid == oid).count()
    };
    assert_eq!(read.serial.to_string(), "4294967296");
    assert_eq!(common_name(read.issuer()), "SEV-Nobody");
    assert_eq!(value(&read, oid::AMD_PRODUCT_NAME), b"\x16\x05Milan");
    assert_eq!(value(&read, oid::AMD_HARDWARE_ID), [7; 12]);
    assert_eq!(value(&read, oid::AMD_MICROCODE), [2, 1, 1]);
    assert_eq!((count(oid::AMD_TEE), count(oid::AMD_SNP)), (0, 2));
    assert!(read.basic_constraints().unwrap().unwrap().value.ca);
    assert_eq!(read.validity().not_before, read.validity().not_after);
    let signature = &read.signature_value.data;
    assert!(signed_by(family.asvk(), read.tbs_certificate.as_ref(), signature));
    assert!(!signed_by(family.ask(), read.tbs_certificate.as_ref(), signature));
}

#[test]
fn a_forger_reissues_an_authority_and_lies_about_the_algorithm() {
    let family = family(Product::Genoa);
    let short = Algorithm::Pss {
        hash: Hash::Sha256,
        mask_hash: Hash::Sha384,
        salt_length: 32,
        trailer: None,
    };
    let sound = family.reissue(Role::Ask, family.key(Role::Ark), |_| {});
    assert!(issued_by(family.ark(), &sound));
    assert_eq!(
        certificate(&sound).tbs_certificate.as_ref(),
        certificate(family.ask()).tbs_certificate.as_ref()
    );

    let inside = family.reissue(Role::Ask, family.key(Role::Ark), |certificate| {
        certificate.declared_inside = Some(short);
    });
    let read = certificate(&inside);
    assert_ne!(read.tbs_certificate.signature, read.signature_algorithm);
    assert!(issued_by(family.ark(), &inside), "still really signed with SHA-384");

    let outside = family.reissue(Role::Ask, family.key(Role::Ark), |certificate| {
        certificate.declared_outside = Some(Algorithm::Pkcs1(Hash::Sha384));
    });
    let read = certificate(&outside);
    assert_eq!(read.signature_algorithm.algorithm.to_id_string(), "1.2.840.113549.1.1.12");

    let weaker = family.reissue(Role::Ask, family.key(Role::Ark), |certificate| {
        certificate.algorithm = short;
    });
    assert!(!issued_by(family.ark(), &weaker), "really signed with SHA-256");
}

#[test]
fn a_revocation_list_says_what_its_template_says() {
    let family = family(Product::Milan);
    let der = family.crl(&family.crl_template());
    let list = revocation_list(&der);
    assert!(signed_by(family.ark(), list.tbs_cert_list.as_ref(), &list.signature_value.data));
    assert_eq!(list.issuer().as_raw(), certificate(family.ark()).subject().as_raw());
    assert_eq!(list.version(), Some(X509Version::V2));
    assert!(list.last_update().timestamp() <= NOW.0 as i64);
    assert!(list.next_update().unwrap().timestamp() > NOW.0 as i64);
    assert_eq!(list.iter_revoked_certificates().count(), 0);
    assert_eq!(list.crl_number().map(ToString::to_string), Some("1".into()));

    let template = CrlTemplate {
        next_update: None,
        issuer: family.name(Role::Ask),
        ..family.crl_template().numbered(300).revoke(0x1_0001, NOW).revoke(255, NOW)
    };
    let mut template = template;
    template.extensions.push(Extension::critical(&[1, 2, 3, 4], vec![5, 0]));
    let der = template.sign(family.key(Role::Ask));
    let list = revocation_list(&der);
    assert!(signed_by(family.ask(), list.tbs_cert_list.as_ref(), &list.signature_value.data));
    assert!(!signed_by(family.ark(), list.tbs_cert_list.as_ref(), &list.signature_value.data));
    assert_eq!(common_name(list.issuer()), "SEV-Milan");
    assert!(list.next_update().is_none());
    let revoked: Vec<_> = list
        .iter_revoked_certificates()
        .map(|one| (one.serial().to_string(), one.revocation_date.timestamp()))
        .collect();
    assert_eq!(revoked, [("65537".into(), NOW.0 as i64), ("255".into(), NOW.0 as i64)]);
    assert_eq!(list.crl_number().map(ToString::to_string), Some("300".into()));
    assert!(list.extensions().iter().any(|extension| extension.critical));
}
