//! A release policy in Rego: asked at every release like any other, and no unless it says yes.

use claviger::appraisal::SnpPolicy;
use claviger::error::Code;
use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::http::{NewKeyRequest, ReleasePolicyRequest, ReleasePolicyText};
use claviger::release_policy::Language;
use claviger::simulated::report::{POLICY_DEBUG, ReportTemplate};
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code, new_key, policy};

fn rego(rules: &str) -> NewReleasePolicy {
    let text = format!("package claviger.release\n\n{rules}\n");
    NewReleasePolicy { language: Language::Rego, text, immutable: false }
}

async fn make(site: &Site, name: &str, release_policy: NewReleasePolicy) {
    let key = NewKey { release_policy, ..new_key(name) };
    site.host.create_key(&caller(&Tenant::default()), "tests", key).await.unwrap();
}

// attack 13, invariant 8
#[tokio::test]
async fn a_policy_in_rego_judges_the_claims_that_a_token_would_carry_at_each_release() {
    let measurement = data_encoding::HEXLOWER.encode(&ReportTemplate::default().measurement);
    let site = Site::new().await;
    let guest = Guest::new();
    let rules = format!(
        r#"allow if {{
            input.iss == "https://claviger.test"
            input.aud == "https://claviger.test/t/default"
            input.submods.snp.ear_status == "affirming"
            input.submods.snp.ear_attester_claims["snp.measurement"] == "{measurement}"
            input.submods.snp.ear_trustworthiness_vector.hardware == 2
            input.claviger.verifier.name == "verifier-snp"
            input.claviger.simulated
        }}"#
    );
    make(&site, "k", rego(&rules)).await;
    assert!(site.release(&guest, "k").await.is_ok());
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let released = site.records().pop().unwrap();
    let policies = released["policies"].as_array().unwrap();
    let by_digest =
        |id: &serde_json::Value| id.as_str().unwrap().starts_with("release:rego:sha256:");
    assert!(policies.iter().any(by_digest), "{released}");
    let stricter = rego("allow if input.submods.snp.ear_status == \"never\"");
    let administrator = caller(&Tenant::default());
    site.host.set_release_policy(&administrator, "alice", "k", stricter).await.unwrap();
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::ReleaseDenied);
}

// attacks 54 and 64, invariant 6
#[tokio::test]
async fn a_policy_in_rego_that_says_no_nothing_or_fails_keeps_the_key_in_with_its_line() {
    let site = Site::new().await;
    let guest = Guest::new();
    for (rules, told) in [
        ("allow := false", "release.rego: allow is false"),
        ("allow := \"true\"", "release.rego: allow is \"true\""),
        ("allow if input.absent", "release.rego:3:1: allow is undefined"),
        ("allow := false\nreasons contains \"too old\"", "release.rego:4:18: allow is false"),
        ("allow if to_number(input.iss) > 0", "release.rego:3"),
        ("allow := true if input.iss\nallow := false if input.aud", "release.rego:"),
        // Five values deep, and as many steps as there are characters to the fifth.
        (
            "c := split(input.submods.snp.ear_attester_claims[\"snp.measurement\"], \"\")\n\
             allow if {\n\tsome v in c\n\tsome w in c\n\tsome x in c\n\tsome y in c\n\t\
             concat(\"\", [v, w, x, y]) == \"none\"\n}",
            "release.rego:",
        ),
    ] {
        let name = format!("k{}", site.records().len());
        make(&site, &name, rego(rules)).await;
        assert_eq!(code(site.release(&guest, &name).await), Code::ReleaseDenied, "{rules}");
        let record = site.records().pop().unwrap();
        assert_eq!(record["event"], "refused");
        let reason = record["reason"].as_str().unwrap();
        let by_digest = reason.starts_with("the release policy rego:sha256:");
        assert!(by_digest && reason.contains(told), "{reason}");
        let seen = record["explanation"]["seen"].as_str().unwrap();
        assert_eq!(record["explanation"]["check"], "release-policy");
        assert!(seen.contains(told), "{seen}");
    }
    assert_eq!(site.releases(), 0);
}

// attacks 17 and 64
#[tokio::test]
async fn a_policy_in_rego_that_always_allows_releases_nothing_that_is_contraindicated() {
    let site = Site::with(|_, plan| {
        plan.snp = SnpPolicy { measurements: Vec::new(), ..policy() };
    })
    .await;
    make(&site, "k", rego("allow := true")).await;
    assert_eq!(site.release(&Guest::new(), "k").await.unwrap().status, "warning");
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    assert_eq!(code(site.release(&debugged, "k").await), Code::NotAffirming);
}

// attack 54, invariant 6
#[tokio::test]
async fn what_is_not_rego_for_releases_is_not_stored_and_its_author_is_told_the_line() {
    let site = Site::new().await;
    let served = site.serve().await;
    let administrator = served.administrator();
    make(&site, "k", NewReleasePolicy::affirming()).await;
    for (text, place) in [
        ("", "release.rego"),
        ("package claviger.release\n\nallow if {", "release.rego:3"),
        ("package claviger.release\n\nallow if time.now_ns() > 0", "release.rego:3"),
        ("package claviger.other\n\nallow := true", "rule `allow`"),
    ] {
        let (language, text) = (Language::Rego, text.to_owned());
        let policy = ReleasePolicyText { language, text, immutable: false };
        let release_policy = ReleasePolicyRequest::Policy(policy);
        let refused = administrator.set_release_policy("k", &release_policy).await.unwrap_err();
        assert_eq!(refused.code(), Some("policy-invalid"));
        assert!(refused.to_string().contains(place), "{refused}");
        let (name, kind) = ("new".to_owned(), "oct-256".to_owned());
        let key = NewKeyRequest { name, kind, material: None, release_policy };
        assert_eq!(
            administrator.create_key(&key).await.unwrap_err().code(),
            Some("policy-invalid")
        );
    }
    assert_eq!(administrator.key("new").await.unwrap_err().code(), Some("key-not-found"));
    let stands = administrator.release_policy("k").await.unwrap();
    assert_eq!(stands.language, Language::Affirming);
}
