//! Quotes of a TPM of software, enrolled or not, honest or not.

use std::sync::{Arc, LazyLock};

use claviger::claim::Value;
use claviger::error::{Code, Refusal};
use claviger::flow::Verified;
use claviger::quote::{Authority, Revocation};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use super::bench::Bench;
use claviger_tests::minted::event_log::{Log, secure_boot_variable};
use claviger_tests::minted::tpm::{Quote, Tpm, sha256};

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::of("verifier-tpm"));

/// Trusts this TPM's key, as an operator enrolls it.
fn enrolled(tpm: &Tpm) -> Arc<Authority> {
    let builder = Authority::builder().revocation(Revocation::Waived);
    Arc::new(builder.pin("tpm", &[], tpm.public_key()).build().unwrap())
}

fn verify(tpm: &Tpm, evidence: &serde_json::Value) -> Result<Verified, Refusal> {
    BENCH.verify(&enrolled(tpm), &evidence.to_string())
}

fn code(outcome: Result<Verified, Refusal>) -> Option<Code> {
    outcome.err().map(|refusal| refusal.code)
}

fn claim(verified: &Verified, name: &str) -> Option<Value> {
    verified.claims().iter().find(|claim| claim.name == name).map(|claim| claim.value.clone())
}

#[test]
fn an_enrolled_key_vouches_for_each_pcr() {
    let mut tpm = Tpm::new();
    tpm.pcrs[7] = [0x77; 32];
    let verified = verify(&tpm, &tpm.evidence(&Quote::default())).unwrap();
    let fingerprint = sha256(&tpm.public_key()).to_vec();
    assert_eq!(claim(&verified, "tpm.ak_fingerprint"), Some(Value::Bytes(fingerprint)));
    assert_eq!(claim(&verified, "tpm.pcr7"), Some(Value::Bytes(vec![0x77; 32])));
    assert_eq!(claim(&verified, "tpm.nonce"), Some(Value::Bytes(vec![7; 32])));
    assert_eq!(claim(&verified, "tpm.ak"), Some(Value::Text("enrolled".into())));
    assert_eq!(claim(&verified, "tpm.firmware_version"), Some(Value::Unsigned(5)));
    assert_eq!(verified.tee(), "tpm");
}

// attack 14
#[test]
fn a_key_that_only_vouches_for_itself_is_refused() {
    let (tpm, other) = (Tpm::new(), Tpm::new());
    let evidence = tpm.evidence(&Quote::default());
    assert_eq!(code(verify(&other, &evidence)), Some(Code::EvidenceUntrusted));
    // It says that it is the enrolled one.
    let mut borrowed = evidence;
    borrowed["ak_public"] = BASE64.encode(&other.public_key()).into();
    assert_eq!(code(verify(&other, &borrowed)), Some(Code::EvidenceSignature));
    // Nobody is enrolled.
    let nobody = Arc::new(Authority::builder().build().unwrap());
    let evidence = tpm.evidence(&Quote::default()).to_string();
    assert_eq!(code(BENCH.verify(&nobody, &evidence)), Some(Code::EvidenceUntrusted));
}

#[test]
fn what_is_no_quote_is_refused_though_it_is_signed() {
    let tpm = Tpm::new();
    for quote in [
        Quote { magic: 0xff54_4346, ..Quote::default() },
        // TPM_ST_ATTEST_CERTIFY.
        Quote { kind: 0x8017, ..Quote::default() },
        Quote { selected: Vec::new(), ..Quote::default() },
    ] {
        assert_eq!(code(verify(&tpm, &tpm.evidence(&quote))), Some(Code::EvidenceMalformed));
    }
    let message = [tpm.message(&Quote::default()), vec![0]].concat();
    let mut longer = tpm.evidence(&Quote::default());
    longer["quote"] = BASE64.encode(&message).into();
    longer["signature"] = BASE64.encode(&tpm.sign(&message)).into();
    assert_eq!(code(verify(&tpm, &longer)), Some(Code::EvidenceMalformed));
}

#[test]
fn a_value_that_the_quote_does_not_cover_is_refused() {
    let tpm = Tpm::new();
    let quote = Quote { selected: vec![0, 4], ..Quote::default() };
    let evidence = tpm.evidence(&quote);
    let verified = verify(&tpm, &evidence).unwrap();
    assert_eq!(claim(&verified, "tpm.pcr7"), None);
    let mut more = evidence.clone();
    more["pcrs"]["sha256"]["7"] = "00".repeat(32).into();
    assert_eq!(code(verify(&tpm, &more)), Some(Code::EvidenceMalformed));
    let mut missing = evidence.clone();
    missing["pcrs"]["sha256"].as_object_mut().unwrap().remove("4");
    assert_eq!(code(verify(&tpm, &missing)), Some(Code::EvidenceMalformed));
    let mut other = evidence;
    other["pcrs"]["sha256"]["4"] = "01".repeat(32).into();
    assert_eq!(code(verify(&tpm, &other)), Some(Code::EvidenceUntrusted));
}

