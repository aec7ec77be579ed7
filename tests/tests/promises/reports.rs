//! AMD SEV-SNP reports: forged, of the wrong kind, of guests and platforms that a strict policy does
//! not affirm. Each goes the whole way, and none of them gets the key.

use claviger::appraisal::{MilanRule, SnpPolicy};
use claviger::assemble::Plan;
use claviger::error::Code;
use claviger::quote::snp::Product;
use claviger::simulated::SimulatedGuest;
use claviger::simulated::report::{
    MASK_CHIP_KEY, PLATFORM_ALIAS_CHECK, PLATFORM_CIPHERTEXT_HIDING, POLICY_DEBUG,
    POLICY_MIGRATION_AGENT, ReportTemplate, SIGNED_BY_NOBODY, SIGNED_BY_VLEK,
};
use claviger_tests::site::{Ground, Guest, Site, code, family_of, policy, provider};

/// POLICY: CXL devices may be attached (AMD 56860, table 9).
const POLICY_CXL: u64 = 1 << 21;

/// What a site says to a guest that asks for its key.
async fn outcome(site: &Site, guest: &Guest) -> Result<(), Code> {
    site.release(guest, "k").await.map(drop).map_err(|refusal| refusal.code)
}

/// What a site says to a guest whose reports differ from sound ones.
async fn about(site: &Site, change: impl FnOnce(&mut ReportTemplate)) -> Result<(), Code> {
    outcome(site, &Guest::whose(change)).await
}

/// A site with a key, by a changed policy.
async fn site(change: impl FnOnce(&mut SnpPolicy)) -> Site {
    let site = Site::with(|_, plan| change(&mut plan.snp)).await;
    site.key("k").await;
    site
}

// attack 16
#[tokio::test]
async fn a_report_with_one_bit_flipped_gets_nothing() {
    let site = site(|_| ()).await;
    let guest = Guest::new();
    let signed = (0..0x2a0 * 8).step_by(89);
    let signature = (0x2a0 * 8..(0x2a0 + 144) * 8).step_by(31);
    for bit in signed.chain(signature) {
        let challenge = site.challenge_for(&guest, "k");
        let mut report = guest.report(&challenge);
        report[bit / 8] ^= 1 << (bit % 8);
        let refused = site.submit(&guest, "k", guest.answer_with(&challenge, report)).await;
        assert!(refused.is_err(), "bit {bit}");
    }
    assert_eq!(site.releases(), 0);
    assert_eq!(outcome(&site, &guest).await, Ok(()));
}

// attack 16
#[tokio::test]
async fn a_signature_of_zeros_or_out_of_range_is_refused() {
    let site = site(|_| ()).await;
    let guest = Guest::new();
    for (from, to, byte) in [
        (0x2a0, 0x2a0 + 72, 0),
        (0x2a0 + 72, 0x2a0 + 144, 0),
        (0x2a0, 0x2a0 + 144, 0),
        (0x2a0, 0x2a0 + 48, 0xff),
        (0x2a0 + 72, 0x2a0 + 120, 0xff),
        (0x2a0 + 48, 0x2a0 + 72, 1),
    ] {
        let challenge = site.challenge_for(&guest, "k");
        let mut report = guest.report(&challenge);
        report[from..to].fill(byte);
        let refused = site.submit(&guest, "k", guest.answer_with(&challenge, report)).await;
        assert!(
            matches!(code(refused), Code::EvidenceSignature | Code::EvidenceMalformed),
            "{from}..{to}"
        );
    }
}

// attack 17, invariant 6
#[tokio::test]
async fn a_guest_that_may_be_debugged_or_moved_gets_no_key() {
    let strict = site(|_| ()).await;
    for bit in [POLICY_DEBUG, POLICY_MIGRATION_AGENT, POLICY_CXL] {
        assert_eq!(about(&strict, |r| r.policy |= bit).await, Err(Code::NotAffirming), "{bit:#x}");
    }
    let without_threads = site(|policy| policy.allow_smt = false).await;
    assert_eq!(about(&without_threads, |_| ()).await, Err(Code::NotAffirming));
    let lenient = site(|policy| policy.allow_cxl = true).await;
    assert_eq!(about(&lenient, |r| r.policy |= POLICY_CXL).await, Ok(()));
}

