//! The five custody operations, over a forged vendor.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ML_DSA_65_SIGNING,
    PqdsaKeyPair,
};

use super::super::snp::{EndorsementKey, Product};
use super::super::{
    Authority, DigestAlgorithm, Examination, Fault, KeyEncoding, Revocation, SignatureAlgorithm,
    Signer, Span, Statement,
};
use super::mint::{self, Certificate, Crl, NOW, Report};
use crate::clock::Timestamp;

const SET: &str = "vendor";

fn leaf() -> Certificate {
    let mut leaf = mint::authority("Leaf", mint::STRANGER, "Middle", mint::ASK);
    leaf.spki = mint::chip_spki();
    leaf.extensions = vec![(vec![0x2a, 0x03, 0x04], false, vec![0x05, 0x00])];
    leaf
}

fn middle() -> Certificate {
    mint::authority("Middle", mint::ASK, "Root", mint::ARK)
}

fn root() -> Certificate {
    mint::authority("Root", mint::ARK, "Root", mint::ARK)
}

fn examination() -> Examination {
    let builder = Authority::builder().anchor(SET, root().der());
    Examination::new(Arc::new(builder.revocation(Revocation::Waived).build().unwrap()), NOW)
}

fn chain(certificates: &[Certificate]) -> Result<Signer, Fault> {
    let certificates: Vec<Vec<u8>> = certificates.iter().map(Certificate::der).collect();
    examination().chain(&certificates, SET)
}

fn signed(message: &[u8]) -> Statement {
    let signer = chain(&[leaf(), middle()]).unwrap();
    let signature = mint::chip_key().sign(&SystemRandom::new(), message).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
    examination().check(&signer, algorithm, message.to_vec(), signature.as_ref()).unwrap()
}

fn span(start: u32, length: u32) -> Span {
    Span { start, length }
}

#[test]
fn a_chain_reaches_its_anchor_with_or_without_the_anchor_itself() {
    let signer = chain(&[leaf(), middle()]).unwrap();
    chain(&[leaf(), middle(), root()]).unwrap();
    assert_eq!(signer.extension("1.2.3.4"), Some(vec![5, 0]));
    assert_eq!(signer.extension("1.2.3.5"), None);
    assert_eq!(signer.certificate().map(<[u8]>::len), Some(leaf().der().len()));
    assert_eq!(signer.expires(), leaf().not_after);
    assert!(!signer.simulated());
}

#[test]
fn a_chain_out_of_order_or_to_no_anchor_is_refused() {
    for wrong in [
        vec![],
        vec![leaf()],
        vec![middle(), leaf()],
        vec![leaf(), root()],
        vec![leaf(), root(), middle()],
        vec![root()],
        vec![middle()],
        vec![middle(), root()],
    ] {
        let names: Vec<String> = wrong.iter().map(|one| one.subject.clone()).collect();
        assert!(chain(&wrong).is_err(), "{names:?}");
    }
    assert!(examination().chain(&[leaf().der(), middle().der()], "other").is_err());
    let mut own = root();
    own.spki = mint::authority("Root", mint::STRANGER, "Root", mint::ARK).spki;
    own.signer = mint::STRANGER;
    let mut forged = middle();
    forged.signer = mint::STRANGER;
    assert!(chain(&[leaf(), forged, own]).is_err(), "a root of the same name");
}

#[test]
fn an_end_entity_does_not_issue_and_an_authority_does_not_sign() {
    let mut issued_by_leaf = leaf();
    issued_by_leaf.issuer = "Middle".to_owned();
    let mut no_authority = middle();
    no_authority.extensions.clear();
    assert!(matches!(chain(&[issued_by_leaf, no_authority]), Err(Fault::Untrusted(_))));
    let mut authority = leaf();
    authority.extensions = middle().extensions;
    assert!(matches!(chain(&[authority, middle()]), Err(Fault::Untrusted(_))));
}

