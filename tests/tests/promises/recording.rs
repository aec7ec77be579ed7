//! Recorded before released: no answer carries a key before its record is durable, and where it
//! cannot be recorded there is no answer.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use claviger::audit::{prove, verify};
use claviger::error::Code;
use claviger::flow::ReleasedKey;
use claviger::http::{ChallengeRequest, NewKeyRequest};
use claviger::simulated::report::POLICY_DEBUG;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Holds an answer against the log as it stands on the disk now.
fn assert_recorded(site: &Site, guest: &Guest, key: &str, released: &ReleasedKey) {
    let records = site.records();
    let record = &records[usize::try_from(released.audit_index).unwrap()];
    assert_eq!(record["event"], "released");
    assert_eq!(record["outcome"], "allowed");
    assert_eq!((&record["key"], &record["version"]), (&key.into(), &"1".into()));
    assert_eq!(record["jwe"], sha256(released.jwe.as_bytes()));
    assert_eq!(record["simulated"], true);
    assert_eq!(record["verifier"]["name"], "verifier-snp");
    assert_eq!(record["connector"]["name"], "kms-local");
    let thumbprint = guest.key.thumbprint();
    let recipient = record["recipient"].as_str().unwrap();
    assert!(recipient.contains(&BASE64URL_NOPAD.encode(&thumbprint)), "{recipient}");
    // Of a release on a token without it, the path stands where that token was issued.
    let issued = |other: &&serde_json::Value| {
        other["event"] == "attested" && other["token"] == record["token"]
    };
    let rests_on = match record["token"].is_null() {
        true => record,
        false => records.iter().find(issued).unwrap(),
    };
    let path = rests_on["trust_path"].as_array().unwrap();
    assert!(path[0].as_str().unwrap().starts_with("anchor: SIMULATED root"), "{path:?}");
}

// invariant 5
#[tokio::test]
async fn a_release_is_on_the_disk_when_its_answer_arrives() {
    let site = Site::new().await;
    let guest = Guest::new();
    site.key("k").await;
    for _ in 0..3 {
        let challenge = site.challenge_for(&guest, "k");
        let answer = guest.answer(&challenge);
        let evidence = sha256(&answer.evidence.data.0);
        let released = site.submit(&guest, "k", answer).await.unwrap();
        assert_recorded(&site, &guest, "k", &released);
        let record = &site.records()[usize::try_from(released.audit_index).unwrap()];
        assert_eq!(record["evidence"], evidence);
        assert_eq!(record["challenge"], sha256(&challenge.nonce.0));
    }
    let token = site.attest(&guest).await.unwrap();
    let index = usize::try_from(token.audit_index).unwrap();
    assert_eq!(site.records()[index]["event"], "attested");
    let released = site.redeem(&guest, "k", &token.token).await.unwrap();
    assert_recorded(&site, &guest, "k", &released);
}

// invariant 5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_many_releases_at_once_has_a_record_of_its_own() {
    let site = std::sync::Arc::new(Site::new().await);
    site.key("k").await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let site = site.clone();
            tokio::spawn(async move {
                let guest = Guest::new();
                let released = site.release(&guest, "k").await.unwrap();
                assert_recorded(&site, &guest, "k", &released);
                released.audit_index
            })
        })
        .collect();
    let mut indices = Vec::new();
    for task in tasks {
        indices.push(task.await.unwrap());
    }
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), 40);
    site.host.close().await.unwrap();
    let log = verify(&site.ground.audit(), None).unwrap();
    assert_eq!(log.records, site.records().len() as u64);
    for index in indices {
        let proof = prove(&site.ground.audit(), index).unwrap().unwrap();
        proof.verify(&log.key).unwrap();
    }
}

type Spoil = fn(&Path);

