//! The release policy of a key: compiled before it is stored, asked at every release, changed only
//! by an administrator and on the record.

use claviger::appraisal::SnpPolicy;
use claviger::error::Code;
use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::http::{NewKeyRequest, ReleasePolicyRequest, ReleasePolicyText};
use claviger::release_policy::Language;
use claviger::simulated::report::{POLICY_DEBUG, ReportTemplate};
use claviger::store::{MasterKey, SealedStore};
use claviger::tenant::Tenant;
use claviger_tests::site::{ADMINISTRATOR, Guest, Site, caller, code, new_key, tenant};
use serde_json::{Value, json};

const PLACE: &str = "t/default/release-policy/kms-local/k";

fn equals(claim: &str, value: Value) -> Value {
    json!({"claim": claim, "equals": value})
}

/// A policy in Azure's grammar, for results of the test hosts.
fn akv(conditions: Value) -> NewReleasePolicy {
    let policy = json!({"version": "1.0.0", "anyOf": [
        {"authority": "https://claviger.test/", "allOf": conditions}]});
    NewReleasePolicy { language: Language::Akv, text: policy.to_string(), immutable: false }
}

fn affirmed() -> Value {
    equals("submods.snp.ear_status", json!("affirming"))
}

fn measured() -> Value {
    let measurement = data_encoding::HEXLOWER.encode(&ReportTemplate::default().measurement);
    equals("submods.snp.ear_attester_claims.snp.measurement", json!(measurement))
}

async fn make(site: &Site, name: &str, release_policy: NewReleasePolicy) {
    let key = NewKey { release_policy, ..new_key(name) };
    site.host.create_key(&caller(&Tenant::default()), "tests", key).await.unwrap();
}

async fn set(site: &Site, name: &str, policy: NewReleasePolicy) -> Result<(), Code> {
    let administrator = caller(&Tenant::default());
    let set = site.host.set_release_policy(&administrator, "alice", name, policy).await;
    set.map(drop).map_err(|refusal| refusal.code)
}

#[tokio::test]
async fn a_policy_in_azures_grammar_judges_the_claims_that_a_token_would_carry() {
    let site = Site::new().await;
    let guest = Guest::new();
    let holds = [
        affirmed(),
        measured(),
        equals("iss", json!("https://claviger.test")),
        equals("aud", json!("https://claviger.test/t/default")),
        equals("submods.snp.ear_trustworthiness_vector.hardware", json!(2)),
        equals("claviger.simulated", json!(true)),
        equals("claviger.verifier.name", json!("verifier-snp")),
    ];
    for (index, condition) in holds.iter().enumerate() {
        let name = format!("k{index}");
        make(&site, &name, akv(json!([condition]))).await;
        let released = site.release(&guest, &name).await;
        assert!(released.is_ok(), "{condition}: {released:?}");
    }
    make(&site, "all", akv(json!(holds))).await;
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "all", &token).await.is_ok());
    assert!(site.release(&guest, "all").await.is_ok());
}

// attacks 54 and 64, invariant 6
#[tokio::test]
async fn a_condition_that_does_not_hold_keeps_the_key_in_and_is_named_in_the_record() {
    let site = Site::new().await;
    let guest = Guest::new();
    let claim = "submods.snp.ear_attester_claims.snp.measurement";
    for condition in [
        equals("submods.snp.ear_status", json!("Affirming")),
        equals(claim, json!("*")),
        equals("submods.snp.ear_attester_claims.absent", json!("")),
        equals("submods", json!("{}")),
        equals("claviger.trust_path", json!("")),
        equals("claviger.simulated", json!(false)),
    ] {
        let name = format!("k{}", site.records().len());
        make(&site, &name, akv(json!([affirmed(), condition]))).await;
        assert_eq!(code(site.release(&guest, &name).await), Code::ReleaseDenied, "{condition}");
        let record = site.records().pop().unwrap();
        assert_eq!(record["event"], "refused");
        let reason = record["reason"].as_str().unwrap();
        let place = "$.anyOf[0].allOf[1].equals";
        let named = reason.contains("akv:sha256:") && reason.contains(place);
        assert!(named && reason.contains(condition["claim"].as_str().unwrap()), "{reason}");
        assert!(reason.contains(&condition["equals"].to_string().replace("false", "\"false\"")));
    }
    assert_eq!(site.releases(), 0);
}

// attack 54
#[tokio::test]
async fn what_opens_one_key_opens_no_other() {
    let site = Site::new().await;
    let guest = Guest::new();
    make(&site, "mine", akv(json!([measured()]))).await;
    let others = equals("submods.snp.ear_attester_claims.snp.measurement", json!("00"));
    make(&site, "theirs", akv(json!([others]))).await;
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "mine", &token).await.is_ok());
    assert_eq!(code(site.redeem(&guest, "theirs", &token).await), Code::ReleaseDenied);
    let for_mine = guest.answer(&site.challenge_for(&guest, "mine"));
    assert_eq!(code(site.submit(&guest, "theirs", for_mine).await), Code::ChallengeInvalid);
}