// attack 17, invariant 1
#[tokio::test]
async fn what_the_policy_allows_the_verifier_may_still_refuse() {
    let lenient = site(|policy| policy.allow_debug = true).await;
    assert_eq!(about(&lenient, |r| r.policy |= POLICY_DEBUG).await, Err(Code::NotAffirming));
}

// attack 18
#[tokio::test]
async fn a_report_from_another_privilege_level_gets_no_key() {
    let site = site(|_| ()).await;
    for vmpl in 1..=3 {
        assert_eq!(about(&site, |r| r.vmpl = vmpl).await, Err(Code::NotAffirming), "{vmpl}");
    }
    // The hypervisor's own reports, and levels that there are not.
    for vmpl in [4, 0xff, u32::MAX] {
        assert_eq!(about(&site, |r| r.vmpl = vmpl).await, Err(Code::EvidenceUntrusted), "{vmpl}");
    }
}

// attack 19
#[tokio::test]
async fn a_report_of_an_unknown_version_or_algorithm_is_refused() {
    let site = site(|_| ()).await;
    for version in [0, 1, 6, 7, u32::MAX] {
        let refused = about(&site, |r| r.version = version).await;
        assert_eq!(refused, Err(Code::EvidenceUnsupported), "{version}");
    }
    for algorithm in [0, 2, 3] {
        let refused = about(&site, |r| r.signature_algorithm = algorithm).await;
        assert_eq!(refused, Err(Code::EvidenceUnsupported), "{algorithm}");
    }
}

// attack 19
#[tokio::test]
async fn a_report_that_says_that_nobody_signed_it_is_refused() {
    let site = site(|_| ()).await;
    for key_info in [SIGNED_BY_NOBODY, MASK_CHIP_KEY, MASK_CHIP_KEY | SIGNED_BY_NOBODY, 3 << 2] {
        let refused = about(&site, |r| r.key_info = key_info).await;
        assert!(
            matches!(refused, Err(Code::EvidenceUntrusted | Code::EvidenceUnsupported)),
            "{key_info:#x}: {refused:?}"
        );
    }
    // A masked key comes with a signature of zeros.
    let guest = Guest::whose(|r| r.key_info = MASK_CHIP_KEY);
    let challenge = site.challenge_for(&guest, "k");
    let mut report = guest.report(&challenge);
    report[0x2a0..].fill(0);
    let refused = site.submit(&guest, "k", guest.answer_with(&challenge, report)).await;
    assert!(refused.is_err());
    // The chip's key signed, and the report says that it was the provider's.
    let refused = about(&site, |r| r.key_info = SIGNED_BY_VLEK).await;
    assert!(refused.is_err());
}

// attack 20
#[tokio::test]
async fn a_report_of_another_chip_than_its_certificate_names_is_refused() {
    let site = site(|_| ()).await;
    assert_eq!(about(&site, |r| r.chip_id[0] ^= 1).await, Err(Code::EvidenceUntrusted));
    assert_eq!(about(&site, |r| r.chip_id[63] ^= 1).await, Err(Code::EvidenceUntrusted));
}

// attack 20
#[tokio::test]
async fn on_turin_a_chip_has_a_name_of_eight_bytes_and_zeros_behind() {
    let turin = family_of(Product::Turin);
    let site = Site::with(|_, plan| {
        plan.simulated_roots = vec![turin.ark().to_vec()];
        plan.endorsements = vec![turin.ask().to_vec(), turin.crl(&turin.crl_template())];
    })
    .await;
    site.key("k").await;
    let endorser = turin.chip(&turin.chip_template()).unwrap();
    let mut guest = Guest::on(SimulatedGuest::new(endorser));
    assert_eq!(outcome(&site, &guest).await, Ok(()));
    for byte in [0, 7, 8, 63] {
        guest.hardware.template.chip_id[byte] ^= 1;
        assert_eq!(outcome(&site, &guest).await, Err(Code::EvidenceUntrusted), "byte {byte}");
        guest.hardware.template.chip_id[byte] ^= 1;
    }
}

