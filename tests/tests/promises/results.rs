//! Attestation results: in the form that the client wants, with what a relying party needs, and good
//! for a key in either form.

use std::collections::BTreeMap;

use claviger::error::Code;
use claviger::flow::Wanted;
use claviger::result::{Form, PROFILE};
use claviger_tests::site::{Guest, Site, code};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

const CWT: Wanted = Wanted { form: Form::Cwt, trust_path: false };

fn claims(jwt: &str) -> Value {
    let claims = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_key_is_released_on_a_cwt_as_on_a_jwt() {
    for algorithm in ["ES256", "ES384"] {
        let algorithm = serde_json::from_value(json!(algorithm)).unwrap();
        let site = Site::with(|_, plan| plan.token.algorithm = algorithm).await;
        let (guest, material) = (Guest::new(), site.key("k").await);
        for wanted in [CWT, Wanted::default()] {
            let attested = site.attest_as(&guest, wanted).await.unwrap();
            let released = site.redeem(&guest, "k", &attested.token).await.unwrap();
            assert_eq!(guest.open(&released.jwe), material);
            assert_eq!(released.status, "affirming");
        }
    }
}

// attacks 6, 36 and 52
#[tokio::test]
async fn a_cwt_is_good_for_its_host_tenant_and_time_and_only_as_it_was_signed() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest_as(&guest, CWT).await.unwrap().token;
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    for at in (0..bytes.len()).step_by(11).chain([bytes.len() - 1]) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let altered = BASE64URL_NOPAD.encode(&altered);
        assert_eq!(code(site.redeem(&guest, "k", &altered).await), Code::TokenInvalid, "{at}");
    }
    for spelling in [format!("{token}="), format!("{token}A"), format!(" {token}")] {
        assert_eq!(code(site.redeem(&guest, "k", &spelling).await), Code::TokenInvalid);
    }
    let other = Guest::new().of(&claviger_tests::site::tenant("other"));
    site.key_of(&other.tenant, "k").await;
    assert_eq!(code(site.redeem(&other, "k", &token).await), Code::TokenInvalid);
    let twin = Site::new().await;
    twin.key("k").await;
    assert_eq!(code(twin.redeem(&guest, "k", &token).await), Code::TokenInvalid);
    site.at(299);
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.at(300);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenExpired);
    let later = site.attest_as(&guest, CWT).await.unwrap().token;
    site.at(0);
    assert_eq!(code(site.redeem(&guest, "k", &later).await), Code::TokenInvalid);
    let renamed = site.again(|_, plan| plan.issuer = "https://other.test".to_owned()).await;
    assert_eq!(code(renamed.redeem(&guest, "k", &token).await), Code::TokenInvalid);
}

#[tokio::test]
async fn a_client_gets_the_form_that_it_accepts() {
    let site = Site::new().await;
    let guest = Guest::new();
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let mut ask = async |accept: &str| {
        let answer = guest.answer(&site.challenge(&guest));
        let body = serde_json::to_string(&answer).unwrap();
        let headers = format!("content-type: application/json\r\n{accept}");
        raw.ask("POST", "/v1/attestations", &headers, &body).await
    };
    let json = ask("").await;
    assert_eq!(json.body()["status"], "affirming");
    let of_profile = |form: &str| format!("application/eat+{form}; eat_profile=\"{PROFILE}\"");
    let jwt = ask("accept: application/eat+jwt\r\n").await;
    assert_eq!(jwt.header("content-type"), Some(of_profile("jwt").as_str()));
    assert_eq!(claims(&jwt.text)["iss"], "https://claviger.test");
    let cwt = ask("accept: text/html, application/eat+cwt;q=0.5\r\n").await;
    assert_eq!(cwt.header("content-type"), Some(of_profile("cwt").as_str()));
    let token = BASE64URL_NOPAD.encode(&cwt.bytes);
    site.key("k").await;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    // What cannot be answered spends no challenge.
    let answer = guest.answer(&site.challenge(&guest));
    let body = serde_json::to_string(&answer).unwrap();
    let headers = "content-type: application/json\r\naccept: text/html\r\n";
    let refused = raw.ask("POST", "/v1/attestations", headers, &body).await;
    assert_eq!((refused.status, refused.code().as_str()), (406, "not-acceptable"));
    assert_eq!(raw.post("/v1/attestations", &body).await.status, 200);
}

#[tokio::test]
async fn a_trust_path_is_in_a_token_where_the_client_or_the_operator_asks() {
    let site = Site::new().await;
    let guest = Guest::new();
    let path = |token: &str| claims(token)["claviger"].get("trust_path").cloned();
    assert_eq!(path(&site.attest(&guest).await.unwrap().token), None);
    let wanted = Wanted { form: Form::Jwt, trust_path: true };
    let with = path(&site.attest_as(&guest, wanted).await.unwrap().token).unwrap();
    // The same steps as in the audit record.
    assert_eq!(with, site.records().last().unwrap()["trust_path"]);
    assert!(with[0].as_str().unwrap().starts_with("anchor: "), "{with}");
    let served = site.serve().await;
    let mut request = guest.answer(&site.challenge(&guest));
    request.trust_path = true;
    let attested = served.client().attest(&request).await.unwrap();
    assert!(path(&attested.token).is_some());
    let site = site.again(|_, plan| plan.token.trust_path = true).await;
    assert!(path(&site.attest(&guest).await.unwrap().token).is_some());
}

#[tokio::test]
async fn discovery_leads_to_the_keys() {
    let site = Site::new().await;
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let found = raw.ask("GET", "/.well-known/openid-configuration", "", "").await;
    let found = found.body();
    assert_eq!(found["issuer"], claims(&site.attest(&Guest::new()).await.unwrap().token)["iss"]);
    assert_eq!(found["jwks_uri"], "https://claviger.test/.well-known/jwks.json");
    assert_eq!(found["id_token_signing_alg_values_supported"], json!(["ES256"]));
    let members: BTreeMap<String, Value> = serde_json::from_value(found).unwrap();
    for needed in ["response_types_supported", "subject_types_supported"] {
        assert!(members[needed].as_array().is_some_and(|list| !list.is_empty()), "{needed}");
    }
    let keys = raw.ask("GET", "/.well-known/jwks.json", "", "").await;
    assert_eq!(keys.body(), site.host.jwks());
}
