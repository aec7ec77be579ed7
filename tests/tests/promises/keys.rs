//! Keys of every kind, over HTTP: made, released, rotated, an old version released by name,
//! disabled, deleted. And who asks for another key than its own.

use aws_lc_rs::rsa::PrivateDecryptingKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use claviger::client::{Client, ClientError};
use claviger::error::Code;
use claviger::http::{ChallengeRequest, NewKeyRequest, ReleaseRequest};
use claviger_tests::site::{Guest, Site, code};

/// A key under that name, by the whole way over HTTP: what was wrapped, and its media type.
async fn fetch(
    client: &Client,
    guest: &Guest,
    name: &str,
    version: Option<&str>,
) -> Result<(Vec<u8>, String, String), ClientError> {
    let challenge = client.challenge(&ChallengeRequest::Release { key: name.into() }).await?;
    let mut request = guest.asks(&challenge);
    if let ReleaseRequest::Evidence(evidence) = &mut request {
        evidence.version = version.map(ToOwned::to_owned);
    }
    let release = client.release(name, &request).await?;
    Ok((guest.open(&release.jwe), release.media_type, release.version))
}

async fn refused(client: &Client, guest: &Guest, name: &str, version: Option<&str>) -> String {
    let error = fetch(client, guest, name, version).await.unwrap_err();
    error.code().unwrap().to_owned()
}

fn new_key(name: &str, kind: &str) -> NewKeyRequest {
    NewKeyRequest {
        name: name.into(),
        kind: kind.into(),
        material: None,
        release_policy: "affirming".into(),
    }
}

/// Whether the bytes are a key of the kind that they are said to be.
fn is_of_kind(kind: &str, key: &[u8], media_type: &str) -> bool {
    let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, key).is_ok();
    let rsa = |bits: usize| {
        PrivateDecryptingKey::from_pkcs8(key).is_ok_and(|key| key.key_size_bytes() * 8 == bits)
    };
    match kind {
        "oct-128" => key.len() == 16 && media_type == "application/octet-stream",
        "oct-256" => key.len() == 32 && media_type == "application/octet-stream",
        _ if media_type != "application/pkcs8" => false,
        "rsa-2048" => rsa(2048),
        "rsa-3072" => rsa(3072),
        "rsa-4096" => rsa(4096),
        "ec-p256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        "ec-p384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        "ec-p521" => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
        "ed25519" => Ed25519KeyPair::from_pkcs8(key).is_ok(),
        _ => false,
    }
}

/// The life of one key, named after its kind.
async fn life(kind: &str) {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, administrator, guest) = (served.client(), served.administrator(), Guest::new());
    let made = administrator.create_key(&new_key(kind, kind)).await.unwrap();
    assert_eq!((made.kind.as_str(), made.version.as_str(), made.enabled), (kind, "1", true));
    let (first, media_type, version) = fetch(&client, &guest, kind, None).await.unwrap();
    assert!(is_of_kind(kind, &first, &media_type), "{media_type}");
    assert_eq!(version, "1");
    let again = administrator.create_key(&new_key(kind, kind)).await.unwrap_err();
    assert_eq!(again.code(), Some("conflict"));

    assert_eq!(administrator.rotate_key(kind).await.unwrap().version, "2");
    let (second, media_type, version) = fetch(&client, &guest, kind, None).await.unwrap();
    assert!(is_of_kind(kind, &second, &media_type) && second != first);
    assert_eq!(version, "2");
    let (old, _, version) = fetch(&client, &guest, kind, Some("1")).await.unwrap();
    assert_eq!((old, version.as_str()), (first.clone(), "1"));
    for nowhere in ["3", "0", "01", "latest", "1 "] {
        let code = refused(&client, &guest, kind, Some(nowhere)).await;
        assert!(["key-not-found", "request-malformed"].contains(&&*code), "{nowhere}: {code}");
    }

    administrator.set_key_enabled(kind, Some("2"), false).await.unwrap();
    assert_eq!(refused(&client, &guest, kind, Some("2")).await, "key-disabled");
    let (left, _, version) = fetch(&client, &guest, kind, None).await.unwrap();
    assert_eq!((left, version.as_str()), (first.clone(), "1"));
    administrator.set_key_enabled(kind, None, false).await.unwrap();
    for version in [None, Some("1"), Some("2")] {
        assert_eq!(refused(&client, &guest, kind, version).await, "key-disabled");
    }
    // The key as a whole is enabled again; its second version stays disabled.
    administrator.set_key_enabled(kind, None, true).await.unwrap();
    assert_eq!(fetch(&client, &guest, kind, None).await.unwrap().0, first);
    administrator.set_key_enabled(kind, Some("2"), true).await.unwrap();
    assert_eq!(fetch(&client, &guest, kind, None).await.unwrap().0, second);

    administrator.delete_key(kind).await.unwrap();
    for version in [None, Some("1")] {
        assert_eq!(refused(&client, &guest, kind, version).await, "key-not-found");
    }
    assert_eq!(administrator.key(kind).await.unwrap_err().code(), Some("key-not-found"));
    let gone = administrator.delete_key(kind).await.unwrap_err();
    assert_eq!(gone.code(), Some("key-not-found"));
    // Another key under the old name does not bring the old one back.
    administrator.create_key(&new_key(kind, kind)).await.unwrap();
    let (new, _, _) = fetch(&client, &guest, kind, None).await.unwrap();
    assert!(new != first && new != second);
}