// attacks 17 and 64
#[tokio::test]
async fn a_policy_may_take_a_warning_but_nothing_that_is_contraindicated() {
    let site = Site::with(|_, plan| {
        plan.snp = SnpPolicy { measurements: Vec::new(), ..claviger_tests::site::policy() };
    })
    .await;
    make(&site, "k", akv(json!([measured()]))).await;
    let guest = Guest::new();
    assert_eq!(site.release(&guest, "k").await.unwrap().status, "warning");
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    assert_eq!(code(site.release(&debugged, "k").await), Code::NotAffirming);
    make(&site, "strict", NewReleasePolicy::affirming()).await;
    assert_eq!(code(site.release(&guest, "strict").await), Code::NotAffirming);
}

// attack 13, invariant 8
#[tokio::test]
async fn a_release_policy_that_was_changed_after_the_attestation_is_the_one_that_counts() {
    let site = Site::new().await;
    let guest = Guest::new();
    make(&site, "k", akv(json!([affirmed()]))).await;
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    set(&site, "k", akv(json!([equals("aud", json!("nobody"))]))).await.unwrap();
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::ReleaseDenied);
    set(&site, "k", NewReleasePolicy::affirming()).await.unwrap();
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
}

// invariant 5
#[tokio::test]
async fn records_name_the_policy_by_its_digest() {
    let site = Site::new().await;
    let (first, second) = (akv(json!([affirmed()])), akv(json!([affirmed(), measured()])));
    let [one, two] = [&first, &second].map(|policy| {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(policy.text.as_bytes());
        format!("release:akv:sha256:{}", data_encoding::HEXLOWER.encode(&digest))
    });
    make(&site, "k", first).await;
    let made = site.records().pop().unwrap();
    assert_eq!((&made["event"], &made["policies"]), (&json!("key-created"), &json!([one])));
    site.release(&Guest::new(), "k").await.unwrap();
    let released = site.records().pop().unwrap();
    assert!(released["policies"].as_array().unwrap().contains(&json!(one)), "{released}");
    set(&site, "k", second).await.unwrap();
    let records = site.records();
    let [.., begun, done] = records.as_slice() else { panic!() };
    for (record, outcome) in [(begun, "begun"), (done, "allowed")] {
        assert_eq!(record["event"], "policy-changed");
        assert_eq!((&record["outcome"], &record["principal"]), (&json!(outcome), &json!("alice")));
        assert_eq!((&record["key"], &record["policies"]), (&json!("k"), &json!([two])));
        assert_eq!(record["detail"], format!("in place of {one}"));
    }
}

// attack 64
#[tokio::test]
async fn an_immutable_policy_stays_whatever_is_asked() {
    let site = Site::new().await;
    let fixed = NewReleasePolicy { immutable: true, ..akv(json!([measured()])) };
    make(&site, "k", akv(json!([measured()]))).await;
    set(&site, "k", fixed.clone()).await.unwrap();
    for other in [
        NewReleasePolicy::affirming(),
        akv(json!([affirmed()])),
        NewReleasePolicy { immutable: false, ..fixed.clone() },
        NewReleasePolicy { text: format!("{} ", fixed.text), ..fixed.clone() },
    ] {
        assert_eq!(set(&site, "k", other).await, Err(Code::PolicyImmutable));
    }
    let refused = site.records().pop().unwrap();
    assert_eq!(
        (&refused["event"], &refused["outcome"]),
        (&"policy-changed".into(), &"refused".into())
    );
    // The same once more is no change, and the key serves under it.
    set(&site, "k", fixed.clone()).await.unwrap();
    let stands = site.host.release_policy(&caller(&Tenant::default()), "k").unwrap();
    assert_eq!(stands.policy, fixed);
    assert!(site.release(&Guest::new(), "k").await.is_ok());
    // A rotation is the same key under the same policy.
    site.host.rotate_key(&caller(&Tenant::default()), "tests", "k").await.unwrap();
    assert_eq!(set(&site, "k", NewReleasePolicy::affirming()).await, Err(Code::PolicyImmutable));
}

