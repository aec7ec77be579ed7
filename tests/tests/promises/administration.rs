//! Administrative changes: recorded before they are made, run to their end, and never in the way of
//! the next one.

use std::time::Duration;

use claviger::error::Code;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code, new_key};
use serde_json::Value;

fn events<'a>(records: &'a [Value], key: &str) -> Vec<(&'a str, &'a str)> {
    let of_key = records.iter().filter(|record| record["key"] == key);
    let text = |record: &'a Value, name: &str| record[name].as_str().unwrap();
    of_key.map(|record| (text(record, "event"), text(record, "outcome"))).collect()
}

/// Polls a call once, so that it begins, and gives it up as a client does that goes away.
async fn abandon(call: impl Future) {
    let _ = tokio::time::timeout(Duration::ZERO, call).await;
}

// attacks 57 and 64
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_client_went_away_is_recorded_and_done_to_its_end() {
    let site = Site::new().await;
    let administrator = caller(&Tenant::default());
    site.key("k").await;
    abandon(site.host.set_key_enabled(&administrator, "alice", "k", None, false)).await;
    abandon(site.host.create_key(&administrator, "alice", new_key("new"))).await;
    // Behind the abandoned ones: the store serves one writer after the other.
    let disabled = async {
        while site.host.get_key(&administrator, "k").await.unwrap().enabled {
            tokio::task::yield_now().await;
        }
    };
    disabled.await;
    while site.host.get_key(&administrator, "new").await.is_err() {
        tokio::task::yield_now().await;
    }
    let records = site.records();
    assert!(events(&records, "k").contains(&("key-disabled", "begun")));
    assert_eq!(events(&records, "new")[0], ("key-created", "begun"));
    assert_eq!(records.last().unwrap()["principal"], "alice");
}

// attack 64
#[tokio::test]
async fn a_change_that_fails_is_recorded_as_failed() {
    let site = Site::new().await;
    let administrator = caller(&Tenant::default());
    site.key("k").await;
    let again = site.host.create_key(&administrator, "alice", new_key("k")).await;
    assert_eq!(code(again), Code::Conflict);
    let none = site.host.delete_key(&administrator, "alice", "none").await;
    assert_eq!(code(none), Code::KeyNotFound);
    let records = site.records();
    let created = |outcome| ("key-created", outcome);
    let expected = ["begun", "allowed", "begun", "refused"].map(created);
    assert_eq!(events(&records, "k"), expected);
    assert_eq!(events(&records, "none"), [("key-deleted", "begun"), ("key-deleted", "refused")]);
    // The key of that name is untouched.
    assert!(site.release(&Guest::new(), "k").await.is_ok());
}

// attack 57
#[tokio::test]
async fn a_name_can_be_used_again_whatever_became_of_it_before() {
    let site = Site::new().await;
    let administrator = caller(&Tenant::default());
    for _ in 0..8 {
        // Given up at whatever point it has come to.
        abandon(site.host.create_key(&administrator, "alice", new_key("k"))).await;
        let _ = site.host.delete_key(&administrator, "alice", "k").await;
    }
    let made = async {
        loop {
            match site.host.create_key(&administrator, "alice", new_key("k")).await {
                Ok(made) => return made,
                // One of the abandoned ones came through last.
                Err(refusal) => assert_eq!(refusal.code, Code::Conflict),
            }
            site.host.delete_key(&administrator, "alice", "k").await.ok();
        }
    };
    assert!(made.await.enabled);
    assert!(site.release(&Guest::new(), "k").await.is_ok());
}

// attack 64, invariant 5
#[tokio::test]
async fn evidence_that_is_refused_after_its_challenge_was_spent_stands_in_the_log() {
    let site = Site::new().await;
    let guest = Guest::new();
    site.key("k").await;
    let challenge = site.challenge_for(&guest, "k");
    let mut report = guest.report(&challenge);
    report[0x2a0] ^= 1;
    let forged = guest.answer_with(&challenge, report);
    assert_eq!(code(site.submit(&guest, "k", forged).await), Code::EvidenceSignature);
    let record = site.records().pop().unwrap();
    assert_eq!((&record["event"], &record["outcome"]), (&"refused".into(), &"refused".into()));
    assert_eq!(record["code"], "evidence-signature");
    assert_eq!(record["verifier"]["name"], "verifier-snp");
    assert!(record["evidence"].is_string() && record["challenge"].is_string());
}
