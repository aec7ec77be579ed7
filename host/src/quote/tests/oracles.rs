//! Independent implementations agree: `sev` on fields, RustCrypto on signatures.

use std::sync::Arc;

use p384::ecdsa::signature::DigestVerifier;
use p384::ecdsa::{Signature, VerifyingKey};
use proptest::prelude::*;
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;
use sha2::{Digest, Sha384};

use super::super::Examination;
use super::super::snp::layout::SIGNED;
use super::super::x509::Certificate;
use super::vectors::{Case, cases, genuine};

#[test]
fn sev_reads_the_same_fields() {
    for case in cases().iter().filter(|case| case.is_genuine()) {
        let Some(bytes) = case.report.clone() else {
            continue;
        };
        // It does not read reports with a masked chip id of version 2, and has no masked fact.
        let array: [u8; 1184] = bytes.clone().try_into().unwrap();
        let Ok(theirs) = AttestationReport::from_bytes(&array) else {
            continue;
        };
        let examination = Examination::new(Arc::new(case.authority()), case.at);
        let ours = examination.snp(bytes, &case.certificates).unwrap();
        assert_eq!(ours.version, theirs.version);
        assert_eq!(ours.guest_svn, theirs.guest_svn);
        assert_eq!(ours.vmpl, theirs.vmpl);
        assert_eq!(ours.policy, u64::from(theirs.policy));
        assert_eq!(ours.platform_info, u64::from(theirs.plat_info));
        assert_eq!(ours.report_data, theirs.report_data);
        assert_eq!(ours.measurement, theirs.measurement);
        assert_eq!(ours.host_data, theirs.host_data);
        assert_eq!(ours.id_key_digest, theirs.id_key_digest);
        assert_eq!(ours.author_key_digest, theirs.author_key_digest);
        assert_eq!(ours.report_id, theirs.report_id);
        assert_eq!(ours.report_id_ma, theirs.report_id_ma);
        assert_eq!(ours.chip_id, theirs.chip_id);
        assert_eq!(ours.cpuid.map(|cpu| cpu.family), theirs.cpuid_fam_id);
        assert_eq!(ours.cpuid.map(|cpu| cpu.model), theirs.cpuid_mod_id);
        assert_eq!(ours.cpuid.map(|cpu| cpu.stepping), theirs.cpuid_step);
        assert_eq!(ours.mitigations.map(|both| both.launch), theirs.launch_mit_vector);
        assert_eq!(ours.mitigations.map(|both| both.current), theirs.current_mit_vector);
        for (ours, theirs) in [
            (ours.reported_tcb, theirs.reported_tcb),
            (ours.committed_tcb, theirs.committed_tcb),
            (ours.current_tcb, theirs.current_tcb),
            (ours.launch_tcb, theirs.launch_tcb),
        ] {
            assert_eq!(ours.fmc, theirs.fmc);
            assert_eq!(ours.bootloader, theirs.bootloader);
            assert_eq!(ours.tee, theirs.tee);
            assert_eq!(ours.snp, theirs.snp);
            assert_eq!(ours.microcode, theirs.microcode);
        }
    }
}

/// What RustCrypto says of the signature alone.
fn rustcrypto_accepts(case: &Case, report: &[u8]) -> bool {
    let bundle = super::super::bundle::Bundle::brought(case.certificates.iter().map(Vec::as_slice));
    let leaf = Certificate::parse(&bundle.certificates[0].der).unwrap();
    let spki_end = leaf.key_point();
    let key = VerifyingKey::from_sec1_bytes(&spki_end).unwrap();
    let number = |at: usize| {
        let mut number: [u8; 48] = report[at..at + 48].try_into().unwrap();
        number.reverse();
        number
    };
    let Ok(signature) = Signature::from_scalars(number(SIGNED), number(SIGNED + 72)) else {
        return false;
    };
    let update = |digest: &mut Sha384| {
        Digest::update(digest, &report[..SIGNED]);
        Ok(())
    };
    key.verify_digest(update, &signature).is_ok()
}

impl Certificate {
    /// The last 97 bytes of a P-384 SubjectPublicKeyInfo.
    fn key_point(&self) -> Vec<u8> {
        let der = self.der();
        let oid = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00];
        let at = der.windows(oid.len()).position(|bytes| bytes == oid).unwrap() + oid.len();
        der[at..at + 97].to_vec()
    }
}

#[test]
fn rustcrypto_accepts_what_is_accepted_here() {
    for case in cases().iter().filter(|case| case.is_genuine()) {
        if let Some(report) = &case.report {
            assert!(rustcrypto_accepts(case, report), "{}", case.name);
        }
    }
}

// attack 16
#[test]
fn on_mutated_reports_nothing_is_accepted_that_rustcrypto_refuses() {
    let Some(case) = genuine() else { return };
    let examination = Examination::new(Arc::new(case.authority()), case.at);
    let report = case.report.clone().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 128,
        ..ProptestConfig::default()
    });
    let edits = proptest::collection::vec((0..SIGNED + 144, any::<u8>()), 0..4);
    let outcome = runner.run(&edits, |edits| {
        let mut altered = report.clone();
        for (at, byte) in edits {
            altered[at] = byte;
        }
        let theirs = rustcrypto_accepts(&case, &altered);
        let ours = examination.snp(altered.clone(), &case.certificates).is_ok();
        prop_assert!(!ours || theirs);
        prop_assert_eq!(ours, altered == report);
        Ok(())
    });
    outcome.unwrap();
}
