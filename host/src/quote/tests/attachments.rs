//! What comes with a report: in every wrapping, beside anything else, cold and warm.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use super::super::snp::{EndorsementKey, Product};
use super::super::{Authority, Examination, Fault, SnpReport, Step};
use super::mint::{self, Certificate, NOW, Report};

const MILAN: Product = Product::Milan;

fn vcek(report: &Report) -> Certificate {
    mint::vek(EndorsementKey::Vcek, MILAN, report)
}

fn trusting() -> Arc<Authority> {
    Arc::new(mint::trusting(MILAN).build().unwrap())
}

fn check(
    authority: &Arc<Authority>,
    report: &[u8],
    attachments: &[Vec<u8>],
) -> Result<SnpReport, Fault> {
    Examination::new(Arc::clone(authority), NOW).snp(report.to_vec(), attachments)
}

/// A report with the one attachment `beside`, and its key and issuer.
fn accepted_beside(beside: &[u8]) -> bool {
    let report = Report::of(MILAN);
    let own = [vcek(&report).der(), mint::ask(MILAN).der()];
    let before = [&[beside.to_vec()], own.as_slice()].concat();
    let after = [own.as_slice(), &[beside.to_vec()]].concat();
    let report = report.signed();
    [before, after].iter().all(|attachments| check(&trusting(), &report, attachments).is_ok())
}

fn pem(der: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn table(entries: &[&[u8]]) -> Vec<u8> {
    let mut offset = 24 * (entries.len() + 1);
    let mut table = Vec::new();
    for entry in entries {
        table.extend_from_slice(&[7; 16]);
        table.extend_from_slice(&(offset as u32).to_le_bytes());
        table.extend_from_slice(&(entry.len() as u32).to_le_bytes());
        offset += entry.len();
    }
    table.extend_from_slice(&[0; 24]);
    table.extend(entries.concat());
    table
}

/// A P-384 key that signed nothing here.
fn other_spki() -> Vec<u8> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    spki.as_ref().to_vec()
}

#[test]
fn whatever_else_comes_along_is_passed_over() {
    for foreign in [
        &b""[..],
        b"{\"events\": []}",
        b"0 a log\n",
        b"# README\n",
        &[0; 4096],
        &[0xff; 4096],
        &[0x30, 0x82, 0x10, 0x00, 0x30],
        b"-----BEGIN CERTIFICATE-----\nMAA=\n",
        b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
        // PKCS #7 signedData, as in a .p7b.
        &[0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02],
    ] {
        assert!(accepted_beside(foreign), "{:?}", String::from_utf8_lossy(foreign));
    }
}

#[test]
fn certificates_that_cannot_be_read_are_passed_over() {
    let stranger = mint::authority("Other", mint::STRANGER, "Other", mint::STRANGER);
    let with = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = stranger.clone();
        change(&mut certificate);
        certificate.der()
    };
    let pkcs1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    let rsa =
        |arc: u8| mint::sequence(&[&mint::tlv(0x06, &[&pkcs1[..], &[arc]].concat()), &[5, 0]]);
    let spki = |identifier: &[u8], key: &[u8]| {
        mint::sequence(&[identifier, &mint::tlv(0x03, &[&[0], key].concat())])
    };
    let ec = mint::tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]);
    let secp256k1 = mint::sequence(&[&ec, &mint::tlv(0x06, &[0x2b, 0x81, 0x04, 0x00, 0x0a])]);
    let modulus = mint::tlv(0x02, &[&[0x00, 0xc1][..], &[0x55; 127]].concat());
    let small = mint::sequence(&[&modulus, &mint::tlv(0x02, &[1, 0, 1])]);
    let validity =
        mint::sequence(&[&mint::moment(stranger.not_before), &mint::moment(stranger.not_after)]);
    // Version 1 has no version.
    let version_1 = mint::sequence(&[
        &mint::integer(5),
        &rsa(11),
        &mint::name("Old"),
        &validity,
        &mint::name("Old"),
        &stranger.spki,
    ]);
    let version_1 = mint::sequence(&[&version_1, &rsa(11), &mint::tlv(0x03, &[0, 1])]);
    for (what, unread) in [
        ("unknown critical", with(&|one| one.extensions.push((vec![0x2a, 3], true, vec![5, 0])))),
        ("SHA-1", with(&|one| one.algorithm = rsa(5))),
        ("secp256k1", with(&|one| one.spki = spki(&secp256k1, &[4; 65]))),
        ("RSA-1024", with(&|one| one.spki = spki(&rsa(1), &small))),
        ("version 1", version_1),
    ] {
        let alone = check(&trusting(), &Report::of(MILAN).signed(), std::slice::from_ref(&unread));
        assert!(alone.is_err(), "{what}");
        assert!(accepted_beside(&unread), "{what}");
    }
}

