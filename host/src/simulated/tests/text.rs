//! Families and endorsers survive their text; other texts are refused.

use super::*;
use crate::simulated::{Endorser, Role, SimulationError};

fn text(secret: &crate::secret::Secret) -> &str {
    std::str::from_utf8(secret.expose()).unwrap()
}

#[test]
fn a_family_read_back_goes_on_issuing() {
    let family = family(Product::Turin);
    let written = family.to_pem().unwrap();
    let again = Family::from_pem(text(&written)).unwrap();
    assert_eq!(again.product(), Product::Turin);
    assert_eq!(again.minted(), NOW);
    assert_eq!(again.ark(), family.ark());
    assert_eq!(again.ask(), family.ask());
    assert_eq!(again.asvk(), family.asvk());
    assert_eq!(text(&again.to_pem().unwrap()), text(&written));

    let chip = again.chip(&again.chip_template()).unwrap();
    assert!(issued_by(family.ask(), chip.certificate()));
    let provider = again.provider(&again.provider_template()).unwrap();
    assert!(issued_by(family.asvk(), provider.certificate()));
    let list = again.crl(&again.crl_template());
    let list = revocation_list(&list);
    let signature = &list.signature_value.data;
    assert!(signed_by(family.ark(), list.tbs_cert_list.as_ref(), signature));
}

#[test]
fn an_endorser_read_back_is_the_same() {
    let family = family(Product::Turin);
    let endorser = family.chip(&family.chip_template()).unwrap();
    let written = endorser.to_pem().unwrap();
    let again = Endorser::from_pem(text(&written)).unwrap();
    assert_eq!(again.certificate(), endorser.certificate());
    assert_eq!(again.kind(), endorser.kind());
    assert_eq!(again.report(), endorser.report());
    assert_eq!(text(&again.to_pem().unwrap()), text(&written));
}

#[test]
fn other_texts_are_refused_without_repeating_a_key() {
    let family = family(Product::Turin);
    let written = family.to_pem().unwrap();
    let whole = text(&written);
    let refused = |text: &str| match Family::from_pem(text) {
        Err(SimulationError::Malformed(reason)) => reason,
        other => panic!("{other:?}"),
    };
    refused("");
    refused("hello");
    refused(&whole.replace("Product: Turin", "Product: Rome"));
    refused(&whole.replace("SEV-SNP", "TDX"));
    refused(&whole.replace("Minted: 2026", "Minted: soon"));
    refused(whole.strip_suffix("-----END PRIVATE KEY-----\n").unwrap());
    refused(&whole.replacen("CERTIFICATE", "CERTIFICATE REQUEST", 2));
    refused(&format!("{whole}{whole}"));
    let headless = whole.replacen("-----BEGIN PRIVATE KEY-----\n", "", 1);
    assert!(refused(&headless).len() < 100);

    // Another authority's key does not pass for this one's.
    let key = |role: Role| {
        let secret = family.key(role).to_pkcs8().unwrap();
        data_encoding::BASE64.encode(secret.expose())
    };
    let wrap = |key: String| {
        let lines: Vec<_> = key.as_bytes().chunks(64).map(<[u8]>::to_vec).collect();
        String::from_utf8(lines.join(&b'\n')).unwrap()
    };
    let swapped = whole.replace(&wrap(key(Role::Ask)), &wrap(key(Role::Asvk)));
    assert_ne!(swapped, whole);
    assert!(refused(&swapped).contains("certificate"));
    assert!(Endorser::from_pem(whole).is_err());
}

#[test]
fn an_endorser_with_the_certificate_of_another_key_is_refused() {
    let family = family(Product::Turin);
    let endorser = || family.chip(&family.chip_template()).unwrap().to_pem().unwrap();
    let (one, other) = (endorser(), endorser());
    let (head, _) = text(&one).split_once("-----BEGIN PRIVATE KEY").unwrap();
    let (_, tail) = text(&other).split_once("-----BEGIN PRIVATE KEY").unwrap();
    let mixed = format!("{head}-----BEGIN PRIVATE KEY{tail}");
    let reason = Endorser::from_pem(&mixed).unwrap_err().to_string();
    assert!(reason.contains("about another key"), "{reason}");
}

#[test]
fn nothing_secret_prints() {
    let family = family(Product::Turin);
    let endorser = family.chip(&family.chip_template()).unwrap();
    assert_eq!(format!("{:?}", family.key(Role::Ark)), "AuthorityKey(RSA-4096)");
    let printed = format!("{endorser:?}");
    assert!(printed.contains("Vcek") && !printed.contains("key:"), "{printed}");
}
