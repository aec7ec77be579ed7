//! A challenge is spent once: in whatever spelling, on whatever replica, however many try at once.

use std::sync::Arc;

use claviger::client::ClientError;
use claviger::error::Code;
use claviger::http::{AttestationRequest, ChallengeRequest};
use claviger_tests::site::{Guest, Site, code, tenant, with_evidence};
use data_encoding::{BASE64, BASE64URL_NOPAD};

// attack 2, invariant 3
#[tokio::test]
async fn a_challenge_is_good_for_one_release_and_not_for_a_second() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let answer = guest.answer(&site.challenge_for(&guest, "k"));
    assert!(site.submit(&guest, "k", answer.clone()).await.is_ok());
    assert_eq!(code(site.submit(&guest, "k", answer).await), Code::ChallengeSpent);
    assert_eq!(site.releases(), 1);
}

// attacks 2 and 64, invariant 3
#[tokio::test]
async fn a_challenge_is_spent_by_a_refused_attempt_too() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let challenge = site.challenge_for(&guest, "k");
    let forged = guest.answer_with(&challenge, vec![5; 1184]);
    assert!(site.submit(&guest, "k", forged).await.is_err());
    let genuine = guest.answer(&challenge);
    assert_eq!(code(site.submit(&guest, "k", genuine).await), Code::ChallengeSpent);
}

// attack 3, invariant 3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_parallel_submissions_of_one_challenge_one_gets_the_key() {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let request = ChallengeRequest::Release { key: "k".into() };
    let answer = guest.asks(&served.client().challenge(&request).await.unwrap());
    let answer = Arc::new(answer);
    let attempts: Vec<_> = (0..100)
        .map(|_| {
            let (client, answer) = (served.client(), Arc::clone(&answer));
            tokio::spawn(async move { client.release("k", &answer).await })
        })
        .collect();
    let (mut released, mut spent) = (Vec::new(), 0);
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(release) => released.push(release),
            Err(ClientError::Problem(problem)) => {
                assert_eq!(problem.code, "challenge-spent");
                spent += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((released.len(), spent), (1, 99));
    assert_eq!(guest.open(&released[0].jwe), material);
    assert_eq!(site.releases(), 1);
}

// attack 4, invariant 3
#[tokio::test]
async fn no_other_spelling_of_a_challenge_is_a_challenge() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let client = served.client();
    let challenge = client.challenge(&ChallengeRequest::Release { key: "k".into() }).await.unwrap();
    let token = &challenge.challenge;
    let sound = guest.answer(&challenge);
    let release = async |challenge: String| {
        let answer = AttestationRequest { challenge, ..sound.clone() };
        client.release("k", &with_evidence(answer)).await
    };
    for other in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}="),
        format!("{token}\u{0}"),
        token.to_lowercase(),
        token.to_uppercase(),
        token.replace(['-', '_'], "+"),
        BASE64.encode(&BASE64URL_NOPAD.decode(token.as_bytes()).unwrap()),
    ] {
        // One without any letter to change is the same text.
        if other != *token {
            let refused = release(other.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Some("challenge-invalid"), "{other:?}");
        }
    }
    assert!(release(token.clone()).await.is_ok());
    let again = release(token.clone()).await.unwrap_err();
    assert_eq!(again.code(), Some("challenge-spent"));
}

// attack 5
#[tokio::test]
async fn a_challenge_has_its_time_whatever_the_clock_does() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let issue = || guest.answer(&site.challenge_for(&guest, "k"));
    site.at(1_000);
    let (late, in_time, early) = (issue(), issue(), issue());
    site.at(1_299);
    assert!(site.submit(&guest, "k", in_time.clone()).await.is_ok());
    site.at(1_300);
    assert_eq!(code(site.submit(&guest, "k", late).await), Code::ChallengeExpired);
    // What was spent is forgotten when its time is over and another is spent.
    site.at(1_400);
    assert!(site.release(&guest, "k").await.is_ok());
    // Stepped back: before its time, and into the time of the one that was forgotten.
    site.at(900);
    assert_eq!(code(site.submit(&guest, "k", early).await), Code::ChallengeExpired);
    site.at(1_100);
    assert_eq!(code(site.submit(&guest, "k", in_time).await), Code::ChallengeExpired);
    assert_eq!(site.releases(), 2);
}

// attack 6, invariant 3
#[tokio::test]
async fn a_challenge_of_another_tenant_is_refused() {
    let site = Site::new().await;
    let (ours, theirs) = (Guest::new(), Guest::new().of(&tenant("other")));
    site.key("k").await;
    site.key_of(&theirs.tenant, "k").await;
    let challenge = site.challenge_for(&ours, "k");
    let taken = theirs.answer(&challenge);
    assert_eq!(code(site.submit(&theirs, "k", taken).await), Code::ChallengeInvalid);
    assert!(site.submit(&ours, "k", ours.answer(&challenge)).await.is_ok());
}

// attacks 3 and 6, invariant 3
#[tokio::test]
async fn a_challenge_is_honoured_by_the_host_that_issued_it_and_by_no_twin() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let answer = guest.answer(&site.challenge_for(&guest, "k"));
    // The same name, the same store, the same keys: only another process, beside it and after it.
    let mut twin = site.ground.plan();
    twin.audit.directory = site.ground.path().join("twins-audit");
    let twin = site.ground.try_build(twin).await.unwrap();
    let refused =
        twin.release_with_evidence(&guest.caller(), "k", None, answer.clone().into()).await;
    assert_eq!(code(refused), Code::ChallengeInvalid);
    assert!(site.submit(&guest, "k", answer.clone()).await.is_ok());
    let restarted = site.again(|_, _| {}).await;
    assert_eq!(code(restarted.submit(&guest, "k", answer).await), Code::ChallengeInvalid);
}

// attack 7
#[tokio::test]
async fn more_spent_challenges_than_are_remembered_are_not_spent() {
    let site = Site::with(|_, plan| plan.spent_capacity = 2).await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    assert!(site.release(&guest, "k").await.is_ok());
    assert!(site.release(&guest, "k").await.is_ok());
    assert_eq!(code(site.release(&guest, "k").await), Code::Overloaded);
    // Memory is free again when the time of what was spent is over.
    site.at(400);
    assert!(site.release(&guest, "k").await.is_ok());
    assert_eq!(site.releases(), 3);
}
