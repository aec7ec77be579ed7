//! Composite evidence: one challenge, several attesters. Each answers the challenge, the main one vouches
//! for the others, and the result is as good as the worst of them.

use std::sync::OnceLock;

use claviger::audit::Digest;
use claviger::error::Code;
use claviger::flow::{Companion, ReportDataInput, Wanted};
use claviger::http::{AttestationRequest, Base64Url, Challenge, EvidenceBody};
use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::hostile::{VERIFIER, deed};
use claviger_tests::site::{Guest, NOW, Site, code, family};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

fn intel() -> &'static Intel {
    static INTEL: OnceLock<Intel> = OnceLock::new();
    INTEL.get_or_init(|| Intel::mint(NOW).unwrap())
}

/// The report data of a guest that vouches for these.
fn report_data(guest: &Guest, challenge: &Challenge, along: &[EvidenceBody]) -> [u8; 64] {
    let companions: Vec<_> = along
        .iter()
        .map(|one| Companion { tee: one.tee.clone(), evidence: Digest::of(&one.data.0).0 })
        .collect();
    ReportDataInput {
        host: &challenge.host,
        tenant: &guest.tenant,
        purpose: &challenge.purpose,
        nonce: challenge.nonce.0.as_slice().try_into().unwrap(),
        recipient: &guest.key.thumbprint(),
        companions: &companions,
    }
    .digest()
}

/// A guest's answer that vouches for these.
fn vouching(guest: &Guest, challenge: &Challenge, along: &[EvidenceBody]) -> AttestationRequest {
    let report = guest.hardware.report(report_data(guest, challenge, along)).to_vec();
    let companions = along.to_vec();
    AttestationRequest { companions, ..guest.answer_with(challenge, report) }
}

/// A companion on AMD's hardware: its report carries the challenge and the guest's key.
fn other(guest: &Guest, challenge: &Challenge, hardware: &Guest) -> EvidenceBody {
    let data = hardware.hardware.report(guest.report_data(challenge)).to_vec();
    let attachments = hardware.hardware.attachments.iter().cloned().map(Base64Url).collect();
    EvidenceBody { tee: "snp".into(), media_type: None, data: Base64Url(data), attachments }
}

/// A companion on Intel's hardware.
fn trust_domain(guest: &Guest, challenge: &Challenge) -> EvidenceBody {
    let template = intel().quote_template(QuoteBody::Td4, guest.report_data(challenge));
    let [root, pck] = intel().lists(Revocations::default()).unwrap();
    let tcb = intel().tcb_info(&intel().tcb_template("TDX")).unwrap();
    let qe = intel().qe_identity(&intel().qe_template("TD_QE")).unwrap();
    let attachments = vec![tcb, qe, intel().tcb_signer(), root, pck];
    EvidenceBody {
        tee: "tdx".into(),
        media_type: None,
        data: Base64Url(intel().quote(&template).unwrap()),
        attachments: attachments.into_iter().map(Base64Url).collect(),
    }
}

async fn site() -> Site {
    let site = Site::with(|_, plan| {
        plan.simulated_roots.push(intel().root());
        plan.bundled.as_mut().unwrap().insert("verifier-tdx".into());
    })
    .await;
    site.key("k").await;
    site
}

fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(body.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn every_attester_becomes_a_submodule_and_the_key_is_released_by_all_of_them() {
    let site = site().await;
    let (cpu, second, third) = (Guest::new(), Guest::new(), Guest::new());
    let challenge = site.challenge(&cpu);
    let along = [other(&cpu, &challenge, &second), other(&cpu, &challenge, &third)];
    let request = vouching(&cpu, &challenge, &along);
    let wanted = Wanted { trust_path: true, ..Wanted::default() };
    let attested = site.host.attest(&cpu.caller(), request.into(), wanted).await.unwrap();
    assert_eq!((attested.status, attested.simulated), ("affirming", true));
    let claims = claims(&attested.token);
    let submods: Vec<_> = claims["submods"].as_object().unwrap().keys().collect();
    assert_eq!(submods, ["snp", "snp-2", "snp-3"]);
    let named: Vec<_> = claims["claviger"]["companions"].as_array().unwrap().iter().collect();
    assert_eq!((&named[0]["submod"], &named[1]["submod"]), (&json!("snp-2"), &json!("snp-3")));
    assert!(!named[1]["trust_path"].as_array().unwrap().is_empty());

    // The token is judged anew, every attester of it.
    let released = site.redeem(&cpu, "k", &attested.token).await.unwrap();
    assert_eq!(released.status, "affirming");
    // In one call, too.
    let challenge = site.challenge_for(&cpu, "k");
    let along = [other(&cpu, &challenge, &second)];
    assert!(site.submit(&cpu, "k", vouching(&cpu, &challenge, &along)).await.is_ok());
    let record = site.records().pop().unwrap();
    let companion = &record["companions"][0];
    assert_eq!(companion["tee"], "snp");
    assert_eq!(companion["verifier"]["name"], "verifier-snp");
    assert_eq!(companion["evidence"], Digest::of(&along[0].data.0).to_string());
    assert!(!companion["trust_path"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn companions_of_several_kinds_are_read_each_by_its_own_verifier() {
    let site = site().await;
    let cpu = Guest::new();
    let challenge = site.challenge(&cpu);
    let along = [trust_domain(&cpu, &challenge), other(&cpu, &challenge, &Guest::new())];
    let request = vouching(&cpu, &challenge, &along);
    let attested = site.host.attest(&cpu.caller(), request.into(), Wanted::default()).await;
    let attested = attested.unwrap();
    let claims = claims(&attested.token);
    assert_eq!(claims["submods"]["snp"]["ear_status"], "affirming");
    assert_eq!(claims["submods"]["snp-2"]["ear_status"], "affirming");
    // Nobody approved that trust domain: the result is as good as the worst of it.
    assert_ne!(claims["submods"]["tdx"]["ear_status"], "affirming");
    assert_ne!(attested.status, "affirming");
    assert_eq!(code(site.redeem(&cpu, "k", &attested.token).await), Code::NotAffirming);
}

#[tokio::test]
async fn what_the_main_evidence_does_not_vouch_for_is_refused() {
    let site = site().await;
    let (cpu, gpu, lent) = (Guest::new(), Guest::new(), Guest::new());
    type Change = fn(&mut Vec<EvidenceBody>, &[EvidenceBody]);
    let changes: [(&str, Change); 6] = [
        ("left out", |along, _| along.truncate(1)),
        ("all left out", |along, _| along.clear()),
        ("added", |along, lent| along.push(lent[0].clone())),
        ("another in its place", |along, lent| along[1] = lent[0].clone()),
        ("in another order", |along, _| along.reverse()),
        ("added before", |along, lent| along.insert(0, lent[0].clone())),
    ];
    for (name, change) in changes {
        let challenge = site.challenge_for(&cpu, "k");
        let own = [other(&cpu, &challenge, &gpu), trust_domain(&cpu, &challenge)];
        let mut request = vouching(&cpu, &challenge, &own);
        change(&mut request.companions, &[other(&cpu, &challenge, &lent)]);
        let refused = site.submit(&cpu, "k", request).await;
        assert_eq!(code(refused), Code::EvidenceNotBound, "{name}");
    }
    assert_eq!(site.releases(), 0);
}

#[tokio::test]
async fn evidence_that_vouches_for_nobody_takes_nobody_along_and_the_other_way_round() {
    let site = site().await;
    let cpu = Guest::new();
    // Evidence for this challenge alone, and somebody's companion beside it.
    let challenge = site.challenge_for(&cpu, "k");
    let companions = vec![other(&cpu, &challenge, &Guest::new())];
    let request = AttestationRequest { companions, ..cpu.answer(&challenge) };
    assert_eq!(code(site.submit(&cpu, "k", request).await), Code::EvidenceNotBound);
    // A companion that vouches for a companion does not answer the challenge itself.
    let challenge = site.challenge_for(&cpu, "k");
    let inner = other(&cpu, &challenge, &Guest::new());
    let outer = Guest::new();
    let report = outer.hardware.report(report_data(&cpu, &challenge, &[inner])).to_vec();
    let nested = EvidenceBody { data: Base64Url(report), ..other(&cpu, &challenge, &outer) };
    let request = vouching(&cpu, &challenge, &[nested]);
    assert_eq!(code(site.submit(&cpu, "k", request).await), Code::EvidenceNotBound);
}

#[tokio::test]
async fn a_companion_answers_the_same_challenge_for_the_same_recipient() {
    let site = site().await;
    let (cpu, gpu) = (Guest::new(), Guest::new());
    let challenge = site.challenge_for(&cpu, "k");
    let (earlier, elsewhere) = (site.challenge_for(&cpu, "k"), site.challenge_for(&cpu, "other"));
    for wrong in [
        other(&cpu, &earlier, &gpu),
        other(&cpu, &elsewhere, &gpu),
        // Made for the companion's own key: a workload of somebody else.
        other(&gpu, &challenge, &gpu),
    ] {
        let challenge = site.challenge_for(&cpu, "k");
        let request = vouching(&cpu, &challenge, &[wrong]);
        assert_eq!(code(site.submit(&cpu, "k", request).await), Code::EvidenceNotBound);
    }
}

#[tokio::test]
async fn one_bad_companion_spoils_the_whole() {
    let site = site().await;
    let cpu = Guest::new();
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let challenge = site.challenge_for(&cpu, "k");
    let request = vouching(&cpu, &challenge, &[other(&cpu, &challenge, &debugged)]);
    assert_eq!(code(site.submit(&cpu, "k", request).await), Code::NotAffirming);
    // The record says whose fault it was.
    let record = site.records().pop().unwrap();
    assert!(record["reason"].as_str().unwrap().contains("debug"), "{record}");

    let challenge = site.challenge_for(&cpu, "k");
    let mut forged = other(&cpu, &challenge, &Guest::new());
    forged.data.0[0x90] ^= 1;
    let request = vouching(&cpu, &challenge, &[forged]);
    assert_eq!(code(site.submit(&cpu, "k", request).await), Code::EvidenceSignature);
    let record = site.records().pop().unwrap();
    assert_eq!(record["companions"][0]["verifier"]["name"], "verifier-snp");
    assert_eq!(site.releases(), 0);
}

#[tokio::test]
async fn the_same_twice_too_many_and_unknown_kinds_cost_no_challenge() {
    let site = site().await;
    let cpu = Guest::new();
    let challenge = site.challenge_for(&cpu, "k");
    let along = other(&cpu, &challenge, &Guest::new());
    let renamed = |tee: &str| EvidenceBody { tee: tee.into(), ..along.clone() };
    let many: Vec<_> = (0..17_u8)
        .map(|number| EvidenceBody { data: Base64Url(vec![number]), ..along.clone() })
        .collect();
    for (companions, expected) in [
        (vec![along.clone(), along.clone()], Code::RequestMalformed),
        (many, Code::RequestMalformed),
        (vec![renamed("nvidia")], Code::EvidenceUnsupported),
    ] {
        let request = vouching(&cpu, &challenge, &companions);
        assert_eq!(code(site.submit(&cpu, "k", request).await), expected);
    }
    let request = vouching(&cpu, &challenge, &[along]);
    assert!(site.submit(&cpu, "k", request).await.is_ok());
}

// attack 46, invariant 1
#[tokio::test]
async fn a_lying_verifier_makes_no_companion_of_what_the_host_did_not_check() {
    let site = Site::with(|ground, plan| {
        plan.plugins.push(ground.plugin("verifier-snp", VERIFIER));
    })
    .await;
    site.key("k").await;
    let mut cpu = Guest::new();
    cpu.hardware.attachments.push(family().ask().to_vec());
    let mut gpu = Guest::new();
    gpu.hardware.attachments.push(family().ask().to_vec());
    for lie in [
        "anyway",
        "no-statement",
        "no-binding",
        "binding-nonce-only",
        "binding-key-only",
        "binding-elsewhere",
        "binding-measurement",
    ] {
        let challenge = site.challenge_for(&cpu, "k");
        // Made for the companion's own key: honestly told, it is not bound.
        let mut along = other(&gpu, &challenge, &gpu);
        along.data = Base64Url(deed(lie, &[&along.data.0]));
        let request = vouching(&cpu, &challenge, &[along]);
        assert!(site.submit(&cpu, "k", request).await.is_err(), "{lie}");
    }
    assert_eq!(site.releases(), 0);
}

#[tokio::test]
async fn a_token_is_dropped_with_any_of_its_verifiers() {
    let site = site().await;
    let cpu = Guest::new();
    let challenge = site.challenge(&cpu);
    let along = [trust_domain(&cpu, &challenge)];
    let request = vouching(&cpu, &challenge, &along);
    let attested = site.host.attest(&cpu.caller(), request.into(), Wanted::default()).await;
    let attested = attested.unwrap();
    let site = site.again(|_, plan| plan.simulated_roots.push(intel().root())).await;
    let refused = site.redeem(&cpu, "k", &attested.token).await;
    assert_eq!(code(refused), Code::TokenInvalid);
}