#[tokio::test]
async fn a_symmetric_key_lives_and_ends() {
    life("oct-128").await;
    life("oct-256").await;
}

#[tokio::test]
async fn an_rsa_key_lives_and_ends() {
    life("rsa-2048").await;
    life("rsa-3072").await;
}

#[tokio::test]
async fn an_elliptic_curve_key_lives_and_ends() {
    for kind in ["ec-p256", "ec-p384", "ec-p521"] {
        life(kind).await;
    }
}

#[tokio::test]
async fn an_ed25519_key_lives_and_ends() {
    life("ed25519").await;
}

// attack 54, invariant 6
#[tokio::test]
async fn a_key_without_a_release_policy_that_is_known_is_not_made() {
    let site = Site::new().await;
    let served = site.serve().await;
    let administrator = served.administrator();
    for release_policy in ["", "Affirming", "affirming ", "always", "true", "*"] {
        let key =
            NewKeyRequest { release_policy: release_policy.into(), ..new_key("k", "oct-256") };
        let refused = administrator.create_key(&key).await.unwrap_err();
        assert_eq!(refused.code(), Some("request-malformed"), "{release_policy:?}");
    }
    let code = refused(&served.client(), &Guest::new(), "k", None).await;
    assert_eq!(code, "key-not-found");
}

// attack 54, invariant 6
#[tokio::test]
async fn a_key_whose_release_policy_is_gone_from_the_store_is_not_released() {
    let site = Site::new().await;
    site.key("k").await;
    let place = "t/default/release-policy/kms-local/k";
    let policy = site.ground.store.get(place).unwrap().unwrap();
    // One bit of it altered on the disk: not read as if it allowed.
    let mut altered = policy.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert!(site.ground.store.swap(place, Some(&policy), Some(&altered)).unwrap());
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::StoreUnavailable);
    // Another key's policy in its place: sealed for that place, and read in no other.
    site.key("other").await;
    let others =
        site.ground.store.get("t/default/release-policy/kms-local/other").unwrap().unwrap();
    assert!(site.ground.store.swap(place, Some(&altered), Some(&others)).unwrap());
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::StoreUnavailable);
    assert!(site.ground.store.swap(place, Some(&others), None).unwrap());
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::KeyNotFound);
    assert_eq!(site.releases(), 0);
}

// attacks 40 and 54
#[tokio::test]
async fn a_name_with_a_wildcard_or_a_path_in_it_is_no_key() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let guest = Guest::new();
    let token = site.attest(&guest).await.unwrap().token;
    let body = format!(r#"{{"token":"{token}"}}"#);
    let mut raw = served.raw().await;
    for name in [
        "*",
        "k*",
        "%2a",
        "k%00",
        "..",
        "../k",
        "%2e%2e%2fk",
        "x/../k",
        "%6b",
        "k/",
        "k%2f",
        "K",
        "k.",
        "{k}",
        "%7bname%7d",
        "$%7bkey%7d",
        "%EF%BD%8B",
        "-k",
    ] {
        let answer = raw.post(&format!("/v1/keys/{name}/release"), &body).await;
        let code = answer.code();
        assert_eq!(answer.status, 404, "{name}: {code}");
        assert!(["not-found", "key-not-found"].contains(&&*code), "{name}: {code}");
    }
    for key in ["*", "k*", "", "..", "k/..", "k\u{0}", "\u{212a}", "K ", "${key}"] {
        let body = serde_json::json!({ "purpose": "release", "key": key }).to_string();
        let answer = raw.post("/v1/challenges", &body).await;
        assert_eq!(answer.code(), "key-not-found", "{key:?}");
    }
    assert_eq!(site.releases(), 0);
    assert_eq!(raw.post("/v1/keys/k/release", &body).await.status, 200);
}

// attack 15
#[tokio::test]
async fn a_key_that_is_there_is_not_made_again_over_it() {
    let site = Site::new().await;
    let material = site.key("k").await;
    let served = site.serve().await;
    let over = serde_json::json!({
        "name": "k", "kind": "oct-256", "release_policy": "affirming",
        "material": data_encoding::BASE64URL_NOPAD.encode(&[7; 32]),
    });
    let over: NewKeyRequest = serde_json::from_value(over).unwrap();
    let conflict = served.administrator().create_key(&over).await.unwrap_err();
    assert_eq!(conflict.code(), Some("conflict"));
    // One that was deleted is still there, and is not listed.
    assert!(conflict.to_string().contains("recovered or purged"), "{conflict}");
    let (released, _, _) = fetch(&served.client(), &Guest::new(), "k", None).await.unwrap();
    assert_eq!(released, material);
}