/// Ways in which a log becomes unwritable under a running host.
fn spoilers() -> [(&'static str, Spoil); 3] {
    [
        ("somebody else appends", |directory| {
            let log = directory.join("audit.jsonl");
            let mut file = OpenOptions::new().append(true).open(log).unwrap();
            file.write_all(b"{\"forged\":true}\n").unwrap();
        }),
        ("somebody removes it", |directory| {
            std::fs::remove_file(directory.join("audit.jsonl")).unwrap();
        }),
        ("somebody cuts it", |directory| {
            let log = OpenOptions::new().write(true).open(directory.join("audit.jsonl")).unwrap();
            log.set_len(10).unwrap();
        }),
    ]
}

// attacks 56 and 64, invariant 5
#[tokio::test]
async fn where_nothing_can_be_recorded_nothing_is_released_made_or_attested() {
    for (how, spoil) in spoilers() {
        let site = Site::new().await;
        let (guest, _) = (Guest::new(), site.key("k").await);
        let token = site.attest(&guest).await.unwrap().token;
        assert!(site.release(&guest, "k").await.is_ok());
        let served = site.serve().await;
        let client = served.client();
        spoil(&site.ground.audit());
        for _ in 0..2 {
            let request = ChallengeRequest::Release { key: "k".into() };
            let challenge = client.challenge(&request).await.unwrap();
            let refused = client.release("k", &guest.asks(&challenge)).await.unwrap_err();
            assert_eq!(refused.code(), Some("audit-unavailable"), "{how}");
        }
        let redeemed = site.redeem(&guest, "k", &token).await;
        assert_eq!(code(redeemed), Code::AuditUnavailable, "{how}");
        assert_eq!(code(site.attest(&guest).await), Code::AuditUnavailable, "{how}");
        let refused = served
            .administrator()
            .create_key(&NewKeyRequest {
                name: "new".into(),
                kind: "oct-256".into(),
                material: None,
                release_policy: "affirming".into(),
            })
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Some("audit-unavailable"), "{how}");
        // A refusal that cannot be recorded is no other answer.
        let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
        let refused = site.release(&debugged, "k").await;
        assert_eq!(code(refused), Code::AuditUnavailable, "{how}");
        let health = client.health().await.unwrap();
        assert!(!health.healthy && health.parts["audit"] == "failed", "{how}: {health:?}");
    }
}

// attack 56
#[tokio::test]
async fn a_host_does_not_start_on_a_log_that_somebody_edited() {
    for (how, spoil) in spoilers() {
        let site = Site::new().await;
        site.key("k").await;
        let Site { ground, host } = site;
        host.close().await.unwrap();
        drop(host);
        spoil(&ground.audit());
        let refused = ground.try_build(ground.plan()).await.err();
        assert!(refused.is_some_and(|why| why.starts_with("the audit log")), "{how}");
    }
}

// attack 64, invariant 5
#[tokio::test]
async fn a_refusal_of_genuine_evidence_is_recorded_with_its_reason() {
    let site = Site::new().await;
    site.key("k").await;
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    assert_eq!(code(site.release(&debugged, "k").await), Code::NotAffirming);
    let records = site.records();
    let record = records.last().unwrap();
    assert_eq!((&record["event"], &record["outcome"]), (&"refused".into(), &"refused".into()));
    assert_eq!((&record["code"], &record["key"]), (&"not-affirming".into(), &"k".into()));
    let reason = record["reason"].as_str().unwrap();
    assert!(reason.contains("snp-no-debug: snp.policy_debug is true, wanted false"), "{reason}");
    assert_eq!(record["jwe"], serde_json::Value::Null);
}

// invariant 5
#[tokio::test]
async fn what_an_administrator_does_to_a_key_is_recorded_under_its_name() {
    let site = Site::new().await;
    site.key("k").await;
    let (served, by) = (site.serve().await, "tests");
    let administrator = served.administrator();
    administrator.rotate_key("k").await.unwrap();
    administrator.set_key_enabled("k", Some("1"), false).await.unwrap();
    administrator.set_key_enabled("k", None, true).await.unwrap();
    administrator.delete_key("k").await.unwrap();
    let refused = site.host.delete_key(&caller(&Tenant::default()), by, "../k").await;
    assert_eq!(code(refused), Code::KeyNotFound);
    let records = site.records();
    let events: Vec<_> = records.iter().filter(|record| record["key"] == "k").collect();
    let names: Vec<_> = events.iter().map(|record| record["event"].as_str().unwrap()).collect();
    // Each twice: as it begins, and with its outcome.
    let expected = ["key-created", "key-rotated", "key-disabled", "key-enabled", "key-deleted"];
    assert_eq!(names, expected.map(|name| [name; 2]).concat());
    let outcomes = events.chunks(2).map(|pair| (&pair[0]["outcome"], &pair[1]["outcome"]));
    assert!(outcomes.into_iter().all(|pair| pair == (&"begun".into(), &"allowed".into())));
    assert!(events.iter().all(|record| record["principal"] == by));
}
