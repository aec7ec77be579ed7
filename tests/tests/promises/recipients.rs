//! What leaves is wrapped to the recipient key that the evidence binds, and to no other.

use claviger::client::Client;
use claviger::http::{ChallengeRequest, Release};
use claviger::keys::{RecipientKind, UnwrapError, WrapHeader};
use claviger_tests::site::{Guest, Site, with_evidence};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn fetch(client: &Client, guest: &Guest) -> (Release, Vec<u8>) {
    let request = ChallengeRequest::Release { key: "k".into() };
    let challenge = client.challenge(&request).await.unwrap();
    let release = client.release("k", &guest.asks(&challenge)).await.unwrap();
    (release, challenge.nonce.0)
}

// invariant 4
#[tokio::test]
async fn a_recipient_key_of_every_kind_opens_what_was_wrapped_for_it() {
    let site = Site::new().await;
    let (served, material) = (site.serve().await, site.key("k").await);
    for kind in RecipientKind::ALL {
        let guest = Guest::with_key(*kind);
        // While an RSA key is made the host may have closed an idle connection.
        let (release, nonce) = fetch(&served.client(), &guest).await;
        let opened = guest.key.unwrap(&release.jwe).unwrap();
        assert!(opened.secret.matches(&material), "{kind:?}");
        // The header, which is authenticated, says what for.
        let header = opened.header;
        assert_eq!((header.tenant.as_str(), header.key.as_str()), ("default", "k"));
        assert_eq!(header.version, "1");
        assert_eq!(header.challenge[..], Sha256::digest(&nonce)[..]);
        assert_eq!(header.cty, "application/octet-stream");
        assert_eq!(release.media_type, header.cty);
        let another = Guest::with_key(*kind).key.unwrap(&release.jwe);
        assert_eq!(another.unwrap_err(), UnwrapError::WrongRecipient, "{kind:?}");
    }
}

/// The client library has code of its own for the same; both are held to each other.
#[test]
fn what_the_host_wraps_opens_for_the_client_library_and_both_name_a_key_alike() {
    assert_eq!(claviger_client::RecipientKind::ALL.len(), RecipientKind::ALL.len());
    for kind in claviger_client::RecipientKind::ALL {
        let theirs = claviger_client::RecipientKey::generate(*kind).unwrap();
        let jwk = Value::Object(theirs.jwk().clone());
        let ours = claviger::keys::RecipientKey::from_jwk(&jwk).unwrap();
        assert_eq!(ours.thumbprint(), *theirs.thumbprint(), "{kind:?}");
        let header = WrapHeader {
            cty: "application/pkcs8".into(),
            tenant: "default".into(),
            key: "secrets/k".into(),
            version: "7".into(),
            challenge: [3; 32],
            audit: None,
        };
        let jwe = ours.wrap(b"key material", &header).unwrap();
        let opened = theirs.unwrap(&jwe).unwrap();
        assert_eq!(opened.secret.expose(), b"key material", "{kind:?}");
        assert_eq!((opened.media_type, opened.header.key), (header.cty, header.key));
        assert_eq!(opened.header.challenge, header.challenge);
        let another = claviger_client::RecipientKey::generate(*kind).unwrap();
        assert!(another.unwrap(&jwe).is_err(), "{kind:?}");
        let (rest, tag) = jwe.rsplit_once('.').unwrap();
        let tag = if tag.starts_with('A') {
            tag.replacen('A', "B", 1)
        } else {
            format!("A{}", &tag[1..])
        };
        assert!(theirs.unwrap(&format!("{rest}.{tag}")).is_err(), "{kind:?}");
    }
}

// attack 53
#[tokio::test]
async fn a_wrapped_key_whose_header_was_changed_does_not_open() {
    let site = Site::new().await;
    site.key("k").await;
    let (served, guest) = (site.serve().await, Guest::new());
    let (release, _) = fetch(&served.client(), &guest).await;
    let (header, rest) = release.jwe.split_once('.').unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    for (member, value) in
        [("key", "k2"), ("version", "2"), ("tenant", "other"), ("challenge", &"A".repeat(43))]
    {
        let mut changed = header.clone();
        assert_ne!(changed["claviger"][member], value);
        changed["claviger"][member] = json!(value);
        let changed = BASE64URL_NOPAD.encode(changed.to_string().as_bytes());
        let opened = guest.key.unwrap(&format!("{changed}.{rest}"));
        assert_eq!(opened.unwrap_err(), UnwrapError::Failed, "{member}");
    }
    let mut altered = rest.to_owned();
    let last = altered.pop().unwrap();
    altered.push(if last == 'A' { 'Q' } else { 'A' });
    let (protected, _) = release.jwe.split_once('.').unwrap();
    assert!(guest.key.unwrap(&format!("{protected}.{altered}")).is_err());
}

