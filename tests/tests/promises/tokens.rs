//! A key on an attestation token: only on a token of this host, for this tenant, in its time, and
//! only for the holder of the recipient key that it names.

use aws_lc_rs::hmac;
use claviger::error::Code;
use claviger::http::{ReleaseRequest, ReleaseWithToken};
use claviger::keys::UnwrapError;
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::site::{Guest, Site, code, tenant};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

fn encode(json: &Value) -> String {
    BASE64URL_NOPAD.encode(json.to_string().as_bytes())
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().unwrap()
}

#[tokio::test]
async fn attestation_and_release_may_be_two_calls() {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let client = served.client();
    let challenge =
        client.challenge(&claviger::http::ChallengeRequest::Attestation {}).await.unwrap();
    let attestation = client.attest(&guest.answer(&challenge)).await.unwrap();
    assert_eq!((attestation.status.as_str(), attestation.simulated), ("affirming", true));
    let [_, claims, _] = parts(&attestation.token);
    let claims = decode(claims);
    assert_eq!(claims["cnf"]["jwk"], *guest.key.jwk());
    assert_eq!(claims["claviger"]["simulated"], true);
    // Good for as many releases as its time allows: it names who can open them.
    let request =
        ReleaseRequest::Token(ReleaseWithToken { token: attestation.token, version: None });
    for _ in 0..2 {
        let release = client.release("k", &request).await.unwrap();
        assert_eq!(guest.open(&release.jwe), material);
    }
}

// attack 52
#[tokio::test]
async fn a_token_with_one_character_changed_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    for at in (0..token.len()).step_by(7).chain([token.len() - 1]) {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(code(site.redeem(&guest, "k", &altered).await), Code::TokenInvalid, "{at}");
    }
    for other in
        ["", ".", "..", &token[..token.len() - 1], &format!("{token}."), &format!("{token} ")]
    {
        assert_eq!(code(site.redeem(&guest, "k", other).await), Code::TokenInvalid, "{other:?}");
    }
    assert_eq!(site.releases(), 0);
}

// attack 52
#[tokio::test]
async fn a_token_that_names_its_own_algorithm_or_key_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    let [header, claims, signature] = parts(&token);
    let with = |member: &str, value: Value| {
        let mut header = decode(header);
        header[member] = value;
        encode(&header)
    };
    let jwk = site.host.jwks()["keys"][0].clone();
    let public = jwk.to_string();
    let hs256 = with("alg", json!("HS256"));
    let mac = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()),
        format!("{hs256}.{claims}").as_bytes(),
    );
    for forged in [
        format!("{}.{claims}.", with("alg", json!("none"))),
        format!("{}.{claims}.{signature}", with("alg", json!("none"))),
        format!("{}.{claims}.{signature}", with("alg", json!("ES384"))),
        format!("{hs256}.{claims}.{}", BASE64URL_NOPAD.encode(mac.as_ref())),
        format!("{}.{claims}.{signature}", with("jwk", jwk)),
        format!("{}.{claims}.{signature}", with("jku", json!("https://attacker.example"))),
        format!("{}.{claims}.{signature}", with("kid", json!("../../dev/null"))),
        format!("{}.{claims}.{signature}", with("crit", json!([]))),
        format!("{header}.{claims}.{}", BASE64URL_NOPAD.encode(&[0; 64])),
    ] {
        assert_eq!(code(site.redeem(&guest, "k", &forged).await), Code::TokenInvalid, "{forged}");
    }
}

// attack 52
#[tokio::test]
async fn a_token_of_another_host_is_refused_whatever_it_calls_itself() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    // The same names, other keys.
    let twin = Site::new().await;
    let foreign = twin.attest(&guest).await.unwrap().token;
    assert_eq!(code(site.redeem(&guest, "k", &foreign).await), Code::TokenInvalid);
    // The same keys, another name.
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let renamed = site.again(|_, plan| plan.issuer = "https://other.test".to_owned()).await;
    assert_eq!(code(renamed.redeem(&guest, "k", &token).await), Code::TokenInvalid);
}

// attack 6
#[tokio::test]
async fn a_token_of_another_tenant_is_refused() {
    let site = Site::new().await;
    let (ours, theirs) = (Guest::new(), Guest::new().of(&tenant("other")));
    site.key("k").await;
    site.key_of(&theirs.tenant, "k").await;
    let token = site.attest(&theirs).await.unwrap().token;
    assert_eq!(code(site.redeem(&ours, "k", &token).await), Code::TokenInvalid);
    assert!(site.redeem(&theirs, "k", &token).await.is_ok());
}

// attack 52
#[tokio::test]
async fn a_token_past_its_time_or_from_the_future_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    site.at(299);
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.at(300);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenExpired);
    let later = site.attest(&guest).await.unwrap().token;
    site.at(0);
    assert_eq!(code(site.redeem(&guest, "k", &later).await), Code::TokenInvalid);
}

// attack 10, invariant 4
#[tokio::test]
async fn a_stolen_token_gets_its_thief_nothing_that_he_can_open() {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    let thief = Guest::new();
    let stolen = site.redeem(&thief, "k", &token).await.unwrap();
    assert_eq!(thief.key.unwrap(&stolen.jwe).unwrap_err(), UnwrapError::WrongRecipient);
    assert_eq!(guest.open(&stolen.jwe), material);
    // Nor can he add a key of his own.
    let served = site.serve().await;
    let body = json!({ "token": token, "recipient": thief.key.jwk() }).to_string();
    let refused = served.raw().await.post("/v1/keys/k/release", &body).await;
    assert_eq!(refused.code(), "request-malformed");
}

// attacks 17 and 64, invariant 8
#[tokio::test]
async fn a_token_that_does_not_affirm_gets_no_key() {
    let site = Site::new().await;
    site.key("k").await;
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let attested = site.attest(&debugged).await.unwrap();
    assert_eq!(attested.status, "contraindicated");
    let refused = site.redeem(&debugged, "k", &attested.token).await;
    assert_eq!(code(refused), Code::NotAffirming);
    // Nor does it get one where nobody knows of the key.
    let refused = site.redeem(&debugged, "nowhere", &attested.token).await;
    assert_eq!(code(refused), Code::KeyNotFound);
    assert_eq!(site.releases(), 0);
}
