//! What the client does with a host's answers.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may stop")]

mod fake;

use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_client::{ClientError, End, KeptKey, KeyState, Renewal, Trust, UnwrapError};
use fake::{FakeHost, challenge, problem, release};
use serde_json::json;

#[tokio::test]
async fn a_refusal_is_not_argued_with() {
    for code in ["release-denied", "key-disabled", "not-affirming", "challenge-spent"] {
        let host = FakeHost::start(vec![challenge(), problem(403, "", code)]).await;
        let error = host.client().fetch("disk", None).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(host.asked("/v1/keys/disk/release"), 1);
    }
}

#[tokio::test]
async fn a_busy_host_is_asked_again_with_a_new_challenge_and_not_sooner_than_it_said() {
    let host = FakeHost::start(vec![
        problem(503, "", "overloaded"),
        challenge(),
        problem(429, "retry-after: 1\r\n", "rate-limited"),
        challenge(),
        problem(403, "", "release-denied"),
    ])
    .await;
    let began = Instant::now();
    let error = host.client().fetch("disk", None).await.unwrap_err();
    assert_eq!(error.code(), Some("release-denied"));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(host.asked("/v1/challenges"), 3);
    assert_eq!(host.asked("/v1/keys/disk/release"), 2);
}

#[tokio::test]
async fn attempts_end() {
    let host = FakeHost::start((0..9).map(|_| problem(503, "", "overloaded")).collect()).await;
    let error = host.client().fetch("disk", None).await.unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(host.asked("/v1/challenges"), 5);
}

#[tokio::test]
async fn a_challenge_for_something_else_is_not_answered() {
    for (name, value) in [("purpose", json!("release:other")), ("nonce", json!("AAAA"))] {
        let (status, headers, mut body) = challenge();
        body[name] = value;
        let host = FakeHost::start(vec![(status, headers, body)]).await;
        let error = host.client().fetch("disk", None).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
        assert_eq!(host.asked("/v1/keys/disk/release"), 0);
    }
}

#[tokio::test]
async fn what_rests_on_simulated_hardware_or_does_not_open_is_no_key() {
    let release = |simulated| {
        json!({"jwe": "a.b.c.d.e", "type": "x", "version": "1", "status": "affirming",
            "simulated": simulated, "audit_index": 1})
    };
    let host = FakeHost::start(vec![challenge(), (200, "", release(true))]).await;
    let error = host.client().fetch("disk", None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unexpected { .. }), "{error}");
    let host = FakeHost::start(vec![challenge(), (200, "", release(false))]).await;
    let error = host.client().fetch("disk", None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unwrap(UnwrapError::Malformed)), "{error}");
}

#[tokio::test]
async fn only_the_host_that_was_meant_is_spoken_to() {
    let host = FakeHost::start(vec![]).await;
    let other = FakeHost::start(vec![]).await;
    let trusted = [
        Trust::roots(host.authority.as_bytes()),
        Trust::default().pinned(host.pin),
        Trust::roots(host.authority.as_bytes()).pinned(host.pin),
    ];
    for trust in trusted {
        let error = host.client_with(trust).fetch("disk", None).await.unwrap_err();
        assert!(matches!(error, ClientError::Unexpected { status: 500, .. }), "{error}");
    }
    let heard = host.seen.lock().unwrap().len();
    let distrusted = [
        Trust::roots(other.authority.as_bytes()),
        Trust::default().pinned(other.pin),
        Trust::roots(host.authority.as_bytes()).pinned(other.pin),
        Trust::roots(other.authority.as_bytes()).pinned(host.pin),
    ];
    for trust in distrusted {
        let error = host.client_with(trust).fetch("disk", None).await.unwrap_err();
        assert!(!error.is_temporary(), "{error}");
        assert!(error.to_string().contains("certificate is not trusted"), "{error}");
    }
    assert_eq!(host.seen.lock().unwrap().len(), heard);
}

#[tokio::test]
async fn a_name_that_would_change_the_path_is_not_sent() {
    let host = FakeHost::start(vec![]).await;
    for name in ["", "..", "a/b", "a%2fb", "a?b", "ä"] {
        let error = host.client().fetch(name, None).await.unwrap_err();
        assert!(matches!(error, ClientError::Configuration(_)), "{name}");
    }
    assert!(host.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_counts_only_as_what_was_asked_for() {
    let host = FakeHost::start(vec![challenge(), release(|_| {})]).await;
    let key = host.client().fetch("disk", None).await.unwrap();
    assert!(key.secret.matches(b"key material"));
    for (name, value) in [
        ("key", json!("other")),
        ("tenant", json!("other")),
        ("version", json!("2")),
        ("challenge", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ] {
        let released = release(|body| body["wrap"][name] = value);
        let host = FakeHost::start(vec![challenge(), released]).await;
        let error = host.client().fetch("disk", None).await.unwrap_err();
        let wrong = matches!(error, ClientError::Unwrap(UnwrapError::WrongContext));
        assert!(wrong, "{name}: {error}");
    }
    let host = FakeHost::start(vec![challenge(), release(|_| {})]).await;
    let error = host.client().fetch("disk", Some("2")).await.unwrap_err();
    assert!(matches!(error, ClientError::Unwrap(UnwrapError::WrongContext)), "{error}");
}

fn second(body: &mut serde_json::Value) {
    body["version"] = json!("2");
    body["wrap"]["version"] = json!("2");
}

#[tokio::test]
async fn a_kept_key_is_renewed_and_ends_with_a_refusal() {
    let host = FakeHost::start(vec![
        challenge(),
        release(|_| {}),
        challenge(),
        release(second),
        challenge(),
        problem(403, "", "key-disabled"),
    ])
    .await;
    let renewal = Renewal::of(Duration::from_millis(600));
    let mut kept = KeptKey::fetch(Arc::new(host.client()), "disk", renewal).await.unwrap();
    assert_eq!(kept.current().unwrap().version, "1");
    let KeyState::Held(renewed) = kept.changed().await else { panic!("it was not renewed") };
    assert_eq!(renewed.version, "2");
    let wanted = End::Refused("key-disabled".to_owned());
    let KeyState::Ended(end) = kept.changed().await else { panic!("it did not end") };
    assert_eq!(end, wanted);
    assert_eq!(kept.current().unwrap_err(), wanted);
}

#[tokio::test]
async fn a_kept_key_does_not_outlive_its_time_where_the_host_is_not_to_be_had() {
    let mut answers = vec![challenge(), release(|_| {})];
    answers.extend((0..999).map(|_| problem(503, "", "overloaded")));
    let host = FakeHost::start(answers).await;
    let renewal = Renewal::of(Duration::from_millis(900));
    let began = Instant::now();
    let mut kept = KeptKey::fetch(Arc::new(host.client()), "disk", renewal).await.unwrap();
    let KeyState::Ended(end) = kept.changed().await else { panic!("it was renewed") };
    assert!(matches!(end, End::Unreachable(_)), "{end}");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
