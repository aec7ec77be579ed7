//! Verdicts of plugins that lie, made from handles that the host really hands out.

use std::sync::{Arc, OnceLock};

use super::*;
use crate::claim::Value;
use crate::plugin::Trustworthiness;
use crate::quote::snp::Product;
use crate::quote::{
    Authority, DigestAlgorithm, Examination, KeyEncoding, Revocation, SignatureAlgorithm,
    SnpReport, Span,
};
use crate::simulated::{Family, SimulatedGuest, hardware_id};

const NOW: Timestamp = Timestamp(1_800_000_000);
const FIELD: Span = Span { start: 0x50, length: 64 };

fn family() -> &'static Family {
    static FAMILY: OnceLock<Family> = OnceLock::new();
    FAMILY.get_or_init(|| Family::mint(Product::Genoa, NOW).unwrap())
}

/// Two guests on two chips: the one whose workload is approved, and the attacker's own.
fn guests() -> [SimulatedGuest; 2] {
    [0, 1].map(|number| {
        let mut template = family().chip_template();
        template.hardware_id = hardware_id(Product::Genoa, number);
        SimulatedGuest::new(family().chip(&template).unwrap())
    })
}

fn examination() -> Examination {
    let authority = Authority::builder()
        .revocation(Revocation::Waived)
        .simulated_root(family().ark().to_vec())
        .certificate(family().ask().to_vec());
    Examination::new(Arc::new(authority.build().unwrap()), NOW)
}

fn read(examination: &Examination, guest: &SimulatedGuest, data: [u8; 64]) -> SnpReport {
    examination.snp(guest.report(data).to_vec(), &guest.attachments).unwrap()
}

fn verdict(statements: &[&Statement], statement: usize, at: Span) -> Verdict {
    Verdict {
        statements: statements.iter().map(|one| (*one).clone()).collect(),
        bindings: vec![Binding {
            statement,
            at,
            carries: Carries::ChallengeDigest(DigestAlgorithm::Sha512),
        }],
        claims: Vec::new(),
        trustworthiness: Trustworthiness { hardware: Some(2), ..Trustworthiness::default() },
    }
}

fn judge(tee: &str, verdict: Verdict) -> Result<Verified, Code> {
    let verifier = VerifierIdentity { name: "liar".into(), digest: String::new() };
    gate(tee, verdict, verifier, Digest::of(b"")).map_err(|refusal| refusal.code)
}

fn refused(verdict: Verdict) {
    assert_eq!(judge("snp", verdict).unwrap_err(), Code::PluginFailed);
}

#[test]
fn one_whole_report_bound_by_the_whole_of_its_report_data_passes() {
    let [victim, _] = guests();
    let report = read(&examination(), &victim, [7; 64]).statement;
    let verified = judge("snp", verdict(&[&report], 0, FIELD)).unwrap();
    assert_eq!(verified.bound_bytes().next().unwrap().1, Some(&[7; 64][..]));
}

// attacks 14 and 46, invariant 1
#[test]
fn the_facts_of_one_machine_never_stand_beside_the_challenge_of_another() {
    let ([victim, attacker], examination) = (guests(), examination());
    let observed = read(&examination, &victim, [1; 64]).statement;
    let own = read(&examination, &attacker, [7; 64]);
    // Both whole, bound by the attacker's.
    refused(verdict(&[&observed, &own.statement], 1, FIELD));
    refused(verdict(&[&own.statement, &observed], 0, FIELD));
    // The attacker's checked step by step, which has no facts of its own.
    let raw = attacker.report([7; 64]);
    let (message, signature) = (raw[..672].to_vec(), fixed(&raw));
    let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
    let stepwise = examination.check(&own.endorser, algorithm, message, &signature).unwrap();
    refused(verdict(&[&observed, &stepwise], 1, FIELD));
    // What the attacker's report data vouches for.
    let blob = b"nonce and key".to_vec();
    let data = DigestAlgorithm::Sha512.digest(&blob).as_ref().try_into().unwrap();
    let vouching = read(&examination, &attacker, data).statement;
    let vouched = examination.vouch(&vouching, FIELD, DigestAlgorithm::Sha512, blob).unwrap();
    refused(verdict(&[&observed, &vouched], 1, Span { start: 0, length: 5 }));
    refused(verdict(&[&observed, &vouching, &vouched], 2, Span { start: 0, length: 5 }));
}

