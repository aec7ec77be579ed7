//! A secret that a connector knows, or a service repeats to it, reaches neither caller nor log nor record.

use std::collections::BTreeMap;

use claviger::credentials::{CredentialKind, CredentialPlan, HeaderPlan, SecretSource};
use claviger::egress::{TargetPlan, TlsPlan};
use claviger::error::Code;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::hostile::{REMOTE, REMOTE_IMPORTS};
use claviger_tests::server::Server;
use claviger_tests::service::Reply;
use claviger_tests::site::{Answer, Guest, Journal, Site, caller, code, new_key};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

use super::secrecy::spellings;

/// What the operator gives the connector; no other test says it.
const TOKEN: &[u8] = b"hvs.u9Qz-l3aky/+t0ken%ofMine";

const WAYS: [&str; 8] =
    ["plain", "base64", "base64url", "hex", "percent", "json", "numbers", "backwards"];

/// A host whose connector was given a secret by value.
async fn site() -> Site {
    Site::with(|ground, plan| {
        let mut plugin = ground.plugin("kms-hostile-remote", REMOTE);
        plugin.secrets = BTreeMap::from([("token".to_owned(), Secret::new(TOKEN.to_vec()))]);
        plugin.imports = Some(REMOTE_IMPORTS.map(str::to_owned).into());
        plan.plugins.push(plugin);
        plan.kms = "kms-hostile-remote".to_owned();
    })
    .await
}

/// A release of this key, asked for from outside.
async fn asked(site: &Site, name: &str) -> Answer {
    site.key(name).await;
    let (served, guest) = (site.serve().await, Guest::new());
    let challenge = site.challenge_for(&guest, name);
    let body = serde_json::to_string(&guest.asks(&challenge)).unwrap();
    served.raw().await.post(&format!("/v1/keys/{name}/release"), &body).await
}

/// No spelling of the secret, of a half of it or of it backwards stands there.
fn nothing_of(secret: &[u8], place: &str, text: &str) {
    let (half, rest) = secret.split_at(secret.len() / 2);
    let backwards: Vec<_> = secret.iter().rev().copied().collect();
    for part in [secret, half, rest, &backwards] {
        let percent: String = part.iter().map(|byte| format!("%{byte:02X}")).collect();
        let json: String = part.iter().map(|byte| format!("\\u{byte:04x}")).collect();
        for spelling in spellings(part).into_iter().chain([percent, json]) {
            assert!(!text.contains(&spelling), "{place} holds {spelling:?}");
        }
    }
}

fn nothing_leaked(site: &Site, journal: Journal, answers: &str, secret: &[u8]) {
    nothing_of(secret, "an answer", answers);
    nothing_of(secret, "the log", &journal.text());
    nothing_of(secret, "the audit log", &serde_json::to_string(&site.records()).unwrap());
}

// attacks 50 and 62, invariant 9
#[tokio::test]
async fn a_secret_in_a_connectors_words_reaches_neither_caller_nor_log_nor_record() {
    let (journal, site) = (Journal::open(), site().await);
    let mut answers = String::new();
    for (place, code) in [
        ("error", "kms-denied"),
        ("unavailable", "kms-unavailable"),
        ("panic", "plugin-failed"),
        ("log", ""),
    ] {
        for how in WAYS {
            let answer = asked(&site, &format!("tell-{place}-{how}")).await;
            assert_eq!(answer.code(), code, "{place} {how}: {}", answer.text);
            answers.push_str(&answer.text);
        }
    }
    for how in ["plain", "hex", "json"] {
        answers.push_str(&asked(&site, &format!("tell-halves-{how}")).await.text);
        answers.push_str(&asked(&site, &format!("tell-letters-{how}")).await.text);
    }
    nothing_leaked(&site, journal, &answers, TOKEN);
    // Letter by letter neither: who has read a secret says nothing more.
    assert!(journal.lines(&["kms-hostile-remote", "<h>"]).is_empty());
    assert!(!journal.lines(&["kms-hostile-remote", "[withheld"]).is_empty());

    // What an earlier call put by is known as well, and only that is withheld.
    assert_eq!(asked(&site, "keep").await.status, 200);
    for how in WAYS.iter().filter(|how| **how != "backwards") {
        for place in ["error", "log", "panic", "halves"] {
            answers.push_str(&asked(&site, &format!("recall-{place}-{how}")).await.text);
        }
    }
    nothing_leaked(&site, journal, &answers, TOKEN);
    site.key("recall-error-nothing").await;
    let refusal = site.release(&Guest::new(), "recall-error-nothing").await.unwrap_err();
    assert!(refusal.reason.ends_with("not with nothing at all"), "{refusal}");
}

