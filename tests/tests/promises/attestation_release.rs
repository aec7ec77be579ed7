//! Keys released by the tokens of the host's own attestation service: what a token says is judged anew at each
//! release, and what stands in it releases nothing by itself.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use claviger::assemble::Plan;
use claviger::clock::Timestamp;
use claviger::error::{Code, Refusal};
use claviger::flow::vault::{Actor, VaultRelease, VaultReleased};
use claviger::flow::{AttestationRules, NewReleasePolicy};
use claviger::foreign::{ForeignResult, Issuer, IssuerPlan, Issuers};
use claviger::keys::RsaAesKeyWrap;
use claviger::permission::Permissions;
use claviger::release_policy::Language;
use claviger_tests::site::{ADMINISTRATOR, Guest, NOW, Site, tenant};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::attestation::{URL, attest, claims, guest, sound};

/// A token as the site's own service checks it.
async fn own(site: &Site, token: &str) -> ForeignResult {
    let issuer = site.host.maa_issuer(URL, &AttestationRules::default()).await.unwrap();
    let at = Timestamp(claims(token)["iat"].as_u64().unwrap());
    issuer.check(token, at).await.unwrap()
}

/// A service of the same name, for tokens that this host never writes.
struct Service {
    key: RsaKeyPair,
    jwks: Vec<u8>,
}

impl Service {
    fn new() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let components: PublicKeyComponents<Vec<u8>> = key.public_key().into();
        let [n, e] = [components.n, components.e].map(|number| BASE64URL_NOPAD.encode(&number));
        let jwks = json!({"keys": [{"kty": "RSA", "kid": "service", "n": n, "e": e}]});
        Self { key, jwks: jwks.to_string().into_bytes() }
    }

    /// These claims, signed and checked; `own`: by somebody who takes the service for his own.
    async fn says(&self, claims: &Value, own: bool) -> ForeignResult {
        let header = json!({"alg": "RS256", "kid": "service"});
        let parts =
            [&header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
        let mut token = parts.join(".");
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).unwrap();
        token = format!("{token}.{}", BASE64URL_NOPAD.encode(&signature));
        let at = Timestamp(claims["iat"].as_u64().unwrap());
        if own {
            let issuer = Issuer::own(URL.to_owned(), self.jwks.clone(), 86_400).unwrap();
            return issuer.check(&token, at).await.unwrap();
        }
        let plan = IssuerPlan {
            issuer: URL.to_owned(),
            audience: None,
            ca: None,
            jwks: Some(self.jwks.clone()),
            jwks_host: None,
            max_token_age: 86_400,
        };
        let issuers = Issuers::new(vec![plan], "https://host.test").unwrap();
        issuers.of_token(&token).unwrap().check(&token, at).await.unwrap()
    }
}

// invariant 8; attacks 13, 54
#[tokio::test]
async fn what_a_token_says_is_judged_anew_and_its_inner_result_releases_nothing_by_itself() {
    let (site, guest) = (Site::new().await, guest());
    site.key("k").await;
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let said = own(&site, &token).await;
    let caller = guest.caller();
    site.host.maa_still_stands(&caller, &said).await.unwrap();
    let inner = said.claims()["x-claviger-result"].as_str().unwrap();
    let (key, result) = inner.split_once('.').unwrap();
    let read = BASE64URL_NOPAD.decode(result.as_bytes()).unwrap();
    let read: Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(read["claviger"]["freshness"], "recipient-key");
    for stolen in [inner, result, &token] {
        let released = site.redeem(&guest, "k", stolen).await;
        assert_eq!(released.unwrap_err().code, Code::TokenInvalid);
    }
    // Another tenant's, one that another service signed, altered ones, and one from before simulated hardware
    // was accepted no more.
    let other = claviger_tests::site::caller(&tenant("other"));
    assert!(site.host.maa_still_stands(&other, &said).await.is_err());
    let service = Service::new();
    let as_it_is = service.says(said.claims(), true).await;
    site.host.maa_still_stands(&caller, &as_it_is).await.unwrap();
    let refused = async |said: &ForeignResult| {
        site.host.maa_still_stands(&caller, said).await.unwrap_err().code
    };
    let foreign = service.says(said.claims(), false).await;
    assert_eq!(refused(&foreign).await, Code::TokenInvalid);
    let altered = |member: &str, value: Value| {
        let mut read = read.clone();
        read[member] = value;
        format!("{key}.{}", BASE64URL_NOPAD.encode(read.to_string().as_bytes()))
    };
    for result in [
        String::new(),
        result.to_owned(),
        format!("another.{result}"),
        format!("{key}.{result}="),
        altered("iss", "https://another.test".into()),
        altered("aud", "https://another.test".into()),
        altered("exp", NOW.0.into()),
        altered("iat", (NOW.0 + 3600).into()),
        altered("more", "anything".into()),
    ] {
        let mut claims = said.claims().clone();
        claims["x-claviger-result"] = result.as_str().into();
        let code = refused(&service.says(&claims, true).await).await;
        assert!(matches!(code, Code::TokenInvalid | Code::TokenExpired), "{result}: {code:?}");
    }
    let forgotten = |plan: &mut Plan| {
        plan.simulated_roots.clear();
        plan.endorsements.clear();
    };
    let site = site.again(|_, plan| forgotten(plan)).await;
    let later = site.host.maa_still_stands(&caller, &said).await;
    assert_eq!(later.unwrap_err().code, Code::EvidenceUntrusted);
}