#[test]
fn a_key_alone_that_cannot_be_read_says_why() {
    let report = Report::of(MILAN);
    let leaf = vcek(&report).der();
    let alone = |attachment: &[u8]| {
        check(&trusting(), &report.signed(), &[attachment.to_vec()]).map(|_| ())
    };
    assert!(matches!(alone(&leaf[..leaf.len() - 1]), Err(Fault::Malformed(_))));
    let cut = pem(&leaf).replace("-----END", "");
    assert!(matches!(alone(cut.as_bytes()), Err(Fault::Malformed(_))));
    let Err(Fault::Unavailable(text)) = alone(b"a log") else { panic!("another fault") };
    assert!(text.contains("VCEK certificate") && text.contains("1 of what came along"), "{text}");
}

#[test]
fn a_chain_is_found_in_every_wrapping() {
    let report = Report::of(MILAN);
    let (leaf, ask, ark) = (vcek(&report).der(), mint::ask(MILAN).der(), mint::ark(MILAN).der());
    let text = |before: &str| [&leaf, &ask, &ark].map(|der| before.to_owned() + &pem(der)).concat();
    let both = [ask.clone(), ark.clone()].concat();
    for wrapped in [
        vec![text("").into_bytes()],
        vec![text("\u{feff}").into_bytes()],
        vec![text("Bag Attributes\n    localKeyID: 01\nsubject=CN = SEV\n").into_bytes()],
        vec![text("Certificate:\n    Data:\n        Version: 3 (0x2)\n").into_bytes()],
        vec![text("").replace('\n', "\r\n").into_bytes()],
        vec![table(&[&leaf, &ask, &ark])],
        vec![table(&[pem(&leaf).as_bytes(), b"{}", pem(&ask).as_bytes()])],
        vec![table(&[&leaf, &both])],
        vec![[leaf.clone(), both].concat()],
        vec![[ark.clone(), ask.clone()].concat(), leaf.clone()],
        vec![leaf, ask, ark],
    ] {
        let authority = trusting();
        for _ in 0..2 {
            let outcome = check(&authority, &report.signed(), &wrapped);
            assert!(outcome.is_ok(), "{:?}", String::from_utf8_lossy(&wrapped[0]));
        }
    }
}

/// What a checked report comes to: trust path, expiry, kind of key.
fn outcome(checked: Result<SnpReport, Fault>) -> Result<(Vec<Step>, u64, EndorsementKey), Fault> {
    checked.map(|report| {
        let statement = report.statement;
        (statement.path(), statement.expires().0, report.endorsement_key)
    })
}

// invariant 11
#[test]
fn what_is_cached_never_changes_an_answer() {
    let new = Report::of(MILAN);
    let mut old = new.clone();
    old.reported_tcb.microcode -= 1;
    let provided = Report { key_info: 1 << 2, ..new.clone() };
    let mut other_chip = new.clone();
    other_chip.chip_id[5] ^= 1;
    let vlek = mint::vek(EndorsementKey::Vlek, MILAN, &provided).der();
    let [of_new, of_old, of_other] = [&new, &old, &other_chip].map(|report| vcek(report).der());
    let mut again = vcek(&new);
    again.serial = vec![9];
    again.not_after.0 -= 1;
    let again = again.der();
    let (ask, asvk) = (mint::ask(MILAN).der(), mint::asvk(MILAN).der());
    let mut second_ask = mint::ask(MILAN);
    second_ask.serial = vec![8];
    let second_ask = second_ask.der();
    let unreadable = vec![0x30, 0x82, 0xff];
    let mut crowd: Vec<Vec<u8>> = (10..20)
        .map(|byte| {
            let mut report = new.clone();
            report.chip_id[0] = byte;
            vcek(&report).der()
        })
        .collect();
    crowd.extend([ask.clone(), of_new.clone()]);
    let bundles = [
        vec![table(&[&of_new, &vlek]), ask.clone(), asvk.clone()],
        vec![table(&[&vlek, &of_new, &asvk, &ask])],
        vec![of_old.clone(), of_new.clone(), ask.clone()],
        vec![of_new.clone(), of_old.clone(), ask.clone()],
        vec![of_other.clone(), of_old.clone(), ask.clone()],
        vec![again.clone(), of_new.clone(), ask.clone()],
        vec![of_new.clone(), again.clone(), ask.clone()],
        vec![of_new.clone(), second_ask.clone(), ask.clone()],
        vec![of_new.clone(), ask.clone(), second_ask.clone()],
        vec![of_new.clone(), asvk.clone()],
        vec![unreadable, of_new.clone(), ask.clone()],
        crowd,
        vec![of_other.clone()],
        Vec::new(),
    ];
    let reports = [&new, &old, &provided, &other_chip].map(Report::signed);
    let warm = trusting();
    let alone = [of_new, of_old, vlek, of_other, again];
    for (leaf, issuer) in alone.iter().flat_map(|leaf| [(leaf, &ask), (leaf, &asvk)]) {
        for report in &reports {
            let _ = check(&warm, report, &[leaf.clone(), issuer.clone()]);
        }
    }
    let mut accepted = 0;
    // Twice, so that each bundle meets what all bundles left in the cache.
    for bundle in bundles.iter().chain(&bundles) {
        for (index, report) in reports.iter().enumerate() {
            let cold = outcome(check(&trusting(), report, bundle));
            assert_eq!(outcome(check(&warm, report, bundle)), cold, "{index}");
            accepted += usize::from(cold.is_ok());
        }
    }
    // Per round: both kinds of key in two bundles, both TCBs in two, another chip and the old TCB,
    // the new TCB in six.
    assert_eq!(accepted, 2 * (4 + 4 + 2 + 6));
}

