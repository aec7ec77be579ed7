//! Nothing secret in the open: not in logs, answers, errors, records or on the disk.

use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::http::{ChallengeRequest, Credential};
use claviger::keys::RecipientKind;
use claviger::random::{Random, SystemRandomness};
use claviger::secret::Secret;
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::hostile::CONNECTOR;
use claviger_tests::site::{ADMINISTRATOR, Ground, Guest, Journal, Site};
use data_encoding::{BASE32_NOPAD, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// How bytes are written where they should not be.
pub(crate) fn spellings(secret: &[u8]) -> Vec<String> {
    let list = format!("{secret:?}");
    vec![
        HEXLOWER.encode(secret),
        HEXUPPER.encode(secret),
        BASE64.encode(secret),
        BASE64_NOPAD.encode(secret),
        BASE64URL_NOPAD.encode(secret),
        BASE32_NOPAD.encode(secret),
        list.trim_matches(['[', ']']).to_owned(),
        list.replace(", ", ","),
        String::from_utf8_lossy(secret).into_owned(),
    ]
}

fn assert_absent(place: &str, text: &str, secret: &[u8]) {
    for spelling in spellings(secret) {
        assert!(!text.contains(&spelling), "{place} holds a secret");
    }
}

/// Everything that the store holds, as it lies there.
fn stored(ground: &Ground) -> Vec<u8> {
    let keys = ground.store.range("", None, 10_000).unwrap();
    let values = keys.iter().map(|key| ground.store.get(key).unwrap().unwrap());
    values.flatten().collect()
}

// attack 62, invariant 9
#[tokio::test]
async fn a_key_is_in_no_log_record_answer_or_store_through_its_whole_life() {
    let journal = Journal::open();
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, administrator) = (served.client(), served.administrator());
    let mut material = vec![0; 32];
    SystemRandomness::default().fill(&mut material).unwrap();
    let import = serde_json::json!({
        "name": "secret", "kind": "oct-256", "release_policy": "affirming",
        "material": BASE64URL_NOPAD.encode(&material),
    });
    administrator.create_key(&serde_json::from_value(import.clone()).unwrap()).await.unwrap();
    // Again, and in ways that fail, so that errors have their chance to repeat it.
    let headers =
        format!("authorization: Bearer {ADMINISTRATOR}\r\ncontent-type: application/json\r\n");
    let mut raw = served.raw_admin().await;
    let mut answers = String::new();
    for (member, value) in [
        ("name", serde_json::json!("secret")),
        ("name", serde_json::json!("../x")),
        ("kind", serde_json::json!("rsa-2048")),
        ("kind", serde_json::json!(7)),
        ("release_policy", serde_json::json!("none")),
        ("unknown", serde_json::json!(1)),
        ("material", serde_json::json!(format!("{}!", BASE64URL_NOPAD.encode(&material)))),
    ] {
        let mut body = import.clone();
        body[member] = value;
        let answer = raw.ask("POST", "/v1/keys", &headers, &body.to_string()).await;
        assert!(answer.status >= 400, "{member}");
        answers.push_str(&answer.text);
    }
    for kind in [RecipientKind::X25519, RecipientKind::Rsa2048] {
        let guest = Guest::with_key(kind);
        let request = ChallengeRequest::Release { key: "secret".into() };
        let challenge = client.challenge(&request).await.unwrap();
        let release = client.release("secret", &guest.asks(&challenge)).await.unwrap();
        assert_eq!(guest.open(&release.jwe), material);
        answers.push_str(&serde_json::to_string(&release).unwrap());
    }
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    assert!(site.release(&debugged, "secret").await.is_err());
    administrator.rotate_key("secret").await.unwrap();
    administrator.delete_key("secret").await.unwrap();

    assert!(!answers.is_empty());
    assert_absent("an answer", &answers, &material);
    let log = journal.text();
    assert!(log.contains("claviger"), "the journal is empty");
    assert_absent("the log", &log, &material);
    assert!(!log.contains(ADMINISTRATOR), "the log holds the administrator's token");
    let records = serde_json::to_string(&site.records()).unwrap();
    assert_absent("the audit log", &records, &material);
}

// invariant 9
#[tokio::test]
async fn the_store_holds_a_key_only_sealed() {
    let site = Site::new().await;
    let material = site.key("k").await;
    let stored = stored(&site.ground);
    assert!(!stored.is_empty());
    let text = String::from_utf8_lossy(&stored);
    assert_absent("the store", &text, &material);
    assert!(!stored.windows(material.len()).any(|window| window == material));
    let master = std::fs::read(site.ground.path().join("master.key")).unwrap();
    assert!(!stored.windows(master.len()).any(|window| window == master));
    // Without its master key the store opens for nobody.
    let Site { ground, host } = site;
    host.close().await.unwrap();
    drop(host);
    std::fs::write(ground.path().join("master.key"), [7; 32]).unwrap();
    let refused = ground.try_build(ground.plan()).await.err().unwrap();
    assert!(refused.starts_with("the sealed store"), "{refused}");
}

// attack 63, invariant 9
#[tokio::test]
async fn a_master_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new().await;
    let Site { ground, host } = site;
    host.close().await.unwrap();
    drop(host);
    let path = ground.path().join("master.key");
    for mode in [0o640, 0o604, 0o660, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = ground.try_build(ground.plan()).await.err().unwrap();
        assert!(refused.starts_with("the sealed store"), "{mode:o}: {refused}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(ground.try_build(ground.plan()).await.is_ok());
}

// attack 62
#[tokio::test]
async fn a_refusal_tells_its_code_and_no_internals() {
    let site = Site::with(|ground, plan| {
        plan.plugins.push(ground.plugin("kms-hostile", CONNECTOR));
        plan.kms = "kms-hostile".to_owned();
    })
    .await;
    site.key("panic").await;
    let (served, guest) = (site.serve().await, Guest::new());
    let mut raw = served.raw().await;
    let challenge = site.challenge_for(&guest, "panic");
    let body = serde_json::to_string(&guest.asks(&challenge)).unwrap();
    let answer = raw.post("/v1/keys/panic/release", &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "plugin-failed"));
    let answer_body = answer.body();
    let members: Vec<_> = answer_body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["code", "request_id", "status", "title", "type"]);
    for internal in ["last words", "src/", "wasm", "hostile", site.ground.path().to_str().unwrap()]
    {
        assert!(!answer.text.contains(internal), "{}", answer.text);
    }
}

// invariant 9
#[test]
fn what_holds_a_secret_does_not_print_it() {
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    let key = NewKey {
        name: "k".into(),
        kind: "oct-256".into(),
        material: Some(Secret::new(secret.clone())),
        release_policy: NewReleasePolicy::affirming(),
    };
    assert_absent("a new key", &format!("{key:?}"), &secret);
    let token = "administrators-token";
    let credential = format!("{:?}", Credential::of_token(token));
    assert!(!credential.contains(token));
    let family = format!("{:?}", claviger_tests::site::family());
    assert!(!family.contains("PRIVATE"), "{family}");
}