// invariant 8; attack 13
#[tokio::test]
async fn a_token_that_says_more_than_holds_now_releases_nothing() {
    let (site, guest) = (Site::new().await, guest());
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let said = own(&site, &token).await;
    assert_eq!(said.claims()["x-claviger-status"], "affirming");
    key_for_affirming(&site).await;
    let release = async |site: &Site| release(site, &guest, &token, None).await;
    release(&site).await.unwrap();
    site.host.maa_still_stands(&guest.caller(), &said).await.unwrap();
    // What was measured is approved no more: a warning, that gets tokens, but not by this one.
    let site = site.again(|_, plan| plan.snp.measurements.clear()).await;
    assert_eq!(release(&site).await.unwrap_err().code, Code::NotAffirming);
    let later = site.host.maa_still_stands(&guest.caller(), &said).await;
    assert_eq!(later.unwrap_err().code, Code::NotAffirming);
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let warned = own(&site, &token).await;
    assert_eq!(warned.claims()["x-claviger-status"], "warning");
    site.host.maa_still_stands(&guest.caller(), &warned).await.unwrap();
    // A token that does not say is of before it was said.
    let mut silent = warned.claims().clone();
    silent.as_object_mut().unwrap().remove("x-claviger-status");
    let service = Service::new();
    let silent = service.says(&silent, true).await;
    assert!(site.host.maa_still_stands(&guest.caller(), &silent).await.is_err());
    // What is contraindicated gets no token, and by one that said so nothing is released.
    let site = site.again(|_, plan| plan.snp.chip_ids = Some(Vec::new())).await;
    assert!(attest(&site, &guest, sound(&guest)).await.is_err());
    let mut against = said.claims().clone();
    against["x-claviger-status"] = "contraindicated".into();
    let against = service.says(&against, true).await;
    let later = site.host.maa_still_stands(&guest.caller(), &against).await;
    assert_eq!(later.unwrap_err().code, Code::NotAffirming);
}

/// Makes the key `k` in the vault, for tokens of the site's service that are affirming.
async fn key_for_affirming(site: &Site) {
    let served = site.serve_attestation(AttestationRules::default()).await;
    let affirming = json!([{"claim": "x-claviger-status", "equals": "affirming"}]);
    served.vault_key("k", URL, affirming).await;
}

async fn release(
    site: &Site,
    guest: &Guest,
    token: &str,
    version: Option<&str>,
) -> Result<VaultReleased, Refusal> {
    let own = site.host.maa_issuer(URL, &AttestationRules::default()).await.unwrap();
    let (caller, permissions) = (guest.caller(), Permissions::all());
    let actor = Actor { caller: &caller, principal: "tests", permissions: &permissions };
    let wrap = RsaAesKeyWrap::default();
    let wanted = VaultRelease { key: "k", version, token, wrap, own: Some(&own) };
    site.host.vault_release(actor, wanted).await
}

