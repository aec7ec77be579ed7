//! The keys that sign tokens: they rotate by hand and by the clock, no rotation breaks a token that
//! is out, and what an operator revokes is refused at once.

use claviger::error::Code;
use claviger::http::RotateTokenKeyRequest;
use claviger::keys::TokenAlgorithm;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code};

async fn rotate(site: &Site, revoke: bool) {
    let caller = caller(&Tenant::default());
    site.host.rotate_token_key(&caller, "tests", revoke).await.unwrap();
}

fn kids(site: &Site) -> Vec<String> {
    let keys = site.host.jwks()["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

// attack 52
#[tokio::test]
async fn a_retired_key_is_believed_until_its_last_token_is_over_and_no_longer() {
    let site = Site::with(|_, plan| plan.token_seconds = 1_000).await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let before = kids(&site);
    let token = site.attest(&guest).await.unwrap().token;
    // Since then tokens are good for less time; those that are out are not.
    let site = site.again(|_, plan| plan.token_seconds = 10).await;
    rotate(&site, false).await;
    let after = kids(&site);
    assert_eq!((after.len(), &after[1..]), (2, &before[..]));
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let site = site.again(|_, _| ()).await;
    assert_eq!(kids(&site), after);
    site.at(999);
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.at(1_060);
    assert_eq!(kids(&site), after[..1]);
    // The clock is set back; the key is believed again, and its token is in its time again.
    site.at(500);
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    // A rotation does not keep what is retired.
    site.at(1_060);
    rotate(&site, false).await;
    site.at(500);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenInvalid);
}

// attack 52
#[tokio::test]
async fn what_a_revoked_key_signed_is_refused_at_once() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let first = site.attest(&guest).await.unwrap().token;
    rotate(&site, false).await;
    let second = site.attest(&guest).await.unwrap().token;
    rotate(&site, true).await;
    assert_eq!(kids(&site).len(), 1);
    for token in [first, second] {
        assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::TokenInvalid);
    }
    let third = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &third).await.is_ok());
    let records = site.records();
    let rotated = |outcome: &str| {
        let one = |record: &&serde_json::Value| {
            record["event"] == "token-key-rotated" && record["outcome"] == outcome
        };
        records.iter().filter(one).count()
    };
    assert_eq!((rotated("begun"), rotated("allowed")), (2, 2));
    assert!(site.again(|_, _| ()).await.redeem(&guest, "k", &third).await.is_ok());
}

#[tokio::test]
async fn another_algorithm_takes_over_at_the_next_start_with_an_overlap() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    let site = site.again(|_, plan| plan.token.algorithm = TokenAlgorithm::Es384).await;
    let keys = site.host.jwks();
    assert_eq!(
        (&keys["keys"][0]["alg"], &keys["keys"][1]["alg"]),
        (&"ES384".into(), &"ES256".into())
    );
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let algorithms = &site.host.discovery()["id_token_signing_alg_values_supported"];
    assert_eq!(*algorithms, serde_json::json!(["ES256", "ES384"]));
}

#[tokio::test]
async fn a_key_that_is_due_is_replaced_by_the_clock() {
    let site = Site::with(|_, plan| plan.token.rotation = Some(86_400)).await;
    let before = kids(&site);
    site.at(86_399);
    assert!(!site.host.rotate_token_key_if_due().await.unwrap());
    assert_eq!(kids(&site), before);
    site.at(86_400);
    let until_rotated = async {
        while kids(&site) == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = site.host.keep_rotating() => panic!("it goes on for ever"),
        () = until_rotated => {}
    }
    assert_eq!(kids(&site)[1..], before[..]);
    let never = Site::new().await;
    never.at(1 << 40);
    assert!(!never.host.rotate_token_key_if_due().await.unwrap());
}

#[tokio::test]
async fn old_keys_do_not_pile_up() {
    let site = Site::new().await;
    for _ in 0..32 {
        rotate(&site, false).await;
    }
    let caller = caller(&Tenant::default());
    let refused = site.host.rotate_token_key(&caller, "tests", false).await;
    assert_eq!(code(refused), Code::Conflict);
    site.at(360);
    rotate(&site, false).await;
    assert_eq!(kids(&site).len(), 2);
}

// attacks 55 and 60
#[tokio::test]
async fn an_operator_rotates_over_the_administration_and_nobody_else_does() {
    let site = Site::new().await;
    let served = site.serve().await;
    let before = kids(&site);
    let mut raw = served.raw_admin().await;
    for (headers, status) in
        [("", 401), ("authorization: Bearer guessed\r\n", 401), ("authorization: Bearer \r\n", 401)]
    {
        for (method, path) in [("GET", "/v1/token-keys"), ("POST", "/v1/token-keys/rotate")] {
            let refused = raw.ask(method, path, headers, "").await;
            assert_eq!((refused.status, refused.code().as_str()), (status, "unauthenticated"));
        }
    }
    // Nor is there anything of it on the workloads' door.
    let other = served.raw().await.post("/v1/token-keys/rotate", "").await;
    assert_eq!(other.code(), "not-found");
    assert_eq!(kids(&site), before);
    let request = RotateTokenKeyRequest { revoke: false };
    let rotated = served.administrator().rotate_token_key(&request).await.unwrap();
    assert_eq!(rotated.keys[1].kid, before[0]);
    assert!(rotated.keys[1].until.is_some() && rotated.keys[0].until.is_none());
    let listed = served.administrator().token_keys().await.unwrap();
    assert_eq!(listed.keys[0].kid, rotated.keys[0].kid);
    let record = site.records().pop().unwrap();
    assert_eq!(
        (&record["principal"], &record["version"]),
        (&"tests".into(), &rotated.keys[0].kid.clone().into())
    );
}
