//! Administration belongs to administrators.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use super::support::{FakeHost, Served, settings, start_host};
use crate::audit::Digest;
use crate::client::{Client, ClientSettings};
use crate::http::admin::ROUTES;
use crate::http::{
    Administrator, Credential, HttpSettings, NewKeyRequest, Rate, RotateTokenKeyRequest,
    SecretBytes,
};
use crate::permission::{Permission, Permissions};
use crate::reference::Container;
use crate::secret::Secret;
use crate::telemetry::capture::capture;
use crate::tenant::Tenant;

const TOKEN: &str = "an-administrators-token";

fn administrator(name: &str, tenant: Option<&str>, credential: Credential) -> Administrator {
    Administrator {
        name: name.into(),
        tenant: tenant.map(|tenant| Tenant::parse(tenant).unwrap()),
        permissions: Permissions::all(),
        credential,
    }
}

async fn start(settings: HttpSettings) -> Served {
    let administrators = vec![
        administrator("alice", None, Credential::of_token(TOKEN)),
        administrator("bob", Some("team-7"), Credential::of_token("bobs-token")),
    ];
    start_host(FakeHost::default(), settings, administrators, None).await
}

fn new_key() -> NewKeyRequest {
    NewKeyRequest {
        name: "k".into(),
        kind: "oct-256".into(),
        material: Some(SecretBytes(Secret::new(vec![7; 32]))),
        release_policy: "affirming".into(),
    }
}

#[tokio::test]
async fn an_administrator_manages_keys() {
    let served = start(settings()).await;
    let client = Client::new(served.admin_settings().token(TOKEN)).unwrap();
    let key = client.create_key(&new_key()).await.unwrap();
    assert_eq!((key.name.as_str(), key.updated.as_str()), ("k", "2026-01-01T00:01:00Z"));
    let page = client.list_keys(None).await.unwrap();
    assert_ne!(page.next.as_deref(), Some("page-2"));
    let last = client.list_keys(page.next.as_deref()).await.unwrap();
    assert!(last.next.is_none());
    client.key("k").await.unwrap();
    assert_eq!(client.key_versions("k").await.unwrap().versions.len(), 1);
    assert_eq!(client.release_policy("k").await.unwrap().id, "affirming");
    client.set_release_policy("k", &"affirming".into()).await.unwrap();
    client.rotate_key("k").await.unwrap();
    client.set_key_enabled("k", Some("2"), false).await.unwrap();
    client.set_key_enabled("k", None, true).await.unwrap();
    client.delete_key("k").await.unwrap();
    assert_eq!(client.plugins().await.unwrap().plugins.len(), 1);
    assert!(client.audit_checkpoint().await.unwrap().starts_with("claviger\n"));
    assert!(client.key("../plugins").await.is_err());
    let called = served.host.called();
    assert!(called[0].contains("material: Some([secret, 32 bytes])"), "{}", called[0]);
    assert_eq!(
        called[1..],
        [
            "default alice lists from None",
            "default alice lists from Some(\"page-2\")",
            "default alice reads k",
            "default alice lists versions of k",
            "default alice reads the policy of k",
            "default alice sets the policy of k to NewReleasePolicy { language: Affirming, \
             text: \"\", immutable: false }",
            "default alice rotates k",
            "default alice sets k Some(\"2\") false",
            "default alice sets k None true",
            "default alice deletes k",
        ]
    );
}