/// A number of so many bytes, base64url.
fn number(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Recipient keys that nothing may be wrapped to.
fn bad_keys() -> Vec<Value> {
    let ec = |crv: &str, x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": crv, "x": number(x), "y": number(y)});
    let rsa = |modulus: &[u8], e: &str| json!({"kty": "RSA", "n": number(modulus), "e": e});
    let x25519 = |x: &[u8]| json!({"kty": "OKP", "crv": "X25519", "x": number(x)});
    let mut odd = vec![0xc5; 256];
    odd[255] |= 1;
    let mut one = [0; 32];
    one[0] = 1;
    let mut even = odd.clone();
    even[255] &= 0xfe;
    vec![
        json!({}),
        json!({"kty": "oct", "k": number(&[1; 32])}),
        json!({"kty": "EC", "crv": "P-256"}),
        ec("P-256", &[0; 32], &[0; 32]),
        ec("P-256", &[0xff; 32], &[0xff; 32]),
        ec("P-256", &[1; 32], &[1; 32]),
        ec("P-256", &[1; 31], &[1; 33]),
        ec("P-384", &[2; 48], &[3; 48]),
        ec("P-521", &[2; 66], &[3; 66]),
        ec("P-192", &[2; 24], &[3; 24]),
        ec("secp256k1", &[2; 32], &[3; 32]),
        // Points of small order, the all-zero one first: the shared secret would be known.
        x25519(&[0; 32]),
        x25519(&one),
        x25519(&[9; 31]),
        x25519(&[9; 33]),
        json!({"kty": "OKP", "crv": "Ed25519", "x": number(&[9; 32])}),
        rsa(&odd[..128], "AQAB"),
        rsa(&odd[..255], "AQAB"),
        rsa(&odd, "AQ"),
        rsa(&odd, "AA"),
        rsa(&odd, "Ag"),
        rsa(&even, "AQAB"),
        rsa(&vec![0xc5; 4096], "AQAB"),
        rsa(&[0; 256], "AQAB"),
    ]
}

// attack 53
#[tokio::test]
async fn a_bad_or_weak_recipient_key_is_refused_before_the_challenge_is_spent() {
    let site = Site::new().await;
    let material = site.key("k").await;
    let (served, guest) = (site.serve().await, Guest::new());
    let client = served.client();
    let request = ChallengeRequest::Release { key: "k".into() };
    let challenge = client.challenge(&request).await.unwrap();
    let mut twins = bad_keys();
    // A sound key with its private half along, or meant for something else.
    let sound = guest.key.jwk().clone();
    for (member, value) in
        [("d", json!(number(&[1; 32]))), ("use", json!("sig")), ("alg", json!("none"))]
    {
        let mut twin = sound.clone();
        twin[member] = value;
        twins.push(twin);
    }
    for key in twins {
        let mut answer = guest.answer(&challenge);
        answer.recipient = key.as_object().unwrap().clone();
        let refused = client.release("k", &with_evidence(answer)).await.unwrap_err();
        assert_eq!(refused.code(), Some("recipient-key-invalid"), "{key}");
    }
    let release = client.release("k", &guest.asks(&challenge)).await.unwrap();
    assert_eq!(guest.open(&release.jwe), material);
    assert_eq!(site.releases(), 1);
}

// invariant 4
#[tokio::test]
async fn an_administrator_sees_everything_of_a_key_but_the_key() {
    let site = Site::new().await;
    let material = site.key("k").await;
    let served = site.serve().await;
    let token = claviger_tests::site::ADMINISTRATOR;
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let mut raw = served.raw_admin().await;
    for (method, path) in [
        ("GET", "/v1/keys"),
        ("GET", "/v1/keys/k"),
        ("GET", "/v1/keys/k/versions"),
        ("GET", "/v1/keys/k/material"),
        ("GET", "/v1/keys/k/release"),
        ("POST", "/v1/keys/k/release"),
        ("POST", "/v1/keys/k/export"),
        ("POST", "/v1/keys/k/rotate"),
        ("POST", "/v1/keys/k/disable"),
        ("POST", "/v1/keys/k/enable"),
        ("GET", "/v1/plugins"),
        ("GET", "/v1/audit/checkpoint"),
        ("GET", "/v1/health"),
    ] {
        let answer = raw.ask(method, path, &headers, "").await;
        for spelling in super::secrecy::spellings(&material) {
            assert!(!answer.text.contains(&spelling), "{method} {path}");
        }
    }
    let answer = raw.ask("GET", "/v1/keys/k", &headers, "").await;
    let body = answer.body();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["created", "enabled", "kind", "name", "updated", "version"]);
}