#[tokio::test]
async fn what_was_changed_in_the_connector_past_the_record_holds_for_the_next_release() {
    let (site, guest) = (Site::new().await, guest());
    key_for_affirming(&site).await;
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let release = async |version: Option<&str>| release(&site, &guest, &token, version).await;
    let caller = guest.caller();
    let first = release(None).await.unwrap();
    // A version that the connector made for somebody else is the newest, and described as what it is.
    site.host.rotate_key(&caller, "tests", "k").await.unwrap();
    let second = release(None).await.unwrap();
    assert_ne!(
        (&second.key.version, &second.released.version),
        (&first.key.version, &first.released.version)
    );
    let named = release(Some(&second.key.version)).await.unwrap();
    assert_eq!(named.released.version, second.released.version);
    let older = release(Some(&first.key.version)).await.unwrap();
    assert_eq!(older.released.version, first.released.version);
    // Disabled there, and enabled there again.
    let newest = Some(second.released.version.as_str());
    site.host.set_key_enabled(&caller, "tests", "k", newest, false).await.unwrap();
    for version in [None, Some(second.key.version.as_str())] {
        assert_eq!(release(version).await.unwrap_err().code, Code::KeyDisabled);
    }
    release(Some(&first.key.version)).await.unwrap();
    site.host.set_key_enabled(&caller, "tests", "k", newest, true).await.unwrap();
    assert_eq!(release(None).await.unwrap().released.version, second.released.version);
    assert_eq!(release(Some("unknown")).await.unwrap_err().code, Code::KeyNotFound);
    site.host.delete_key(&caller, "tests", "k").await.unwrap();
    assert_eq!(release(None).await.unwrap_err().code, Code::KeyNotFound);
}

/// The whole way over the face: attested here, released here; what a release policy may demand.
#[tokio::test]
async fn a_key_is_released_by_a_token_of_the_hosts_own_unless_a_challenge_is_demanded() {
    let (site, guest) = (Site::new().await, guest());
    let served = site.serve_attestation(AttestationRules::default()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let token = site
        .host
        .maa_attest(&guest.caller(), &url, sound(&guest), &AttestationRules::default())
        .await
        .unwrap()
        .token;
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    for (name, freshness, status) in [("fresh", "recipient-key", 200), ("strict", "challenge", 403)]
    {
        let conditions = json!([
            {"claim": "x-ms-attestation-type", "equals": "sevsnpvm"},
            {"claim": "x-claviger-freshness", "equals": freshness},
        ]);
        served.vault_key(name, &url, conditions).await;
        let path = format!("/keys/{name}/release?api-version=7.4");
        let body = json!({"target": token}).to_string();
        let released = raw.ask("POST", &path, &bearer, &body).await;
        assert_eq!(released.status, status, "{name} {}", released.text);
    }
    let mut forged = token.clone().into_bytes();
    let at = forged.len() - 20;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let body = json!({"target": String::from_utf8(forged).unwrap()}).to_string();
    let refused = raw.ask("POST", "/keys/fresh/release?api-version=7.4", &bearer, &body).await;
    assert!(refused.status >= 400, "{}", refused.text);
}

/// The same where the policy is in Rego: it reads what is fresh of either way.
#[tokio::test]
async fn a_policy_in_rego_that_demands_a_challenge_releases_by_the_native_way_alone() {
    let (site, guest) = (Site::new().await, guest());
    let served = site.serve_attestation(AttestationRules::default()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let rules = AttestationRules::default();
    let token = site.host.maa_attest(&guest.caller(), &url, sound(&guest), &rules).await;
    let target = json!({"target": token.unwrap().token}).to_string();
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    served.vault_key("k", &url, json!([{"claim": "x-ms-ver", "equals": "1.0"}])).await;
    for (fresh, face) in [("challenge", 403), ("recipient-key", 200)] {
        let text = format!(
            "package claviger.release\n\nauthorities := {{\"{url}\"}}\n\n\
             allow if input.freshness == \"{fresh}\"\n\n\
             allow if input.claviger.freshness == \"challenge\"\n"
        );
        let policy = NewReleasePolicy { language: Language::Rego, text, immutable: false };
        site.host.set_release_policy(&guest.caller(), "tests", "k", policy).await.unwrap();
        let released = raw.ask("POST", "/keys/k/release?api-version=7.4", &bearer, &target).await;
        assert_eq!(released.status, face, "{fresh} {}", released.text);
        let native = site.release(&guest, "k").await.unwrap();
        assert_eq!(guest.open(&native.jwe), [7; 32]);
    }
}
