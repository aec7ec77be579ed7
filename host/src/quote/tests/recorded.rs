//! Recorded evidence gets the verdict that independent verifiers gave it.

use std::sync::Arc;

use super::super::bundle::Bundle;
use super::super::snp::layout::SIGNED;
use super::super::x509::Certificate;
use super::super::{Examination, Fault, Span};
use super::vectors::{Case, cases, genuine};
use crate::claim::Value;

#[test]
fn recorded_evidence_gets_its_verdict_natively() {
    for case in cases() {
        let verdict = judge(&case);
        assert_eq!(verdict, Ok(()), "{}", case.name);
    }
}

fn judge(case: &Case) -> Result<(), String> {
    let examination = Examination::new(Arc::new(case.authority()), case.at);
    let Some(report) = case.report.clone() else {
        let leads = |root: &Vec<u8>| {
            let root = pem(std::str::from_utf8(root).unwrap());
            examination.chain(&[case.certificates[0].clone(), root], "amd").is_ok()
        };
        let leads = case.roots.iter().any(leads);
        return if leads { Ok(()) } else { Err("the certificate leads to no root".to_owned()) };
    };
    let outcome = examination.snp(report, &case.certificates);
    match (outcome, case.is_genuine()) {
        (Ok(report), true) => fields_agree(case, &report),
        (Err(_), false) => Ok(()),
        (Ok(_), false) => Err("accepted".to_owned()),
        (Err(fault), true) => Err(fault.to_string()),
    }
}

fn pem(text: &str) -> Vec<u8> {
    let body: String = text.lines().filter(|line| !line.starts_with("---")).collect();
    data_encoding::BASE64.decode(body.as_bytes()).unwrap()
}

fn fields_agree(case: &Case, report: &super::super::SnpReport) -> Result<(), String> {
    let fields = &case.expected["fields"];
    let fact = |name: &str| {
        let facts = report.statement.facts();
        facts.iter().find(|claim| claim.name == name).map(|claim| claim.value.clone())
    };
    let number = |name: &str| match fact(name) {
        Some(Value::Unsigned(number)) => Some(number),
        _ => None,
    };
    let hex = |name: &str| match fact(name) {
        Some(Value::Bytes(bytes)) => Some(data_encoding::HEXLOWER.encode(&bytes)),
        _ => None,
    };
    for name in ["version", "vmpl", "guest_svn"] {
        if differs(fields[name].as_u64(), number(&format!("snp.{name}"))) {
            return Err(format!("{name} differs"));
        }
    }
    for name in ["policy", "platform_info"] {
        let text = number(&format!("snp.{name}")).map(|number| format!("{number:#x}"));
        if differs(fields[name].as_str(), text.as_deref()) {
            return Err(format!("{name} differs"));
        }
    }
    if differs(fields["debug"].as_bool().map(Value::Flag), fact("snp.policy_debug")) {
        return Err("debug differs".to_owned());
    }
    for name in [
        "report_data",
        "measurement",
        "host_data",
        "id_key_digest",
        "author_key_digest",
        "report_id",
        "family_id",
        "image_id",
    ] {
        if differs(fields[name].as_str(), hex(&format!("snp.{name}")).as_deref()) {
            return Err(format!("{name} differs"));
        }
    }
    let masked = fields["chip_id"].as_str().map(|id| id.bytes().all(|digit| digit == b'0'));
    if differs(masked.map(Value::Flag), fact("snp.chip_id_masked"))
        || differs(masked, Some(fact("snp.chip_id").is_none()))
    {
        return Err("chip_id differs".to_owned());
    }
    for which in ["reported", "committed", "current", "launch"] {
        for (ours, theirs) in [
            ("fmc", "fmc"),
            ("bootloader", "bl"),
            ("tee", "tee"),
            ("snp", "snp"),
            ("microcode", "ucode"),
        ] {
            let expected = fields[format!("{which}_tcb")][theirs].as_u64();
            if differs(expected, number(&format!("snp.{which}_tcb_{ours}"))) {
                return Err(format!("{which}_tcb.{ours} differs"));
            }
        }
    }
    for (part, name) in ["family", "model", "stepping"].into_iter().enumerate() {
        let expected = fields["cpuid_fam_mod_step"][part].as_u64();
        if differs(expected, number(&format!("snp.cpuid_{name}"))) {
            return Err(format!("cpuid {name} differs"));
        }
    }
    Ok(())
}

/// Whether a field that the case has is another here.
fn differs<T: PartialEq>(expected: Option<T>, found: Option<T>) -> bool {
    expected.is_some() && expected != found
}

// attack 16
#[test]
fn a_flip_of_any_signed_or_signature_bit_is_refused() {
    let Some(case) = genuine() else { return };
    let examination = Examination::new(Arc::new(case.authority()), case.at);
    let report = case.report.clone().unwrap();
    examination.snp(report.clone(), &case.certificates).unwrap();
    for bit in 0..report.len() * 8 {
        let mut altered = report.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let outcome = examination.snp(altered, &case.certificates);
        assert!(outcome.is_err(), "bit {bit}");
    }
}