#[tokio::test]
async fn nobody_else_administers_and_every_stranger_gets_the_same_answer() {
    // attacks 55 and 60
    let failed_authentications = Rate { burst: 1000, interval: Duration::from_millis(1) };
    let served = start(HttpSettings { failed_authentications, ..settings() }).await;
    let mut raw = served.raw_admin().await;
    let longer = format!("authorization: Bearer {TOKEN}x\r\n");
    let padded = format!("authorization: Bearer  {TOKEN}\r\n");
    let basic = format!("authorization: Basic {TOKEN}\r\n");
    let twice = format!("authorization: Bearer {TOKEN}\r\nauthorization: Bearer {TOKEN}\r\n");
    let mut answers = Vec::new();
    for headers in [
        "",
        "authorization: Bearer\r\n",
        "authorization: Bearer \r\n",
        "authorization: Bearer wrong\r\n",
        &longer,
        &padded,
        &basic,
        &twice,
        "authorization: Bearer \u{e9}\r\n",
        "x-client-certificate: alice\r\n",
    ] {
        for line in [
            "GET /v1/keys",
            "POST /v1/keys",
            "DELETE /v1/keys/k",
            "POST /v1/keys/k/rotate",
            "POST /v1/keys/k/enable",
            "POST /v1/keys/k/disable",
            "GET /v1/keys/k",
            "GET /v1/keys/k/versions",
            "GET /v1/keys/k/release-policy",
            "PUT /v1/keys/k/release-policy",
            "GET /v1/plugins",
            "POST /v1/references",
            "DELETE /v1/references/0",
            "GET /v1/audit/checkpoint",
        ] {
            let mut refused = raw.ask(line, headers, "").await;
            assert_eq!(
                (refused.status, refused.code()),
                (401, "unauthenticated"),
                "{line} {headers}"
            );
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            refused.body["request_id"].take();
            answers.push(refused.body);
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(served.host.called().is_empty());
}

// attack 62
#[tokio::test]
async fn an_administrator_learns_what_was_wrong_with_the_request_and_nobody_else_does() {
    let served = start(settings()).await;
    let json = "content-type: application/json\r\n";
    let known = format!("authorization: Bearer {TOKEN}\r\n{json}");
    let key = |name: &str| {
        format!(r#"{{"name":"{name}","kind":"oct-256","release_policy":"affirming"}}"#)
    };
    let mut raw = served.raw_admin().await;
    let refused = raw.ask("POST /v1/keys", &known, r#"{"name":"k","colour":"red"}"#).await;
    assert_eq!(refused.code(), "request-malformed");
    assert!(refused.body["detail"].as_str().unwrap().contains("colour"), "{refused:?}");
    let refused = raw.ask("POST /v1/keys", &known, &key("taken")).await;
    assert_eq!(refused.code(), "conflict");
    assert_eq!(refused.body["detail"], "taken\\u{1b}[2J is there already");
    let client = Client::new(served.admin_settings().token(TOKEN)).unwrap();
    let error = client.create_key(&NewKeyRequest { name: "taken".into(), ..new_key() }).await;
    let said = error.unwrap_err().to_string();
    assert!(said.contains("is there already") && !said.contains('\u{1b}'), "{said}");

    // Not what goes on inside; not to strangers, nor to who administers another tenant; and not
    // where workloads ask.
    let refused = raw.ask("POST /v1/keys", &known, &key("broken")).await;
    assert_eq!((refused.code(), &refused.body["detail"]), ("kms-unavailable", &Value::Null));
    let bob = format!("authorization: Bearer bobs-token\r\n{json}");
    for stranger in [json, &bob] {
        let refused = raw.ask("POST /v1/keys", stranger, "{").await;
        assert_eq!(refused.body["detail"], Value::Null, "{refused:?}");
    }
    let refused = served.raw().await.ask("POST /v1/challenges", &known, "{").await;
    assert_eq!((refused.code(), &refused.body["detail"]), ("request-malformed", &Value::Null));
}

#[tokio::test]
async fn an_administrator_of_one_tenant_administers_no_other() {
    let served = start(settings()).await;
    let client = |tenant: Option<&str>| {
        let tenant = tenant.map(|tenant| Tenant::parse(tenant).unwrap());
        let settings = served.admin_settings().token("bobs-token");
        Client::new(ClientSettings { tenant, ..settings }).unwrap()
    };
    assert!(client(Some("team-7")).list_keys(None).await.is_ok());
    for other in [None, Some("team-8")] {
        let refused = client(other).list_keys(None).await.unwrap_err();
        assert_eq!(refused.code(), Some("forbidden"));
    }
    assert_eq!(served.host.called(), ["team-7 bob lists from None"]);
}

/// Every route of administration with a body, and what one must be permitted to use it.
const NEEDED: &[(&str, &str, &[Permission])] = {
    use Permission as P;
    &[
        ("get /keys", "", &[P::KeysList]),
        ("post /keys", NEW, &[P::KeysCreate]),
        ("post /keys", IMPORTED, &[P::KeysImport]),
        ("get /keys/{name}", "", &[P::KeysGet]),
        ("delete /keys/{name}", "", &[P::KeysDelete, P::KeysPurge]),
        ("get /keys/{name}/release-policy", "", &[P::KeysGet]),
        ("put /keys/{name}/release-policy", "\"affirming\"", &[P::KeysUpdate]),
        ("get /keys/{name}/versions", "", &[P::KeysList]),
        ("post /keys/{name}/rotate", "{}", &[P::KeysRotate]),
        ("post /keys/{name}/enable", "{}", &[P::KeysUpdate]),
        ("post /keys/{name}/disable", "{}", &[P::KeysUpdate]),
        ("get /keys/{name}/details", "", &[P::KeysGet]),
        ("patch /keys/{name}", "{}", &[P::KeysUpdate]),
        ("put /keys/{name}", r#"{"kind":"oct-256"}"#, &[P::KeysCreate]),
        ("put /keys/{name}", r#"{"kind":"oct","material":"AAAA"}"#, &[P::KeysImport]),
        ("put /keys/{name}", WRAPPED, &[P::KeysImport]),
        ("post /keys/{name}/perform", ENCRYPT, &[P::KeysEncrypt]),
        ("post /keys/{name}/perform", DECRYPT, &[P::KeysDecrypt]),
        ("get /keys/{name}/rotation-policy", "", &[P::KeysGetRotationPolicy]),
        ("put /keys/{name}/rotation-policy", "{}", &[P::KeysSetRotationPolicy]),
        ("post /keys/{name}/backup", "", &[P::KeysBackup]),
        ("post /keys/{name}/delete", "", &[P::KeysDelete]),
        ("post /key-backups", BACKUP, &[P::KeysRestore]),
        ("get /deleted-keys", "", &[P::KeysList]),
        ("get /deleted-keys/{name}", "", &[P::KeysGet]),
        ("post /deleted-keys/{name}/recover", "", &[P::KeysRecover]),
        ("delete /deleted-keys/{name}", "", &[P::KeysPurge]),
        ("get /secrets", "", &[P::SecretsList]),
        ("put /secrets/{name}", r#"{"value":"AAAA"}"#, &[P::SecretsSet]),
        ("get /secrets/{name}", "", &[P::SecretsGet]),
        ("patch /secrets/{name}", "{}", &[P::SecretsSet]),
        ("put /secrets/{name}/release-policy", "\"affirming\"", &[P::SecretsSet]),
        ("get /secrets/{name}/versions", "", &[P::SecretsList]),
        ("post /secrets/{name}/backup", "", &[P::SecretsBackup]),
        ("post /secrets/{name}/delete", "", &[P::SecretsDelete]),
        ("post /secret-backups", BACKUP, &[P::SecretsRestore]),
        ("get /deleted-secrets", "", &[P::SecretsList]),
        ("get /deleted-secrets/{name}", "", &[P::SecretsGet]),
        ("post /deleted-secrets/{name}/recover", "", &[P::SecretsRecover]),
        ("delete /deleted-secrets/{name}", "", &[P::SecretsPurge]),
        ("get /plugins", "", &[P::PluginsList]),
        ("post /plugins", "wasm", &[P::PluginsChange]),
        ("put /plugins/{name}", "wasm", &[P::PluginsChange]),
        ("post /plugins/{name}/choose", "{}", &[P::PluginsChange]),
        ("post /plugins/{name}/disable", "{}", &[P::PluginsChange]),
        ("post /plugins/{name}/rollback", "{}", &[P::PluginsChange]),
        ("get /references", "", &[P::ReferencesList]),
        ("post /references", "rim", &[P::ReferencesChange]),
        ("get /references/history", "", &[P::ReferencesList]),
        ("get /references/{id}", "", &[P::ReferencesList]),
        ("delete /references/{id}", "", &[P::ReferencesChange]),
        ("get /requests/{id}", "", &[P::AuditRead]),
        ("get /token-keys", "", &[P::TokenKeysList]),
        ("post /token-keys/rotate", "{}", &[P::TokenKeysRotate]),
        ("get /audit/checkpoint", "", &[P::AuditRead]),
    ]
};

const ENCRYPT: &str = r#"{"operation":"encrypt","algorithm":"A256GCM","value":"AAAA"}"#;
const DECRYPT: &str = r#"{"operation":"decrypt","algorithm":"A256GCM","value":"AAAA"}"#;
const BACKUP: &str = r#"{"backup":"AAAA"}"#;
const WRAPPED: &str =
    r#"{"kind":"oct","wrapped":{"by":"k","algorithm":"RSA_AES_KEY_WRAP_256","value":"AAAA"}}"#;
const NEW: &str = r#"{"name":"k","kind":"oct-256","release_policy":"affirming"}"#;
const IMPORTED: &str =
    r#"{"name":"k","kind":"oct-256","material":"AAAA","release_policy":"affirming"}"#;

// attack 60
#[tokio::test]
async fn each_call_needs_its_permission_and_no_other() {
    let open = ["/health", "/openapi.json"];
    for (method, path) in ROUTES.iter().filter(|(_, path)| !open.contains(path)) {
        let route = format!("{method} {path}");
        assert!(NEEDED.iter().any(|(needed, ..)| *needed == route), "{route} is not in the table");
    }
    let mut administrators = Vec::new();
    for (index, (_, _, needed)) in NEEDED.iter().enumerate() {
        let mut add = |name: String, permissions: Permissions| {
            let credential = Credential::of_token(&name);
            let by = administrator(&name, None, credential);
            administrators.push(Administrator { permissions, ..by });
        };
        add(format!("only-{index}"), needed.iter().copied().collect());
        for (lacks, lacking) in needed.iter().enumerate() {
            let all = Permission::ALL.iter().copied();
            add(format!("lacks-{index}-{lacks}"), all.filter(|one| one != lacking).collect());
        }
    }
    let served = start_host(FakeHost::default(), settings(), administrators, None).await;
    let mut raw = served.raw_admin().await;
    for (index, (route, body, needed)) in NEEDED.iter().enumerate() {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.replace("{name}", "k").replace("{id}", &"0".repeat(64));
        let line = format!("{} /v1{path}", method.to_uppercase());
        let media_type = match *body {
            "wasm" => "application/wasm",
            "rim" => "application/rim+cose",
            _ => "application/json",
        };
        let media_type = match body.is_empty() {
            true => String::new(),
            false => format!("content-type: {media_type}\r\n"),
        };
        let mut ask = async |token: String| {
            let headers = format!("authorization: Bearer {token}\r\n{media_type}");
            let answer = raw.ask(&line, &headers, body).await;
            answer.status == 403 && answer.code() == "forbidden"
        };
        let calls = served.host.called().len();
        for lacks in 0..needed.len() {
            assert!(ask(format!("lacks-{index}-{lacks}")).await, "{route} {lacks}");
        }
        assert_eq!(served.host.called().len(), calls, "{route}");
        assert!(!ask(format!("only-{index}")).await, "{route}");
    }
}

// attack 60
#[tokio::test]
async fn an_administrator_of_one_tenant_does_not_touch_the_hosts_own_keys() {
    let served = start(settings()).await;
    for tenant in [None, Some(Tenant::parse("team-7").unwrap())] {
        let settings = served.admin_settings().token("bobs-token");
        let bob = Client::new(ClientSettings { tenant, ..settings }).unwrap();
        let request = RotateTokenKeyRequest { revoke: true };
        let refused = bob.rotate_token_key(&request).await.unwrap_err();
        assert_eq!(refused.code(), Some("forbidden"));
        assert_eq!(bob.token_keys().await.unwrap_err().code(), Some("forbidden"));
    }
    assert!(served.host.called().is_empty());
}

// attacks 55 and 60
#[tokio::test]
async fn guessing_a_token_ends_in_waiting_and_keeps_no_administrator_out() {
    let failed_authentications = Rate { burst: 3, interval: Duration::from_secs(60) };
    let served = start(HttpSettings { failed_authentications, ..settings() }).await;
    let log = capture(tracing::Level::INFO);
    let mut raw = served.raw_admin().await;
    let wrong = "authorization: Bearer wrong\r\n";
    for _ in 0..3 {
        let refused = raw.ask("GET /v1/keys", wrong, "").await;
        assert_eq!(refused.code(), "unauthenticated");
    }
    let refused = raw.ask("GET /v1/keys", wrong, "").await;
    assert_eq!((refused.status, refused.code()), (429, "rate-limited"));
    assert!(served.host.called().is_empty());
    // Whoever guesses may sit behind the same address as those who need not.
    let right = format!("authorization: Bearer {TOKEN}\r\n");
    assert_eq!(raw.ask("GET /v1/keys", &right, "").await.status, 200);
    let refused = raw.ask("GET /v1/keys", wrong, "").await;
    assert_eq!(refused.code(), "rate-limited");
    // The operator learns where the guesses come from.
    let line = log.wait_for_line("unauthenticated").await;
    assert!(line.contains("client=127.0.0.1"), "{line}");
}

#[tokio::test]
async fn a_client_certificate_on_the_list_is_a_principal() {
    let authority_key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(parameters, &authority_key);
    let issue = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new([name.to_owned()]).unwrap();
        (parameters.signed_by(&key, &issuer).unwrap(), key)
    };
    let (carol, carol_key) = issue("carol");
    let (dave, dave_key) = issue("dave");
    let fingerprint: [u8; 32] = digest(&SHA256, carol.der()).as_ref().try_into().unwrap();
    let administrators = vec![administrator("carol", None, Credential::Certificate(fingerprint))];
    let authority = Some(authority.pem().into_bytes());
    let served = start_host(FakeHost::default(), settings(), administrators, authority).await;
    let client = |identity: Option<(&rcgen::Certificate, &KeyPair)>| {
        let identity = identity.map(|(certificate, key)| {
            let key = Secret::new(key.serialize_pem().into_bytes());
            (certificate.pem().into_bytes(), key)
        });
        Client::new(ClientSettings { identity, ..served.admin_settings() }).unwrap()
    };
    client(Some((&carol, &carol_key))).list_keys(None).await.unwrap();
    assert_eq!(served.host.called(), ["default carol lists from None"]);

    // Of the operators' CA but not on the list; no certificate; the fingerprint as a token.
    let not_listed = client(Some((&dave, &dave_key))).list_keys(None).await.unwrap_err();
    assert_eq!(not_listed.code(), Some("unauthenticated"));
    let without = client(None).list_keys(None).await.unwrap_err();
    assert_eq!(without.code(), Some("unauthenticated"));

    // Of nobody's CA: the handshake fails.
    let stranger_key = KeyPair::generate().unwrap();
    let stranger = CertificateParams::new(["carol".to_owned()]).unwrap();
    let stranger = stranger.self_signed(&stranger_key).unwrap();
    assert!(client(Some((&stranger, &stranger_key))).list_keys(None).await.is_err());
    assert_eq!(served.host.called().len(), 1);
}

#[tokio::test]
async fn an_administrator_manages_reference_values() {
    let served = start(settings()).await;
    let client = Client::new(served.admin_settings().token(TOKEN)).unwrap();
    let (id, other) = (Digest([7; 32]), Digest([8; 32]));
    let refused = client.add_reference(Container::Dsse, b"{}".to_vec(), Some(other)).await;
    // Why is the administrator's to know.
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Some("reference-refused"));
    assert!(refused.to_string().contains("nobody signed it"), "{refused}");
    assert!(client.list_references(Some(&id.to_string())).await.unwrap().next.is_none());
    assert!(client.reference(id).await.is_err());
    assert!(client.reference_history().await.unwrap().changes.is_empty());
    client.revoke_reference(id).await.unwrap();
    assert_eq!(
        served.host.called(),
        [
            format!("default alice adds Dsse 2 Some(\"{other}\")"),
            format!("default alice lists references from Some(\"{id}\")"),
            format!("default alice reads reference {id}"),
            "default alice reads the history".to_owned(),
            format!("default alice revokes reference {id}"),
        ]
    );
}

// attacks 35 and 37
#[tokio::test]
async fn a_reference_document_has_a_media_type_that_is_known_and_no_content_coding() {
    let served = start(settings()).await;
    let mut raw = served.raw_admin().await;
    let known = format!("authorization: Bearer {TOKEN}\r\n");
    for (headers, query, code) in [
        ("", "", "unsupported-media-type"),
        ("content-type: application/json\r\n", "", "unsupported-media-type"),
        ("content-type: application/cose\r\n", "", "unsupported-media-type"),
        (
            "content-type: application/rim+cose\r\ncontent-encoding: gzip\r\n",
            "",
            "unsupported-media-type",
        ),
        ("content-type: application/rim+cose\r\n", "?replaces=..", "request-malformed"),
        ("content-type: application/rim+cose\r\n", "?cursor=00", "request-malformed"),
        ("content-type: application/rim+cose\r\n", "?replaces=00&replaces=01", "request-malformed"),
    ] {
        let headers = format!("{known}{headers}");
        let refused = raw.ask(&format!("POST /v1/references{query}"), &headers, "{}").await;
        assert_eq!(refused.code(), code, "{headers} {query}");
    }
    assert!(served.host.called().is_empty());
}

#[tokio::test]
async fn a_command_without_a_body_refuses_one_that_says_something_else() {
    let served = start(settings()).await;
    let mut raw = served.raw_admin().await;
    let headers = format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n");
    let refused = raw.ask("POST /v1/keys/k/rotate", &headers, r#"{"material":"AA"}"#).await;
    assert_eq!(refused.code(), "request-malformed");
    let refused = raw.ask("GET /v1/keys?limit=1", &headers, "").await;
    assert_eq!(refused.code(), "request-malformed");
    assert!(served.host.called().is_empty());
}