#[test]
fn a_path_longer_than_an_authority_allows_is_refused() {
    let mut lower = mint::authority("Lower", mint::ASVK, "Middle", mint::ASK);
    lower.serial = vec![9];
    let mut leaf = leaf();
    leaf.issuer = "Lower".to_owned();
    leaf.signer = mint::ASVK;
    assert!(chain(&[leaf.clone(), lower.clone(), middle()]).is_ok());
    let none_below = mint::sequence(&[&mint::tlv(0x01, &[0xff]), &mint::integer(0)]);
    let mut narrow = middle();
    narrow.set(&mint::BASIC_CONSTRAINTS, Some(none_below));
    assert!(matches!(chain(&[leaf, lower, narrow]), Err(Fault::Untrusted(_))));
}

#[test]
fn dates_hold_at_every_place_of_a_chain() {
    for place in 0..2 {
        for (from, until) in [(NOW.0 + 1, NOW.0 + 2), (NOW.0 - 2, NOW.0 - 1)] {
            let mut certificates = [leaf(), middle()];
            certificates[place].not_before = Timestamp(from);
            certificates[place].not_after = Timestamp(until);
            assert!(matches!(chain(&certificates), Err(Fault::Expired(_))), "{place}");
        }
    }
}

#[test]
fn a_set_that_requires_revocation_data_needs_a_list_of_every_issuer() {
    let list =
        |issuer: &str, signer| Crl { issuer: issuer.to_owned(), signer, ..Crl::of(Product::Milan) };
    let builder = || Authority::builder().anchor(SET, root().der()).certificate(middle().der());
    let check = |authority: Authority| {
        let examination = Examination::new(Arc::new(authority), NOW);
        examination.chain(&[leaf().der(), middle().der()], SET).map(|_| ())
    };
    let root_list = list("Root", mint::ARK);
    let middle_list = list("Middle", mint::ASK);
    let unavailable = |outcome| matches!(outcome, Err(Fault::Unavailable(_)));
    assert!(unavailable(check(builder().build().unwrap())));
    assert!(unavailable(check(builder().crl(root_list.der()).build().unwrap())));
    let both = |middle_list: &Crl| builder().crl(root_list.der()).crl(middle_list.der());
    assert_eq!(check(both(&middle_list).build().unwrap()), Ok(()));
    let revoking = Crl { revoked: vec![leaf().serial], ..middle_list };
    assert!(matches!(check(both(&revoking).build().unwrap()), Err(Fault::Revoked(_))));
    let waived = builder().revocation_of(SET, Revocation::Waived).build().unwrap();
    assert_eq!(check(waived), Ok(()));
}

#[test]
fn a_message_is_checked_with_the_algorithm_that_the_key_has() {
    let signer = chain(&[leaf(), middle()]).unwrap();
    let signature = mint::chip_key().sign(&SystemRandom::new(), b"message").unwrap();
    let signature = signature.as_ref();
    let check = |algorithm, message: &[u8], signature: &[u8]| {
        examination().check(&signer, algorithm, message.to_vec(), signature).map(|_| ())
    };
    let p384 = SignatureAlgorithm::EcdsaP384Sha384;
    assert_eq!(check(p384, b"message", signature), Ok(()));
    assert_eq!(check(p384, b"massage", signature), Err(Fault::BadSignature));
    assert_eq!(check(p384, b"message", &signature[..95]), Err(Fault::BadSignature));
    let longer = [signature, &[0]].concat();
    assert_eq!(check(p384, b"message", &longer), Err(Fault::BadSignature));
    assert_eq!(check(p384, b"message", &[0; 96]), Err(Fault::BadSignature));
    for other in [
        SignatureAlgorithm::EcdsaP256Sha256,
        SignatureAlgorithm::RsaPssSha384,
        SignatureAlgorithm::Ed25519,
        SignatureAlgorithm::MlDsa65,
    ] {
        assert!(matches!(check(other, b"message", signature), Err(Fault::Unsupported(_))));
    }
}

