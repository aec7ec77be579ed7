//! Keys by discovery, from a server that may misbehave.

use std::sync::Arc;

use serde_json::json;

use super::support::{Listed, NOW, Server, Signer, pinned};
use crate::clock::Timestamp;
use crate::foreign::discovery::{AGAIN, LIFETIME};
use crate::foreign::{ForeignError, IssuerPlan};

async fn check(listed: &Listed, server: &Server, signer: &Signer) -> Result<(), ForeignError> {
    at(listed, server, signer, NOW).await
}

/// A token made just before `now`.
async fn at(
    listed: &Listed,
    server: &Server,
    signer: &Signer,
    now: Timestamp,
) -> Result<(), ForeignError> {
    let mut claims = server.claims();
    (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now.0), json!(now.0), json!(now.0 + 60));
    listed.issuer().check(&signer.token(&claims), now).await.map(|_| ())
}

fn unavailable(outcome: &Result<(), ForeignError>, why: &str) {
    assert!(
        matches!(outcome, Err(ForeignError::Unavailable(reason)) if reason.contains(why)),
        "{outcome:?}, wanted {why}"
    );
}

#[tokio::test]
async fn keys_are_discovered_once_however_many_ask() {
    let (server, signer) = (Server::start().await, Signer::new("a"));
    server.keys(&signer);
    let (listed, server, signer) = (Arc::new(server.listed()), Arc::new(server), Arc::new(signer));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (listed, server, signer) =
            (Arc::clone(&listed), Arc::clone(&server), Arc::clone(&signer));
        asking.spawn(async move { check(&listed, &server, &signer).await });
    }
    assert!(asking.join_all().await.iter().all(Result::is_ok));
    assert_eq!(server.asked(), 2);
}

// attack 52
#[tokio::test]
async fn a_rotated_key_is_found_and_a_withdrawn_one_forgotten() {
    let (server, old, new) = (Server::start().await, Signer::new("a"), Signer::new("b"));
    let listed = server.listed();
    server.keys(&old);
    assert_eq!(check(&listed, &server, &old).await, Ok(()));
    server.keys(&new);
    // Asked a moment ago: once a minute is enough for whoever makes up names.
    assert_eq!(check(&listed, &server, &new).await, Err(ForeignError::UnknownKey));
    assert_eq!(server.asked(), 2);
    let later = NOW.plus(AGAIN);
    assert_eq!(at(&listed, &server, &new, later).await, Ok(()));
    assert_eq!(at(&listed, &server, &old, later).await, Err(ForeignError::UnknownKey));
}

// attack 52
#[tokio::test]
async fn stale_keys_are_believed_to_their_end_and_no_longer() {
    let (server, signer) = (Server::start().await, Signer::new("a"));
    let listed = server.listed();
    server.keys(&signer);
    assert_eq!(check(&listed, &server, &signer).await, Ok(()));
    server.answer("/certs", "503 Away", Vec::new());
    assert_eq!(at(&listed, &server, &signer, NOW.plus(LIFETIME - 1)).await, Ok(()));
    let over = at(&listed, &server, &signer, NOW.plus(LIFETIME + AGAIN)).await;
    unavailable(&over, "503");
    let refusal = over.unwrap_err().refusal(&server.url);
    assert!(refusal.retry_after.is_some() && refusal.code.status() == 503);
    server.keys(&signer);
    assert_eq!(at(&listed, &server, &signer, NOW.plus(LIFETIME + 3 * AGAIN)).await, Ok(()));
}

// attack 52
#[tokio::test]
async fn a_jwks_uri_on_another_host_is_not_followed_unless_it_is_allowed() {
    let (server, other, signer) = (Server::start().await, Server::start().await, Signer::new("a"));
    other.keys(&signer);
    for elsewhere in [
        format!("{}/certs", other.url),
        format!("{}/certs", server.url.replace("https", "http")),
        "https://127.0.0.1@thief.example/certs".to_owned(),
        format!("{}/certs?x=y", server.url),
    ] {
        server.discovery(&json!({"issuer": server.url, "jwks_uri": elsewhere}));
        let outcome = check(&server.listed(), &server, &signer).await;
        assert!(matches!(outcome, Err(ForeignError::Unavailable(_))), "{elsewhere}: {outcome:?}");
    }
    assert_eq!(other.asked(), 0);
    server.discovery(&json!({"issuer": server.url, "jwks_uri": format!("{}/certs", other.url)}));
    let allowed = Listed::new(IssuerPlan {
        ca: Some([server.ca.clone(), other.ca.clone()].concat()),
        jwks: None,
        jwks_host: Some(other.url.replace("https://", "")),
        ..pinned(&server.url, Vec::new())
    });
    assert_eq!(check(&allowed, &server, &signer).await, Ok(()));
}

// attack 52
#[tokio::test]
async fn a_redirection_is_not_followed() {
    let (server, other, signer) = (Server::start().await, Server::start().await, Signer::new("a"));
    other.keys(&signer);
    let head = format!("302 Found\r\nLocation: {}/certs", other.url);
    server.answer("/certs", &head, Vec::new());
    unavailable(&check(&server.listed(), &server, &signer).await, "302");
    assert_eq!(other.asked(), 0);
}

// attack 52
#[tokio::test]
async fn an_oversized_or_foreign_discovery_document_is_none() {
    let (server, signer) = (Server::start().await, Signer::new("a"));
    server.keys(&signer);
    let jwks_uri = format!("{}/certs", server.url);
    server.discovery(&json!({"issuer": server.url, "jwks_uri": jwks_uri,
        "x": "A".repeat(256 << 10)}));
    unavailable(&check(&server.listed(), &server, &signer).await, "limit");
    server.discovery(&json!({"issuer": "https://another.example", "jwks_uri": jwks_uri}));
    unavailable(&check(&server.listed(), &server, &signer).await, "another issuer");
    let twice = format!(r#"{{"issuer":{0},"issuer":{0}}}"#, json!(server.url));
    server.answer("/.well-known/openid-configuration", "200 OK", twice.into_bytes());
    unavailable(&check(&server.listed(), &server, &signer).await, "issuer");
    server.discovery(&json!({"issuer": server.url, "jwks_uri": jwks_uri}));
    let many: Vec<_> = (0..65).map(|_| signer.jwk()).collect();
    server.answer("/certs", "200 OK", json!({"keys": many}).to_string().into_bytes());
    unavailable(&check(&server.listed(), &server, &signer).await, "more than");
}

// attack 52
#[tokio::test]
async fn a_server_that_the_operators_authority_did_not_certify_is_not_asked() {
    let (server, other, signer) = (Server::start().await, Server::start().await, Signer::new("a"));
    server.keys(&signer);
    let listed = Listed::new(IssuerPlan {
        ca: Some(other.ca.clone()),
        jwks: None,
        ..pinned(&server.url, Vec::new())
    });
    unavailable(&check(&listed, &server, &signer).await, "certificate");
    assert_eq!(server.asked(), 0);
}