// attacks 50 and 62, invariant 9
#[tokio::test]
async fn a_secret_in_what_a_connector_says_of_a_key_is_not_passed_on() {
    let (journal, site) = (Journal::open(), site().await);
    let mut answers = String::new();
    for place in ["version", "media", "fields"] {
        for how in ["plain", "base64url", "hex", "percent"] {
            let answer = asked(&site, &format!("tell-{place}-{how}")).await;
            assert_eq!(answer.code(), "plugin-failed", "{place} {how}: {}", answer.text);
            answers.push_str(&answer.text);
        }
    }
    let administrator = caller(&Tenant::default());
    for name in ["made-of-its-kind", "made-of-its-version"] {
        let made = site.host.create_key(&administrator, "tests", new_key(name)).await;
        assert_eq!(code(made), Code::PluginFailed, "{name}");
    }
    for cursor in [None, Some("next")] {
        let listed = site.host.list_keys(&administrator, cursor.map(str::to_owned)).await;
        assert_eq!(code(listed), Code::PluginFailed, "{cursor:?}");
    }
    site.key("k").await;
    assert_eq!(code(site.host.key_versions(&administrator, "k").await), Code::PluginFailed);
    assert_eq!(site.releases(), 0);
    nothing_leaked(&site, journal, &answers, TOKEN);
}

/// What the host attaches, and what it withholds; no other test says them.
const CREDENTIAL: &str = "hvs.b7Kx/cr3d+ential%ofTheHost";
const KEY: &[u8] = b"a key of 32 bytes for this test!";

// attacks 50 and 62, invariants 9 and 10
#[tokio::test]
async fn what_a_service_repeats_of_credential_and_key_does_not_reach_the_connector() {
    let journal = Journal::open();
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), |asked| {
        let sent = asked.header("x-vault-token").unwrap_or_default().to_owned();
        let secret = if asked.path().contains("/key") { KEY } else { sent.as_bytes() };
        let spelled = match asked.path().rsplit('/').next() {
            Some("plain") => String::from_utf8_lossy(secret).into_owned(),
            Some("base64") => BASE64.encode(secret),
            Some("base64url") => BASE64URL_NOPAD.encode(&[b"me:", secret].concat()),
            Some("hex") => HEXLOWER.encode(secret),
            Some("percent") => secret.iter().map(|byte| format!("%{byte:02x}")).collect(),
            Some("json") => secret.iter().map(|byte| format!("\\u{byte:04x}")).collect(),
            _ => format!("{secret:?}"),
        };
        let value = BASE64.encode(KEY);
        let body = format!(r#"{{"value":"{value}","said":"you and {spelled}"}}"#);
        let headers = vec![("content-type", "application/json".to_owned()), ("x-said", spelled)];
        Reply { headers, body: body.into_bytes(), ..Reply::status(200) }
    });
    let server = server.await;
    let ways = ["plain", "base64", "base64url", "hex", "percent", "json", "numbers"];
    let urls: Vec<_> = ["credential", "key"]
        .iter()
        .flat_map(|secret| ways.map(|way| format!("{}/{secret}/{way}", server.url)))
        .collect();
    let token = folder.path().join("token");
    std::fs::write(&token, CREDENTIAL).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let header = HeaderPlan {
        header: "x-vault-token".to_owned(),
        prefix: String::new(),
        source: SecretSource::File(token),
    };
    let credential = CredentialPlan { name: "it".to_owned(), kind: CredentialKind::Header(header) };
    let target = TargetPlan {
        url: format!("{}/", server.url),
        methods: ["GET".to_owned()].into(),
        tls: TlsPlan { roots: server.ca.clone(), identity: None },
        addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        credential: Some(credential),
        withhold: vec!["/value".parse().unwrap()],
        ..TargetPlan::default()
    };
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("kms-hostile-remote", REMOTE);
        plugin.targets = vec![target];
        plugin.values.insert("urls".to_owned(), urls.join("\n"));
        // It has no secret by value: nothing of its words is withheld for that.
        plugin.imports = Some(REMOTE_IMPORTS.map(str::to_owned).into());
        plan.plugins.push(plugin);
        plan.kms = "kms-hostile-remote".to_owned();
    });
    let site = site.await;
    let mut answers = String::new();
    for number in 0..urls.len() {
        answers.push_str(&asked(&site, &format!("fetch-{number}")).await.text);
    }
    assert_eq!(server.asked().len(), urls.len());
    // It did hear, and did repeat it.
    let heard = journal.lines(&["kms-hostile-remote", "heard 200", "you and [withheld]"]);
    assert!(heard.len() >= urls.len(), "{heard:?}");
    for secret in [CREDENTIAL.as_bytes(), KEY] {
        nothing_leaked(&site, journal, &answers, secret);
    }
    assert_eq!(site.releases(), 0);
}