#[test]
fn a_pinned_key_is_found_by_its_identifier_alone() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let authority = Authority::builder().pin(SET, b"key 1", spki.as_ref()).build().unwrap();
    let examination = Examination::new(Arc::new(authority), NOW);
    let signer = examination.pinned(SET, b"key 1").unwrap();
    let signature = pair.sign(b"message");
    let algorithm = SignatureAlgorithm::Ed25519;
    examination.check(&signer, algorithm, b"message".to_vec(), signature.as_ref()).unwrap();
    assert!(examination.pinned(SET, b"key").is_err());
    assert!(examination.pinned(SET, b"").is_err());
    assert!(examination.pinned("other", b"key 1").is_err());
    let twice = Authority::builder().pin(SET, b"1", spki.as_ref()).pin(SET, b"1", spki.as_ref());
    assert!(twice.build().is_err());
}

#[test]
fn a_pinned_post_quantum_key_is_checked() {
    let pair = PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let authority = Authority::builder().pin(SET, b"pq", spki.as_ref()).build().unwrap();
    let examination = Examination::new(Arc::new(authority), NOW);
    let signer = examination.pinned(SET, b"pq").unwrap();
    let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
    let length = pair.sign(b"message", &mut signature).unwrap();
    let algorithm = SignatureAlgorithm::MlDsa65;
    let check = |message: &[u8]| {
        examination.check(&signer, algorithm, message.to_vec(), &signature[..length]).map(|_| ())
    };
    assert_eq!(check(b"message"), Ok(()));
    assert_eq!(check(b"massage"), Err(Fault::BadSignature));
}

#[test]
fn a_digest_vouches_for_its_blob_and_no_other() {
    let digest = DigestAlgorithm::Sha256.digest(b"blob");
    let statement = signed(&[b"head", digest.as_ref(), b"tail"].concat());
    let vouch = |at, algorithm, blob: &[u8]| {
        examination().vouch(&statement, at, algorithm, blob.to_vec()).map(|_| ())
    };
    let sha256 = DigestAlgorithm::Sha256;
    assert_eq!(vouch(span(4, 32), sha256, b"blob"), Ok(()));
    assert!(matches!(vouch(span(4, 32), sha256, b"blub"), Err(Fault::Untrusted(_))));
    assert!(matches!(vouch(span(5, 32), sha256, b"blob"), Err(Fault::Untrusted(_))));
    for at in [span(4, 31), span(4, 33), span(4, 0), span(4, 1), span(39, 32)] {
        assert!(matches!(vouch(at, sha256, b"blob"), Err(Fault::Malformed(_))), "{at:?}");
    }
    assert!(vouch(span(4, 32), DigestAlgorithm::Sha384, b"blob").is_err());
}

/// A register after these entries.
fn extended(initial: &[u8], entries: &[Vec<u8>]) -> Vec<u8> {
    entries.iter().fold(initial.to_vec(), |register, entry| {
        DigestAlgorithm::Sha384.digest(&[register, entry.clone()].concat()).as_ref().to_vec()
    })
}

#[test]
fn a_register_vouches_for_what_it_was_extended_by_and_in_that_order() {
    let entries = vec![vec![1; 48], vec![2; 48], vec![1; 48]];
    let message = [vec![9; 10], extended(&[0; 48], &entries)].concat();
    let statement = signed(&message);
    let replay = |at, initial: &[u8], entries: &[Vec<u8>]| {
        examination().replay(&statement, at, DigestAlgorithm::Sha384, initial, entries)
    };
    let replayed = replay(span(10, 48), &[0; 48], &entries).unwrap();
    assert_eq!(replayed.bytes(), entries.concat());
    assert!(replayed.descends_from(&statement));
    let [first, second, third] = <[Vec<u8>; 3]>::try_from(entries.clone()).unwrap();
    for wrong in [
        vec![second, first.clone(), third],
        entries[..2].to_vec(),
        [entries.clone(), vec![first]].concat(),
        vec![],
    ] {
        let fault = replay(span(10, 48), &[0; 48], &wrong).unwrap_err();
        assert!(matches!(fault, Fault::Untrusted(_)), "{fault:?}");
    }
    assert!(matches!(replay(span(10, 48), &[1; 48], &entries), Err(Fault::Untrusted(_))));
    // What is shorter or longer than the digest would shift the boundaries between entries.
    for (at, initial, entries) in [
        (span(9, 48), vec![0; 48], vec![vec![1; 96], vec![1; 48]]),
        (span(10, 47), vec![0; 48], entries.clone()),
        (span(10, 48), vec![0; 47], entries.clone()),
        (span(11, 48), vec![0; 48], entries),
    ] {
        let fault = replay(at, &initial, &entries).unwrap_err();
        assert!(matches!(fault, Fault::Malformed(_)), "{fault:?}");
    }
}