// attack 54, invariant 6
#[tokio::test]
async fn what_cannot_be_compiled_is_not_stored_and_its_author_is_told_where() {
    let site = Site::new().await;
    let served = site.serve().await;
    let administrator = served.administrator();
    let policy = |language: Language, text: &str| {
        let text = text.to_owned();
        ReleasePolicyRequest::Policy(ReleasePolicyText { language, text, immutable: false })
    };
    make(&site, "k", NewReleasePolicy::affirming()).await;
    let vacuous = r#"{"version":"1.0.0","anyOf":[{"authority":"https://a.example","allOf":[]}]}"#;
    for (language, text, place) in [
        (Language::Akv, "", "$"),
        (Language::Akv, "{\"version\":\nx}", "line 2"),
        (Language::Akv, r#"{"version":"1.0.0","allOf":[]}"#, "$.allOf"),
        (Language::Akv, vacuous, "$.anyOf[0].allOf"),
        (Language::Affirming, "{}", "the text"),
    ] {
        let release_policy = policy(language, text);
        let (name, kind) = ("new".to_owned(), "oct-256".to_owned());
        let refused = administrator.set_release_policy("k", &release_policy).await.unwrap_err();
        assert_eq!(refused.code(), Some("policy-invalid"), "{text}");
        assert!(refused.to_string().contains(place), "{refused}");
        let key = NewKeyRequest { name, kind, material: None, release_policy };
        let refused = administrator.create_key(&key).await.unwrap_err();
        assert_eq!(refused.code(), Some("policy-invalid"), "{text}");
    }
    assert_eq!(administrator.key("new").await.unwrap_err().code(), Some("key-not-found"));
    let headers =
        format!("authorization: Bearer {ADMINISTRATOR}\r\ncontent-type: application/json\r\n");
    for body in [
        r#""always""#,
        r#"{"language":"cel","text":"true"}"#,
        r#"{"language":"akv"}x"#,
        r#"{"language":"affirming","note":1}"#,
        r#"{"text":""}"#,
        "true",
    ] {
        let mut raw = served.raw_admin().await;
        let answer = raw.ask("PUT", "/v1/keys/k/release-policy", &headers, body).await;
        assert_eq!(answer.code(), "request-malformed", "{body}");
    }
    let stands = administrator.release_policy("k").await.unwrap();
    assert_eq!((stands.id.as_str(), stands.language), ("affirming", Language::Affirming));
}

// attacks 13 and 54
#[tokio::test]
async fn only_a_key_that_has_a_policy_gets_another() {
    let site = Site::new().await;
    assert_eq!(set(&site, "k", NewReleasePolicy::affirming()).await, Err(Code::KeyNotFound));
    assert_eq!(set(&site, "../k", NewReleasePolicy::affirming()).await, Err(Code::KeyNotFound));
    make(&site, "k", NewReleasePolicy::affirming()).await;
    let administrator = caller(&Tenant::default());
    site.host.delete_key(&administrator, "tests", "k").await.unwrap();
    // It would release whatever is made under that name next.
    assert_eq!(set(&site, "k", NewReleasePolicy::affirming()).await, Err(Code::KeyNotFound));
    assert!(site.ground.store.get(PLACE).unwrap().is_none());
}

// attack 6
#[tokio::test]
async fn a_policy_of_another_tenants_key_is_neither_read_nor_changed() {
    let site = Site::new().await;
    make(&site, "k", NewReleasePolicy::affirming()).await;
    let other = caller(&tenant("other"));
    assert_eq!(code(site.host.release_policy(&other, "k")), Code::KeyNotFound);
    let set = site.host.set_release_policy(&other, "mallory", "k", akv(json!([affirmed()])));
    assert_eq!(code(set.await), Code::KeyNotFound);
    let ours = site.host.release_policy(&caller(&Tenant::default()), "k").unwrap();
    assert_eq!(ours.policy, NewReleasePolicy::affirming());
}

/// Writes what stands for the policy of the key `k`.
fn write_stored(site: &Site, text: &str) {
    let master_key = MasterKey::file(site.ground.path().join("master.key"));
    let (store, random) = (site.ground.store.clone(), site.ground.random.clone());
    let sealed = SealedStore::open(store, &master_key, random).unwrap();
    let stored = sealed.get(PLACE).unwrap().unwrap();
    assert!(sealed.swap(PLACE, Some(stored.expose()), Some(text.as_bytes())).unwrap());
}

// attack 54, invariant 6
#[tokio::test]
async fn a_stored_policy_is_read_in_its_older_form_and_denies_where_it_is_not_understood() {
    let site = Site::new().await;
    let guest = Guest::new();
    make(&site, "k", NewReleasePolicy::affirming()).await;
    write_stored(&site, r#"{"rule":"affirming","created":1795492800}"#);
    assert!(site.release(&guest, "k").await.is_ok());
    let other = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    assert_eq!(code(site.release(&other, "k").await), Code::NotAffirming);
    for unknown in [
        r#"{"language":"always","created":1}"#,
        r#"{"language":"affirming","created":1,"unless":"x"}"#,
        r#"{"rule":"affirming","language":"akv","created":1}"#,
        r#"{"language":"akv","text":"{}","created":1}"#,
        r#"{"created":1}"#,
        "{}",
        "",
    ] {
        write_stored(&site, unknown);
        assert_eq!(code(site.release(&guest, "k").await), Code::ReleaseDenied, "{unknown}");
    }
    // One that was understood once can be replaced.
    write_stored(&site, r#"{"language":"akv","text":"{}","created":1}"#);
    set(&site, "k", NewReleasePolicy::affirming()).await.unwrap();
    assert!(site.release(&guest, "k").await.is_ok());
    write_stored(&site, r#"{"rule":"affirming","created":1795492800}"#);
    set(&site, "k", akv(json!([affirmed()]))).await.unwrap();
    assert!(site.release(&guest, "k").await.is_ok());
}