#[test]
fn a_log_counts_where_it_leads_to_the_quoted_values() {
    for secure_boot in [true, false] {
        let log = Log::sound(secure_boot);
        let tpm = Tpm::started_by(log.entries());
        let mut evidence = tpm.evidence(&Quote::default());
        evidence["event_log"] = BASE64.encode(&log.bytes()).into();
        let verified = verify(&tpm, &evidence).unwrap();
        assert_eq!(claim(&verified, "tpm.secure_boot"), Some(Value::Flag(secure_boot)));
        assert_eq!(claim(&verified, "tpm.boot_completed"), Some(Value::Flag(true)));
        let loader = HEXLOWER.encode(&sha256(b"loader"));
        let texts = |text: &str| Some(Value::Texts(vec![text.to_owned()]));
        assert_eq!(claim(&verified, "eventlog.application"), texts(&loader));
        let line = format!("EV_EFI_BOOT_SERVICES_APPLICATION {loader}");
        assert_eq!(claim(&verified, "eventlog.pcr4"), texts(&line));
        assert_eq!(claim(&verified, "eventlog.secure_boot"), Some(Value::Flag(secure_boot)));
        assert_eq!(claim(&verified, "eventlog.cmdline"), texts("quiet splash"));
        assert_eq!(claim(&verified, "eventlog.kernel"), texts(&"0c".repeat(32)));
    }
}

#[test]
fn a_log_of_another_start_is_refused() {
    let log = Log::sound(true);
    let tpm = Tpm::started_by(log.entries());
    let evidence = |log: &Log| {
        let mut evidence = tpm.evidence(&Quote::default());
        evidence["event_log"] = BASE64.encode(&log.bytes()).into();
        evidence
    };
    let mut shorter = log.clone();
    shorter.0.remove(3);
    assert_eq!(code(verify(&tpm, &evidence(&shorter))), Some(Code::EvidenceUntrusted));
    let mut other = log.clone();
    other.0[2].2[0] ^= 1;
    assert_eq!(code(verify(&tpm, &evidence(&other))), Some(Code::EvidenceUntrusted));
    let mut swapped = log;
    let digest = swapped.0[0].2;
    swapped.0.push((0, 8, digest, Vec::new()));
    assert_eq!(code(verify(&tpm, &evidence(&swapped))), Some(Code::EvidenceUntrusted));
}

#[test]
fn what_an_event_says_is_not_believed_where_its_digest_is_of_something_else() {
    let log = Log::sound(false);
    let tpm = Tpm::started_by(log.entries());
    let mut lie = log;
    // The digest stays, which the PCR proves; the words change.
    *lie.0[1].3.last_mut().unwrap() = 1;
    lie.0[4].3 = b"kernel_cmdline: quiet init=/bin/sh\0".to_vec();
    lie.0[3].3 = b"Exit Boot Services Invocation".to_vec();
    let mut evidence = tpm.evidence(&Quote::default());
    evidence["event_log"] = BASE64.encode(&lie.bytes()).into();
    let verified = verify(&tpm, &evidence).unwrap();
    assert_eq!(claim(&verified, "tpm.secure_boot"), None);
    assert_eq!(claim(&verified, "eventlog.secure_boot"), None);
    assert_eq!(claim(&verified, "eventlog.cmdline"), None);
    assert_eq!(claim(&verified, "tpm.boot_completed"), Some(Value::Flag(false)));
}

// attack 39
#[test]
fn what_is_measured_after_the_firmwares_separator_says_nothing_of_secure_boot() {
    let mut log = Log::sound(false);
    let forged = secure_boot_variable(true);
    let forged = (7, 0x8000_0001, sha256(&forged), forged);
    // Whoever runs the machine extends PCR 7 by the variable as he would have it, and tells the true one as
    // something else: neither is proved.
    log.0.push(forged.clone());
    let tpm = Tpm::started_by(log.entries());
    let secure_boot = |log: &Log| {
        let mut evidence = tpm.evidence(&Quote::default());
        evidence["event_log"] = BASE64.encode(&log.bytes()).into();
        let verified = verify(&tpm, &evidence).unwrap();
        ["tpm.secure_boot", "eventlog.secure_boot"].map(|name| claim(&verified, name))
    };
    let (no, none) = ([Some(Value::Flag(false)), Some(Value::Flag(false))], [None, None]);
    assert_eq!(secure_boot(&log), no);
    for other in [5, 0x8000_00e0] {
        log.0[1].1 = other;
        assert_eq!(secure_boot(&log), none);
    }
    log.0[1].1 = 0x8000_0001;
    log.0[1].3 = forged.3.clone();
    assert_eq!(secure_boot(&log), none);
    // Nor does it help to call the separator something else: its digest tells.
    log.0[6].1 = 5;
    log.0[6].3 = b"something else".to_vec();
    assert_eq!(secure_boot(&log), none);
}

#[test]
fn without_a_separator_nothing_is_known_of_secure_boot() {
    let mut log = Log::sound(true);
    log.0.pop();
    let tpm = Tpm::started_by(log.entries());
    let mut evidence = tpm.evidence(&Quote::default());
    evidence["event_log"] = BASE64.encode(&log.bytes()).into();
    let verified = verify(&tpm, &evidence).unwrap();
    assert_eq!(claim(&verified, "tpm.secure_boot"), None);
}

#[test]
fn a_log_alone_is_no_evidence() {
    let nobody = Arc::new(Authority::builder().build().unwrap());
    let media_type = Some("application/vnd.tcg.pcclient-eventlog".to_owned());
    let log = Log::sound(true).bytes();
    let outcome =
        BENCH.verify_at(&nobody, media_type, &log, Vec::new(), claviger::clock::Timestamp(1));
    assert_eq!(code(outcome), Some(Code::EvidenceUnsupported));
}

#[test]
fn evidence_cut_anywhere_is_refused() {
    let tpm = Tpm::new();
    let text = tpm.evidence(&Quote::default()).to_string();
    let authority = enrolled(&tpm);
    for length in (0..text.len()).step_by(7) {
        assert_eq!(
            code(BENCH.verify(&authority, &text[..length])),
            Some(Code::EvidenceMalformed),
            "{length}"
        );
    }
    assert_eq!(
        code(BENCH.verify(&authority, &json!({}).to_string())),
        Some(Code::EvidenceMalformed)
    );
}