// attack 16
#[test]
fn a_report_of_any_other_length_is_refused() {
    let Some(case) = genuine() else { return };
    let examination = Examination::new(Arc::new(case.authority()), case.at);
    let report = case.report.clone().unwrap();
    for length in [0, 1, 4, SIGNED, SIGNED + 144, 1183] {
        let outcome = examination.snp(report[..length].to_vec(), &case.certificates);
        assert!(matches!(outcome, Err(Fault::Malformed(_))), "{length}");
    }
    let longer = [report.as_slice(), &[0]].concat();
    assert!(matches!(examination.snp(longer, &case.certificates), Err(Fault::Malformed(_))));
}

#[test]
fn a_statement_holds_only_what_was_signed_and_binds_only_report_data() {
    let Some(case) = genuine() else { return };
    let examination = Examination::new(Arc::new(case.authority()), case.at);
    let report = examination.snp(case.report.clone().unwrap(), &case.certificates).unwrap();
    let statement = report.statement;
    let span = |start, length| Span { start, length };
    assert_eq!(statement.bytes().len(), SIGNED);
    assert!(statement.read(span(0x2a0, 1)).is_err());
    assert_eq!(statement.tee(), Some("snp"));
    assert!(!statement.simulated());
    assert!(statement.may_bind(span(0x50, 64)));
    assert!(statement.may_bind(span(0x8f, 1)));
    for outside in [span(0x4f, 1), span(0x50, 65), span(0x90, 48), span(0xc0, 32), span(0x50, 0)] {
        assert!(!statement.may_bind(outside), "{outside:?}");
    }
    let operations: Vec<&str> = statement.path().iter().map(|step| step.operation).collect();
    assert_eq!(operations, ["anchor", "chain", "snp"]);
    eprintln!("{:#?}", statement.path());
}

#[test]
fn certificates_are_known_in_every_wrapping() {
    let Some(case) = genuine() else { return };
    let report = case.report.clone().unwrap();
    let leaf = match case.certificates[0].starts_with(b"-----") {
        true => pem(std::str::from_utf8(&case.certificates[0]).unwrap()),
        false => case.certificates[0].clone(),
    };
    let text = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        data_encoding::BASE64.encode(&leaf)
    );
    let mut table = vec![9u8; 16];
    table.extend_from_slice(&48u32.to_le_bytes());
    table.extend_from_slice(&u32::try_from(leaf.len()).unwrap().to_le_bytes());
    table.extend_from_slice(&[0; 24]);
    table.extend_from_slice(&leaf);
    let padded = [leaf.as_slice(), &[0; 100]].concat();
    for wrapped in [leaf, text.into_bytes(), table, padded] {
        let cold = Examination::new(Arc::new(case.authority()), case.at);
        for _ in 0..2 {
            cold.snp(report.clone(), std::slice::from_ref(&wrapped)).unwrap();
        }
    }
    let nothing = Examination::new(Arc::new(case.authority()), case.at).snp(report, &[]);
    assert!(matches!(nothing, Err(Fault::Unavailable(_))));
}

// attack 23
#[test]
fn a_genuine_chain_outside_its_dates_is_refused_even_when_cached() {
    let Some(case) = genuine() else { return };
    let authority = Arc::new(case.authority());
    let certificate = &case.certificates[..1];
    let check = |at: u64| {
        let examination = Examination::new(Arc::clone(&authority), crate::clock::Timestamp(at));
        examination.snp(case.report.clone().unwrap(), certificate).map(|_| ())
    };
    let bundle = Bundle::brought(certificate.iter().map(Vec::as_slice));
    let start = Certificate::parse(&bundle.certificates[0].der).unwrap().not_before.0;
    assert_eq!(check(start), Ok(()));
    assert!(matches!(check(start - 1), Err(Fault::Expired(_))));
    assert!(matches!(check(start + 20 * 31_557_600), Err(Fault::Expired(_))));
    assert_eq!(check(start + 1), Ok(()));
}

#[test]
fn the_built_in_roots_are_those_that_amd_publishes() {
    let Some(folder) = claviger_tests::vectors::folder() else { return };
    let folder = folder.join("roots/amd");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no roots of AMD's at {}", folder.display());
        return;
    }
    for family in super::super::snp::family::Family::published().unwrap() {
        let product = family.product.name().to_lowercase();
        let published = ["ark", "ask", "asvk"].map(|name| {
            let path = folder.join(format!("{product}/{name}.pem"));
            pem(&std::fs::read_to_string(path).unwrap())
        });
        let ours: Vec<&[u8]> = family.certificates().map(|certificate| certificate.der()).collect();
        assert_eq!(ours, published);
    }
}
