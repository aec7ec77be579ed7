//! The decision is re-made at release: policy, reference values and the key's state are read again
//! then, not remembered from the attestation.

use claviger::error::Code;
use claviger::quote::Revocation;
use claviger::quote::snp::Tcb;
use claviger::simulated::{ChipTemplate, SimulatedGuest};
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code, family};

/// A site with a key, a guest, and the guest's token.
async fn attested() -> (Site, Guest, String) {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let attested = site.attest(&guest).await.unwrap();
    assert_eq!(attested.status, "affirming");
    let released = site.redeem(&guest, "k", &attested.token).await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    (site, guest, attested.token)
}

// attack 13, invariant 8
#[tokio::test]
async fn a_measurement_that_is_no_longer_approved_is_refused_at_release() {
    let (site, guest, token) = attested().await;
    let site = site.again(|_, plan| plan.snp.measurements.clear()).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    let site = site.again(|_, plan| plan.snp.measurements = vec![vec![0xba; 48]]).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    // Approved again: it was the policy and nothing else.
    let site = site.again(|_, _| {}).await;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
}

// attack 13, invariant 8
#[tokio::test]
async fn a_policy_that_became_stricter_is_applied_at_release() {
    let (mut site, guest, token) = attested().await;
    for stricter in [
        (|policy| policy.allow_smt = false) as fn(&mut claviger::appraisal::SnpPolicy),
        |policy| policy.vmpl = vec![1],
        |policy| policy.require_ciphertext_hiding = true,
        |policy| policy.chip_ids = Some(Vec::new()),
        |policy| policy.minimum_tcb.genoa.microcode = 255,
    ] {
        site = site.again(|_, plan| stricter(&mut plan.snp)).await;
        assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    }
    site = site.again(|_, _| {}).await;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
}

// attack 13, invariant 8
#[tokio::test]
async fn a_key_disabled_or_deleted_after_the_attestation_is_not_released() {
    let (site, guest, token) = attested().await;
    let administrator = caller(&Tenant::default());
    let set = async |enabled| {
        site.host.set_key_enabled(&administrator, "tests", "k", None, enabled).await.unwrap();
    };
    set(false).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::KeyDisabled);
    set(true).await;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.host.delete_key(&administrator, "tests", "k").await.unwrap();
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::KeyNotFound);
}

// attacks 13 and 24, invariant 8
#[tokio::test]
async fn a_token_from_when_revocation_was_waived_is_refused_when_it_is_required() {
    let site = Site::with(|_, plan| {
        plan.endorsements = vec![family().ask().to_vec()];
        plan.revocation = Revocation::Waived;
    })
    .await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let site = site.again(|_, _| {}).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::EndorsementsUnavailable);
    assert!(site.release(&guest, "k").await.is_ok());
}

// attacks 13 and 22, invariant 8
#[tokio::test]
async fn a_token_of_firmware_that_the_chip_has_left_behind_is_refused() {
    let site = Site::new().await;
    site.key("k").await;
    let current = family().chip_template().tcb;
    let older =
        ChipTemplate { tcb: Tcb { snp: current.snp - 1, ..current }, ..family().chip_template() };
    let before = Guest::on(SimulatedGuest::new(family().chip(&older).unwrap()));
    let token = site.attest(&before).await.unwrap().token;
    assert!(site.redeem(&before, "k", &token).await.is_ok());
    assert!(site.release(&Guest::new(), "k").await.is_ok());
    assert_eq!(code(site.redeem(&before, "k", &token).await), Code::NotAffirming);
}

// invariant 8
#[tokio::test]
async fn a_token_is_not_good_for_longer_than_what_it_rests_on() {
    let site = Site::with(|_, plan| plan.token_seconds = 86_400).await;
    site.key("k").await;
    let mut short = family().chip_template();
    short.not_after = claviger_tests::site::NOW.plus(100);
    let guest = Guest::on(SimulatedGuest::new(family().chip(&short).unwrap()));
    let attested = site.attest(&guest).await.unwrap();
    assert_eq!(attested.expires, short.not_after);
    site.at(99);
    assert!(site.redeem(&guest, "k", &attested.token).await.is_ok());
    site.at(100);
    assert_eq!(code(site.redeem(&guest, "k", &attested.token).await), Code::TokenExpired);
}
