//! A plugin can refuse, never vouch: whatever a verifier says, it stands on statements that the host
//! checked, or it counts for nothing.

use claviger::error::Code;
use claviger::flow::Wanted;
use claviger::http::Challenge;
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::hostile::{VERIFIER, deed};
use claviger_tests::site::{Guest, Site, code, family};

/// A site whose verifier lies when it is told to.
async fn site() -> Site {
    let site = Site::with(|ground, plan| {
        plan.plugins.push(ground.plugin("verifier-snp", VERIFIER));
    })
    .await;
    site.key("k").await;
    site
}

/// What comes of a lie about these reports, which answer a fresh challenge.
async fn outcome(
    site: &Site,
    guest: &Guest,
    lie: &str,
    reports: impl FnOnce(&Challenge) -> Vec<Vec<u8>>,
) -> Result<(), Code> {
    let challenge = site.challenge_for(guest, "k");
    let reports = reports(&challenge);
    let reports: Vec<&[u8]> = reports.iter().map(Vec::as_slice).collect();
    let answer = guest.answer_with(&challenge, deed(lie, &reports));
    site.submit(guest, "k", answer).await.map(drop).map_err(|refusal| refusal.code)
}

/// An approved guest, and on the same chip one that nobody approved: the adversary's.
fn approved_and_adversary() -> (Guest, Guest) {
    let mut approved = Guest::new();
    // For the chain of custody: the authority that certified the chip.
    approved.hardware.attachments.push(family().ask().to_vec());
    let mut adversary = Guest::on(approved.hardware.clone());
    adversary.hardware.template.measurement = [0xba; 48];
    (approved, adversary)
}

// attacks 46 and 47, invariant 1
#[tokio::test]
async fn a_verdict_that_rests_on_nothing_or_binds_nothing_is_refused() {
    let site = site().await;
    let guest = Guest::new();
    assert_eq!(outcome(&site, &guest, "true", |c| vec![guest.report(c)]).await, UNKNOWN_DEED);
    for lie in [
        "no-statement",
        "no-binding",
        "binding-outside",
        "binding-beyond",
        "binding-empty",
        "binding-elsewhere",
        "binding-measurement",
        "binding-of-the-launcher",
        "binding-prefix",
        "binding-nonce-only",
        "binding-key-only",
        "bindings-many",
        "forged-handle",
    ] {
        let refused = outcome(&site, &guest, lie, |c| vec![guest.report(c)]).await;
        assert_eq!(refused, Err(Code::PluginFailed), "{lie}");
    }
    assert_eq!(site.releases(), 0);
    site.still_serves("after").await;
}

/// What the hostile verifier says to a deed that it does not know.
const UNKNOWN_DEED: Result<(), Code> = Err(Code::EvidenceUnsupported);

// attack 47, invariants 1 and 2
#[tokio::test]
async fn a_nonce_or_a_key_alone_does_not_bind() {
    let site = site().await;
    let guest = Guest::new();
    let nonce_first = |challenge: &Challenge| {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&challenge.nonce.0);
        vec![guest.hardware.report(data).to_vec()]
    };
    let refused = outcome(&site, &guest, "binding-nonce-only", nonce_first).await;
    assert_eq!(refused, Err(Code::PluginFailed));
    let key_first = |_: &Challenge| {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&guest.key.thumbprint());
        vec![guest.hardware.report(data).to_vec()]
    };
    let refused = outcome(&site, &guest, "binding-key-only", key_first).await;
    assert_eq!(refused, Err(Code::PluginFailed));
}

// attacks 1 and 46, invariants 1 and 2
#[tokio::test]
async fn what_the_hypervisor_signed_into_a_genuine_report_does_not_bind() {
    let site = site().await;
    let guest = Guest::new();
    // An approved guest, launched by the adversary with everything of his choice in its report.
    let launched = |challenge: &Challenge| {
        let thumbprint = guest.key.thumbprint();
        let mut hardware = guest.hardware.clone();
        hardware.template.host_data.copy_from_slice(&challenge.nonce.0);
        hardware.template.family_id.copy_from_slice(&thumbprint[..16]);
        hardware.template.image_id.copy_from_slice(&thumbprint[16..]);
        vec![hardware.report([0; 64]).to_vec()]
    };
    let refused = outcome(&site, &guest, "binding-of-the-launcher", launched).await;
    assert_eq!(refused, Err(Code::PluginFailed));
    let vouching = |challenge: &Challenge| {
        let blob = guest.report_data(challenge).to_vec();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &blob);
        let mut hardware = guest.hardware.clone();
        hardware.template.host_data.copy_from_slice(digest.as_ref());
        vec![hardware.report([0; 64]).to_vec(), blob]
    };
    let refused = outcome(&site, &guest, "host-data-vouches", vouching).await;
    assert_eq!(refused, Err(Code::PluginFailed));
}