#[test]
fn a_key_in_a_statement_signs_the_next_one() {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let point = pair.public_key().as_ref();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let base64 = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#,
        base64(&point[1..33]),
        base64(&point[33..])
    );
    for (encoding, key) in [
        (KeyEncoding::Sec1, point),
        (KeyEncoding::RawXy, &point[1..]),
        (KeyEncoding::SpkiDer, spki.as_ref()),
        (KeyEncoding::Jwk, jwk.as_bytes()),
    ] {
        let statement = signed(&[b"head", key].concat());
        let at = span(4, key.len() as u32);
        let adopted = examination().adopt(&statement, at, encoding).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let algorithm = SignatureAlgorithm::EcdsaP256Sha256;
        let next = examination()
            .check(&adopted, algorithm, b"message".to_vec(), signature.as_ref())
            .unwrap();
        let operations: Vec<&str> = next.path().iter().map(|step| step.operation).collect();
        assert_eq!(operations, ["anchor", "chain", "check", "adopt", "check"]);
        assert!(next.may_bind(span(0, 7)) && !next.may_bind(span(0, 8)));
        assert_eq!(next.tee(), None);
        let short = span(4, key.len() as u32 - 1);
        assert!(examination().adopt(&statement, short, encoding).is_err());
    }
    let mut off_curve = point.to_vec();
    off_curve[40] ^= 1;
    let statement = signed(&off_curve);
    assert!(examination().adopt(&statement, span(0, 65), KeyEncoding::Sec1).is_err());
}

/// A sound forged report, and the examination that took it.
fn report(change: impl Fn(&mut Report)) -> (Examination, Statement) {
    let mut report = Report::of(Product::Milan);
    change(&mut report);
    let leaf = mint::vek(EndorsementKey::Vcek, Product::Milan, &report).der();
    let ask = mint::ask(Product::Milan).der();
    let authority = mint::trusting(Product::Milan).build().unwrap();
    let examination = Examination::new(Arc::new(authority), NOW);
    let statement = examination.snp(report.signed(), &[leaf, ask]).unwrap().statement;
    (examination, statement)
}

// attack 1
#[test]
fn what_the_hypervisor_chose_never_carries_a_challenge() {
    let digest = DigestAlgorithm::Sha256.digest(b"challenge");
    let digest: [u8; 32] = digest.as_ref().try_into().unwrap();
    let (examination, statement) = report(|report| {
        report.host_data = digest;
        report.report_data[..32].copy_from_slice(&digest);
    });
    let vouch = |at| {
        let blob = b"challenge".to_vec();
        examination.vouch(&statement, at, DigestAlgorithm::Sha256, blob)
    };
    let by_host = vouch(span(0xc0, 32)).unwrap();
    assert!(!by_host.may_bind(span(0, 9)), "HOST_DATA is the hypervisor's");
    let by_guest = vouch(span(0x50, 32)).unwrap();
    assert!(by_guest.may_bind(span(0, 9)));
    assert!(by_guest.simulated());
}