// attack 20
#[test]
fn of_several_keys_that_fit_a_masked_chip_the_one_that_signed_is_found() {
    let masked = Report { chip_id: [0; 64], ..Report::of(MILAN) };
    let signed = masked.signed();
    let others: Vec<Vec<u8>> = (1..5)
        .map(|byte| {
            let mut leaf = vcek(&Report { chip_id: [byte; 64], ..masked.clone() });
            leaf.spki = other_spki();
            leaf.der()
        })
        .collect();
    let own = vcek(&Report { chip_id: [9; 64], ..masked }).der();
    let ask = mint::ask(MILAN).der();
    let bundle = [others.as_slice(), &[own.clone(), ask.clone()]].concat();
    let authority = trusting();
    for _ in 0..2 {
        assert!(check(&authority, &signed, &bundle).is_ok());
    }
    let mut builder = mint::trusting(MILAN).certificate(ask.clone());
    for leaf in &bundle {
        builder = builder.certificate(leaf.clone());
    }
    assert!(check(&Arc::new(builder.build().unwrap()), &signed, &[]).is_ok(), "the operator's");
    let without = [others.as_slice(), &[ask]].concat();
    assert_eq!(check(&trusting(), &signed, &without).map(|_| ()), Err(Fault::BadSignature));
}

// attack 35
#[test]
fn one_report_costs_a_bounded_number_of_signature_checks() {
    let report = Report::of(MILAN);
    let signed = report.signed();
    let (own, ask) = (vcek(&report).der(), mint::ask(MILAN).der());
    let outcome =
        |certificates: Vec<Vec<u8>>| check(&trusting(), &signed, &certificates).map(|_| ());
    let forged = |number: u8, mut certificate: Certificate| {
        certificate.serial = vec![number];
        certificate.signer = mint::STRANGER;
        certificate.der()
    };
    let leaves = |count: u8| (0..count).map(|number| forged(number, vcek(&report)));
    let keys = |count| leaves(count).chain([own.clone(), ask.clone()]).collect();
    assert_eq!(outcome(keys(7)), Ok(()));
    assert!(matches!(outcome(keys(8)), Err(Fault::Malformed(_))));
    let issuers = |count: u8| {
        let forged = (0..count).map(|number| forged(number, mint::ask(MILAN)));
        forged.chain([ask.clone(), own.clone()]).collect()
    };
    assert_eq!(outcome(issuers(3)), Ok(()));
    assert!(outcome(issuers(4)).is_err());
}

#[test]
fn authorities_and_keys_of_others_do_not_count() {
    let report = Report::of(MILAN);
    let mut certificates: Vec<Vec<u8>> = (0..9)
        .flat_map(|number| {
            let name = format!("Authority {number}");
            let mut leaf = vcek(&Report { chip_id: [number; 64], ..report.clone() });
            leaf.serial = vec![number + 1];
            [mint::authority(&name, mint::STRANGER, &name, mint::STRANGER).der(), leaf.der()]
        })
        .collect();
    certificates.extend([mint::ask(MILAN).der(), vcek(&report).der()]);
    // A chip id of zeros would fit.
    let mut not_masked = report;
    not_masked.chip_id[0] ^= 1;
    assert!(check(&trusting(), &Report::of(MILAN).signed(), &certificates).is_ok());
    assert!(check(&trusting(), &not_masked.signed(), &certificates).is_err());
}

#[test]
fn an_operator_may_supply_any_number_of_certificates_and_their_chains_are_checked_once() {
    let reports: Vec<Report> = (0..80)
        .map(|number| {
            let mut report = Report::of(MILAN);
            report.chip_id[7] = number;
            report
        })
        .collect();
    let leaves: Vec<Vec<u8>> = reports.iter().map(|report| vcek(report).der()).collect();
    let (one_by_one, together) = leaves.split_at(40);
    let mut builder = mint::trusting(MILAN).certificate(mint::ask(MILAN).der());
    for leaf in one_by_one {
        builder = builder.certificate(leaf.clone());
    }
    let text: String = together.iter().map(|leaf| pem(leaf)).collect();
    let authority = Arc::new(builder.certificate(text).build().unwrap());
    for report in [&reports[0], &reports[79]] {
        let first = check(&authority, &report.signed(), &[]).unwrap();
        let second = check(&authority, &report.signed(), &[]).unwrap();
        assert!(std::ptr::eq(first.endorser.parts(), second.endorser.parts()));
    }
}
