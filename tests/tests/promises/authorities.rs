//! The token of another attestation service releases a key where the operator lists the service and
//! the key's release policy names it, and nowhere else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use claviger::error::Code;
use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::foreign::IssuerPlan;
use claviger::release_policy::Language;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, NOW, Site, caller, code, new_key};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

const A: &str = "https://a.example";
const B: &str = "https://b.example";

struct Service {
    issuer: &'static str,
    key: EcdsaKeyPair,
}

impl Service {
    fn new(issuer: &'static str) -> Self {
        Self { issuer, key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    fn plan(&self) -> IssuerPlan {
        let point = self.key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| BASE64URL_NOPAD.encode(part));
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": self.issuer, "x": x, "y": y});
        IssuerPlan {
            issuer: self.issuer.to_owned(),
            audience: None,
            ca: None,
            jwks: Some(json!({"keys": [jwk]}).to_string().into_bytes()),
            jwks_host: None,
            max_token_age: 300,
        }
    }

    /// A token in the form of Azure's service, for the key of this guest; with further claims.
    fn token(&self, guest: &Guest, more: Value) -> String {
        let mut recipient = guest.key.jwk().clone();
        recipient["kid"] = json!("TpmEphemeralEncryptionKey");
        let mut claims = json!({"iss": self.issuer, "iat": NOW.0, "nbf": NOW.0,
            "exp": NOW.0 + 3600, "jti": "the-token", "x-ms-runtime": {"keys": [recipient]},
            "x-ms-isolation-tee": {"x-ms-attestation-type": "sevsnpvm"}});
        claims.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        let header = json!({"alg": "ES256", "kid": self.issuer, "typ": "JWT"});
        let encode = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

fn akv(authority: &str, value: &str) -> NewReleasePolicy {
    let claim = "x-ms-isolation-tee.x-ms-attestation-type";
    let policy = json!({"version": "1.0.0", "anyOf": [
        {"authority": authority, "allOf": [{"claim": claim, "equals": value}]}]});
    NewReleasePolicy { language: Language::Akv, text: policy.to_string(), immutable: false }
}

fn rego(rules: &str) -> NewReleasePolicy {
    let text = format!("package claviger.release\n\n{rules}\n");
    NewReleasePolicy { language: Language::Rego, text, immutable: false }
}

async fn make(site: &Site, name: &str, release_policy: NewReleasePolicy) {
    let key = NewKey { release_policy, ..new_key(name) };
    site.host.create_key(&caller(&Tenant::default()), "tests", key).await.unwrap();
}

async fn site_of(services: &[&Service]) -> Site {
    Site::with(|_, plan| plan.authorities = services.iter().map(|one| one.plan()).collect()).await
}

// invariants 2 and 5
#[tokio::test]
async fn a_listed_authoritys_token_releases_to_the_key_it_names_and_the_record_says_so() {
    let (a, guest) = (Service::new(A), Guest::new());
    let site = site_of(&[&a]).await;
    make(&site, "k", akv("https://a.example/", "sevsnpvm")).await;
    let released = site.redeem(&guest, "k", &a.token(&guest, json!({}))).await.unwrap();
    assert_eq!(guest.open(&released.jwe).len(), 32);
    assert_eq!(released.status, "none");
    let record = site.records().pop().unwrap();
    assert_eq!(record["event"], "released");
    assert_eq!(record["authority"], A);
    assert_eq!(record["freshness"], "recipient-key");
    assert_eq!(record["token"], "the-token");
    assert!(record["evidence"].is_string() && record["challenge"].is_null(), "{record}");
}

// attacks 52 and 54
#[tokio::test]
async fn a_token_of_one_authority_does_nothing_under_a_policy_that_names_another() {
    let (a, b, guest) = (Service::new(A), Service::new(B), Guest::new());
    let site = site_of(&[&a, &b]).await;
    make(&site, "k", akv(A, "sevsnpvm")).await;
    make(&site, "own", akv("https://claviger.test", "sevsnpvm")).await;
    let of_b = b.token(&guest, json!({}));
    assert_eq!(code(site.redeem(&guest, "k", &of_b).await), Code::ReleaseDenied);
    assert_eq!(code(site.redeem(&guest, "own", &of_b).await), Code::ReleaseDenied);
    // B signs what says that it is of A.
    let liar = Service { issuer: A, key: b.key };
    let forged = liar.token(&guest, json!({}));
    assert_eq!(code(site.redeem(&guest, "k", &forged).await), Code::TokenInvalid);
    let own = site.attest(&guest).await.unwrap().token;
    assert_eq!(code(site.redeem(&guest, "k", &own).await), Code::ReleaseDenied);
    assert_eq!(site.releases(), 0);
}

// attack 54, invariant 6
#[tokio::test]
async fn what_another_authority_affirms_is_no_status_of_this_host() {
    let (a, guest) = (Service::new(A), Guest::new());
    let site = site_of(&[&a]).await;
    make(&site, "affirming", NewReleasePolicy::affirming()).await;
    let looks_like_ours = r#"input.submods.snp.ear_status == "affirming""#;
    make(&site, "ours", rego(&format!("allow if {looks_like_ours}"))).await;
    make(&site, "all", rego("allow := true")).await;
    make(&site, "b", rego("authorities := {\"https://b.example\"}\nallow := true")).await;
    let like_ours =
        json!({"submods": {"snp": {"ear_status": "affirming"}}, "ear_status": "affirming"});
    let token = a.token(&guest, like_ours);
    for key in ["affirming", "ours", "all", "b"] {
        assert_eq!(code(site.redeem(&guest, key, &token).await), Code::ReleaseDenied, "{key}");
    }
    let rules = r#"authorities := {"https://a.example"}
        allow if {
            input.issuer == "https://a.example"
            input.freshness == "recipient-key"
            input.claims["x-ms-isolation-tee"]["x-ms-attestation-type"] == "sevsnpvm"
        }"#;
    make(&site, "a", rego(rules)).await;
    assert!(site.redeem(&guest, "a", &token).await.is_ok());
}

// invariant 8
#[tokio::test]
async fn an_authority_that_is_listed_no_more_releases_nothing() {
    let (a, guest) = (Service::new(A), Guest::new());
    let site = site_of(&[&a]).await;
    make(&site, "k", akv(A, "sevsnpvm")).await;
    let token = a.token(&guest, json!({}));
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.at(331);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenExpired);
    let site = site.again(|_, _| {}).await;
    site.at(0);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenInvalid);
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_finding_with_its_place() {
    let (a, guest) = (Service::new(A), Guest::new());
    let site = site_of(&[&a]).await;
    make(&site, "k", akv(A, "tdxvm")).await;
    let token = a.token(&guest, json!({}));
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::ReleaseDenied);
    let record = site.records().pop().unwrap();
    let finding = &record["explanation"]["findings"][0];
    assert_eq!(finding["pointer"], "/anyOf/0/allOf/0/equals", "{record}");
    assert_eq!(finding["claim"], "x-ms-isolation-tee.x-ms-attestation-type");
    assert_eq!((&finding["seen"], &finding["wanted"]), (&json!("sevsnpvm"), &json!("\"tdxvm\"")));
    assert!(finding["file"].as_str().unwrap().starts_with("akv:sha256:"));
    let rules =
        "authorities := {\"https://a.example\"}\nreasons := {\"not today\"}\nallow := false";
    make(&site, "r", rego(rules)).await;
    assert_eq!(code(site.redeem(&guest, "r", &token).await), Code::ReleaseDenied);
    let record = site.records().pop().unwrap();
    let finding = &record["explanation"]["findings"][0];
    assert_eq!(finding["line"], 4, "{record}");
    assert!(finding["column"].is_u64() && finding["seen"] == json!(false), "{record}");
}