// attacks 11 and 20, invariant 6
#[tokio::test]
async fn where_chips_are_pinned_no_other_and_no_masked_one_gets_a_key() {
    let sound = Guest::new().hardware.template.chip_id.to_vec();
    let none_pinned = site(|policy| policy.chip_ids = Some(Vec::new())).await;
    assert_eq!(about(&none_pinned, |_| ()).await, Err(Code::NotAffirming));
    let another = site(|policy| policy.chip_ids = Some(vec![vec![7; 64]])).await;
    assert_eq!(about(&another, |_| ()).await, Err(Code::NotAffirming));
    let this_one = site(|policy| policy.chip_ids = Some(vec![sound])).await;
    assert_eq!(about(&this_one, |_| ()).await, Ok(()));
    let masked = about(&this_one, |r| r.chip_id = [0; 64]).await;
    assert_eq!(masked, Err(Code::NotAffirming));
}

// attack 11
#[tokio::test]
async fn a_providers_key_is_accepted_only_where_the_policy_says_so() {
    let guest = Guest::on(provider());
    let with = site(|_| ()).await;
    assert_eq!(outcome(&with, &guest).await, Ok(()));
    let without = site(|policy| policy.allow_vlek = false).await;
    assert_eq!(outcome(&without, &guest).await, Err(Code::NotAffirming));
}

// attack 25
#[tokio::test]
async fn a_platform_without_the_alias_check_gets_no_key() {
    let strict = site(|_| ()).await;
    let refused = about(&strict, |r| r.platform_info &= !PLATFORM_ALIAS_CHECK).await;
    assert_eq!(refused, Err(Code::NotAffirming));
    let lenient = site(|policy| policy.require_alias_check = false).await;
    let released = about(&lenient, |r| r.platform_info &= !PLATFORM_ALIAS_CHECK).await;
    assert_eq!(released, Ok(()));
}

// attack 25
#[tokio::test]
async fn a_platform_that_shows_its_ciphertext_gets_no_key_where_hiding_is_required() {
    let strict = site(|policy| policy.require_ciphertext_hiding = true).await;
    assert_eq!(about(&strict, |_| ()).await, Err(Code::NotAffirming));
    let hidden = about(&strict, |r| r.platform_info |= PLATFORM_CIPHERTEXT_HIDING).await;
    assert_eq!(hidden, Ok(()));
}

// attack 26
#[tokio::test]
async fn milan_is_capped_unless_the_operator_allows_it() {
    let milan = family_of(Product::Milan);
    let endorser = milan.chip(&milan.chip_template()).unwrap();
    let guest = Guest::on(SimulatedGuest::new(endorser));
    let mut sites = Vec::new();
    for rule in [MilanRule::Warn, MilanRule::Refuse, MilanRule::Allow] {
        let trusting = |_: &Ground, plan: &mut Plan| {
            let crl = milan.crl(&milan.crl_template());
            plan.simulated_roots.push(milan.ark().to_vec());
            plan.endorsements.extend([milan.ask().to_vec(), crl]);
            plan.snp = SnpPolicy { milan: rule, ..policy() };
        };
        let site = Site::with(trusting).await;
        site.key("k").await;
        sites.push(site);
    }
    assert_eq!(SnpPolicy::default().milan, MilanRule::Warn);
    for (site, status) in sites.iter().zip(["warning", "contraindicated", "affirming"]) {
        assert_eq!(site.attest(&guest).await.unwrap().status, status);
    }
    assert_eq!(outcome(&sites[0], &guest).await, Err(Code::NotAffirming));
    assert_eq!(outcome(&sites[1], &guest).await, Err(Code::NotAffirming));
    assert_eq!(outcome(&sites[2], &guest).await, Ok(()));
}