// attack 46
#[test]
fn what_a_key_in_the_attackers_report_signs_does_not_speak_for_another_report() {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let ([victim, attacker], examination) = (guests(), examination());
    let observed = read(&examination, &victim, [1; 64]).statement;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point: [u8; 64] = pair.public_key().as_ref()[1..].try_into().unwrap();
    let own = read(&examination, &attacker, point).statement;
    let signer = examination.adopt(&own, FIELD, KeyEncoding::RawXy).unwrap();
    let message = b"any challenge".to_vec();
    let signature = pair.sign(&SystemRandom::new(), &message).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaP256Sha256;
    let signed = examination.check(&signer, algorithm, message, signature.as_ref()).unwrap();
    refused(verdict(&[&observed, &signed], 1, Span { start: 0, length: 3 }));
    // With the report that it does rest on it is of one attester. For `snp` it is still not bound: the key may
    // sign what others send it, and the challenge has its own field in the report.
    refused(verdict(&[&own, &signed], 1, Span { start: 0, length: 3 }));
    let mut both = verdict(&[&own, &signed], 0, FIELD);
    both.bindings.push(Binding {
        statement: 1,
        at: Span { start: 0, length: 3 },
        ..both.bindings[0]
    });
    refused(both);
    // A kind that only its verifier knows may be bound so.
    assert!(judge("az-snp", verdict(&[&own, &signed], 1, Span { start: 0, length: 3 })).is_ok());
}

// attack 12, invariant 1
#[test]
fn what_report_data_vouches_for_does_not_bind_a_report() {
    let ([guest, _], examination) = (guests(), examination());
    // The guest puts the digest of what it is sent into a report, for a protocol of its own.
    let sent = b"a challenge, and the key of whoever sent it".to_vec();
    let data = DigestAlgorithm::Sha512.digest(&sent).as_ref().try_into().unwrap();
    let report = read(&examination, &guest, data).statement;
    let vouched = examination.vouch(&report, FIELD, DigestAlgorithm::Sha512, sent).unwrap();
    refused(verdict(&[&report, &vouched], 1, Span { start: 2, length: 9 }));
}

// attack 12, invariant 2
#[test]
fn a_part_of_report_data_or_a_nonce_in_it_binds_nothing() {
    let [victim, _] = guests();
    let report = read(&examination(), &victim, [7; 64]).statement;
    for (start, length) in [(0x50, 32), (0x70, 32), (0x50, 63), (0x51, 63)] {
        refused(verdict(&[&report], 0, Span { start, length }));
    }
    for carries in
        [Carries::Nonce, Carries::RecipientKey, Carries::ChallengeDigest(DigestAlgorithm::Sha256)]
    {
        let mut nonce = verdict(&[&report], 0, FIELD);
        nonce.bindings[0].carries = carries;
        refused(nonce);
    }
}

// attacks 46 and 47
#[test]
fn a_verdict_that_rests_on_nothing_or_speaks_in_the_hosts_name_is_refused() {
    let ([victim, _], examination) = (guests(), examination());
    let report = read(&examination, &victim, [7; 64]);
    refused(verdict(&[], 0, FIELD));
    let mut unbound = verdict(&[&report.statement], 0, FIELD);
    unbound.bindings.clear();
    refused(unbound);
    let mut named = verdict(&[&report.statement], 0, FIELD);
    named.claims.push(Claim::new("snp.policy_debug", Value::Flag(false)));
    refused(named);
    for value in [-1, 0, 1] {
        let mut failed = verdict(&[&report.statement], 0, FIELD);
        failed.trustworthiness.hardware = Some(value);
        refused(failed);
    }
    let raw = victim.report([7; 64]);
    let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
    let stepwise =
        examination.check(&report.endorser, algorithm, raw[..672].to_vec(), &fixed(&raw)).unwrap();
    refused(verdict(&[&stepwise], 0, FIELD));
}

/// A report's signature as `custody.check` takes it: r and s, big-endian, 48 bytes each.
fn fixed(report: &[u8]) -> Vec<u8> {
    let big_endian = |at: usize| report[at..at + 48].iter().rev().copied();
    big_endian(0x2a0).chain(big_endian(0x2e8)).collect()
}