// attack 46, invariant 1
#[tokio::test]
async fn a_forged_report_is_refused_though_the_verifier_says_genuine() {
    let site = site().await;
    let guest = Guest::new();
    let forged = |challenge: &Challenge| {
        let mut report = guest.report(challenge);
        report[0x90] ^= 1;
        vec![report]
    };
    assert_eq!(outcome(&site, &guest, "anyway", forged).await, Err(Code::PluginFailed));
    assert_eq!(outcome(&site, &guest, "anyway", |_| vec![]).await, Err(Code::PluginFailed));
    let not_bound = |_: &Challenge| vec![guest.hardware.report([0; 64]).to_vec()];
    assert_eq!(outcome(&site, &guest, "anyway", not_bound).await, Err(Code::EvidenceNotBound));
}

// attacks 14 and 46, invariant 1
#[tokio::test]
async fn the_facts_of_anothers_report_do_not_count_beside_ones_own_challenge() {
    let site = site().await;
    let (approved, adversary) = approved_and_adversary();
    // Recorded from an approved guest, in answer to some other challenge.
    let recorded = approved.hardware.report([7; 64]).to_vec();
    for (lie, foreign_first) in [
        ("foreign-before-own", true),
        ("foreign-after-own", false),
        ("foreign-before-own-by-custody", true),
    ] {
        let mixed = |challenge: &Challenge| {
            let own = adversary.report(challenge);
            if foreign_first { vec![recorded.clone(), own] } else { vec![own, recorded.clone()] }
        };
        let refused = outcome(&site, &adversary, lie, mixed).await;
        assert!(
            matches!(refused, Err(Code::EvidenceNotBound | Code::PluginFailed)),
            "{lie}: {refused:?}"
        );
        // Nor do they get into a token, where they would be the only ones of their name.
        let challenge = site.challenge(&adversary);
        let reports = mixed(&challenge);
        let reports: Vec<&[u8]> = reports.iter().map(Vec::as_slice).collect();
        let answer = adversary.answer_with(&challenge, deed(lie, &reports));
        let attested =
            site.host.attest(&adversary.caller(), answer.into(), Wanted::default()).await;
        let refused = attested.map(|attested| attested.token).map_err(|refusal| refusal.code);
        assert!(
            matches!(refused, Err(Code::EvidenceNotBound | Code::PluginFailed)),
            "{lie}: {refused:?}"
        );
    }
    assert_eq!(site.releases(), 0);
}

// attacks 46 and 47, invariant 6
#[tokio::test]
async fn of_two_reports_for_one_challenge_neither_is_believed() {
    let site = site().await;
    let (approved, _) = approved_and_adversary();
    let mut second = approved.hardware.clone();
    second.template.guest_svn += 1;
    let two = |challenge: &Challenge| {
        let report_data = approved.report_data(challenge);
        vec![approved.report(challenge), second.report(report_data).to_vec()]
    };
    let refused = outcome(&site, &approved, "two-of-one-guest", two).await;
    assert_eq!(refused, Err(Code::PluginFailed));
}

// attacks 17, 46 and 47, invariant 1
#[tokio::test]
async fn a_verifier_that_affirms_everything_does_not_raise_what_the_host_read() {
    let site = site().await;
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let unmeasured = Guest::whose(|report| report.measurement = [0xba; 48]);
    let privileged = Guest::whose(|report| report.vmpl = 2);
    for guest in [debugged, unmeasured, privileged] {
        for lie in ["affirm-everything", "claim-of-nobody"] {
            let refused = outcome(&site, &guest, lie, |c| vec![guest.report(c)]).await;
            assert_eq!(refused, Err(Code::NotAffirming), "{lie}");
        }
    }
    assert_eq!(site.releases(), 0);
}

// attack 47, invariant 1
#[tokio::test]
async fn a_claim_in_the_hosts_name_is_refused() {
    let site = site().await;
    let unmeasured = Guest::whose(|report| report.measurement = [0xba; 48]);
    for lie in [
        "claim-measurement",
        "claim-no-debug",
        "claim-new-in-snp",
        "claim-twin-name",
        "claim-twice",
        "claims-many",
        "claim-quotes-outside",
        "registers-outside",
        "registers-beyond",
        "registers-many",
        "registers-in-snp",
        "registers-twice",
        "registers-long-name",
    ] {
        for guest in [&unmeasured, &Guest::new()] {
            let refused = outcome(&site, guest, lie, |c| vec![guest.report(c)]).await;
            assert_eq!(refused, Err(Code::PluginFailed), "{lie}");
        }
    }
}

// attack 47, invariant 6
#[tokio::test]
async fn a_verifier_that_says_that_it_failed_is_not_taken_for_one_that_affirms() {
    let site = site().await;
    let guest = Guest::new();
    for lie in ["tier--1", "tier-0", "tier-1"] {
        let refused = outcome(&site, &guest, lie, |c| vec![guest.report(c)]).await;
        assert_eq!(refused, Err(Code::PluginFailed), "{lie}");
    }
}

// attack 46, invariant 1
#[tokio::test]
async fn the_hostile_verifier_is_sound_where_it_is_not_told_otherwise() {
    let site = site().await;
    let unmeasured = Guest::whose(|report| report.measurement = [0xba; 48]);
    assert_eq!(code(site.release(&unmeasured, "k").await), Code::NotAffirming);
    site.still_serves("sound").await;
}