// attack 46
#[test]
fn no_key_or_digest_is_read_where_a_report_has_none() {
    let digest = DigestAlgorithm::Sha256.digest(b"blob");
    let (examination, statement) =
        report(|report| report.chip_id[..32].copy_from_slice(digest.as_ref()));
    // Even where it happens to stand: CHIP_ID is no digest of anything.
    let at = span(0x1a0, 32);
    let vouched = examination.vouch(&statement, at, DigestAlgorithm::Sha256, b"blob".to_vec());
    let Err(Fault::Untrusted(why)) = vouched else { panic!("{vouched:?}") };
    assert!(why.contains("holds no digest"), "{why}");
    let replayed =
        examination.replay(&statement, at, DigestAlgorithm::Sha256, digest.as_ref(), &[]);
    let Err(Fault::Untrusted(why)) = replayed else { panic!("{replayed:?}") };
    assert!(why.contains("is no register"), "{why}");
    for at in [span(0x90, 32), span(0xb0, 32), span(0x140, 32), span(0x1a0, 32), span(0xd0, 32)] {
        let outcome = examination.vouch(&statement, at, DigestAlgorithm::Sha256, Vec::new());
        assert!(matches!(outcome, Err(Fault::Untrusted(_))), "{at:?}");
    }
    for at in [span(0xc0, 64), span(0x1a0, 64), span(0x40, 64), span(0x51, 64)] {
        let outcome = examination.adopt(&statement, at, KeyEncoding::RawXy);
        assert!(matches!(outcome, Err(Fault::Untrusted(_))), "{at:?}");
    }
}

// attack 46
#[test]
fn a_report_checked_step_by_step_is_no_whole_report() {
    let mut report = Report::of(Product::Milan);
    let chosen = DigestAlgorithm::Sha512.digest(b"whatever the guest chose");
    report.report_data.copy_from_slice(chosen.as_ref());
    let leaf = mint::vek(EndorsementKey::Vcek, Product::Milan, &report).der();
    let ask = mint::ask(Product::Milan).der();
    let authority = mint::trusting(Product::Milan).build().unwrap();
    let examination = Examination::new(Arc::new(authority), NOW);
    let signer = examination.chain(&[leaf, ask], "amd").unwrap();
    assert!(signer.simulated());
    let check = |message: Vec<u8>| {
        let signature = mint::chip_key().sign(&SystemRandom::new(), &message).unwrap();
        let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
        examination.check(&signer, algorithm, message, signature.as_ref())
    };
    assert!(matches!(check(b"anything".to_vec()), Err(Fault::Malformed(_))));
    let statement = check(report.bytes()).unwrap();
    assert_eq!(statement.tee(), None);
    assert!(statement.facts().is_empty());
    // It would lend its REPORT_DATA to the facts of another report.
    assert!(!statement.may_bind(span(0x50, 64)));
    let vouched = examination.vouch(
        &statement,
        span(0x50, 64),
        DigestAlgorithm::Sha512,
        b"whatever the guest chose".to_vec(),
    );
    assert!(matches!(vouched, Err(Fault::Untrusted(_))));
    let adopted = examination.adopt(&statement, span(0x50, 64), KeyEncoding::RawXy);
    assert!(matches!(adopted, Err(Fault::Untrusted(_))));
}

#[test]
fn a_statement_descends_from_what_it_rests_on_and_from_nothing_like_it() {
    let message = DigestAlgorithm::Sha256.digest(b"blob").as_ref().to_vec();
    let (one, like_it) = (signed(&message), signed(&message));
    let vouch = |by| {
        examination().vouch(by, span(0, 32), DigestAlgorithm::Sha256, b"blob".to_vec()).unwrap()
    };
    let (of_one, twin) = (vouch(&one), vouch(&one));
    assert!(one.descends_from(&one) && one.descends_from(&one.clone()));
    assert!(of_one.descends_from(&one));
    assert!(!one.descends_from(&of_one));
    assert!(!one.descends_from(&like_it) && !of_one.descends_from(&like_it));
    assert!(!of_one.descends_from(&twin));
}

#[test]
fn a_trust_path_has_an_end() {
    let mut links = 0;
    let mut blob = vec![0; 32];
    // Each blob is the digest of the next; built backwards.
    let mut blobs = Vec::new();
    for _ in 0..20 {
        blobs.push(blob.clone());
        blob = DigestAlgorithm::Sha256.digest(&blob).as_ref().to_vec();
    }
    let mut statement = signed(&blob);
    for blob in blobs.into_iter().rev() {
        match examination().vouch(&statement, span(0, 32), DigestAlgorithm::Sha256, blob) {
            Ok(next) => statement = next,
            Err(fault) => {
                assert!(matches!(fault, Fault::Malformed(_)));
                assert_eq!(links, 13);
                return;
            }
        }
        links += 1;
    }
    panic!("no end");
}
