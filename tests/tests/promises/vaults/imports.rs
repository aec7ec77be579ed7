//! Keys brought in: wrapped to a key of the vault, and as further versions of keys that are there.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use claviger::client::Client;
use claviger::error::Code;
use claviger::flow::vault::{Actor, Imported, NewVaultKey, Operation};
use claviger::http::{
    Base64Url, KeyChangeRequest, KeyVersionRequest, SecretBytes, WrappedMaterial,
};
use claviger::keys::{RecipientKey, RsaAesKeyWrap};
use claviger::permission::{Permission, Permissions};
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code, tenant};
use data_encoding::BASE64URL_NOPAD;

use super::version;
use crate::keeping::{new_key, refused};

const WRAPS: [RsaAesKeyWrap; 3] =
    [RsaAesKeyWrap::Sha1, RsaAesKeyWrap::Sha256, RsaAesKeyWrap::Sha384];

/// An RSA key that others are brought in under; its public half as whoever wraps has it.
async fn exchange_key(client: &Client) -> RecipientKey {
    let operations = Some(vec![Operation::Import]);
    let kek = KeyVersionRequest { operations, ..version("rsa-2048") };
    let kek = client.put_key("kek", &kek).await.unwrap();
    assert!(!kek.exportable);
    RecipientKey::from_jwk(&kek.public.unwrap()).unwrap()
}

fn wrapped(kind: &str, algorithm: RsaAesKeyWrap, value: Vec<u8>) -> KeyVersionRequest {
    let wrapped = WrappedMaterial {
        by: "kek".into(),
        version: None,
        algorithm: algorithm.name().into(),
        value: Base64Url(value),
    };
    let release_policy = Some("affirming".into());
    KeyVersionRequest { wrapped: Some(wrapped), release_policy, ..version(kind) }
}

fn plain(kind: &str, material: &[u8]) -> KeyVersionRequest {
    let material = Some(SecretBytes(Secret::new(material.to_vec())));
    KeyVersionRequest { material, ..version(kind) }
}

// invariant 4
#[tokio::test]
async fn a_key_comes_in_wrapped_to_a_key_of_the_vault_and_is_the_same() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let kek = exchange_key(&client).await;
    let guest = Guest::new();
    for (index, wrap) in WRAPS.into_iter().enumerate() {
        for (kind, material) in [("oct-256", vec![7; 32]), ("oct", vec![8; 24])] {
            let name = format!("{kind}-{index}");
            let value = kek.rsa_aes_wrap(&material, wrap).unwrap();
            let made = client.put_key(&name, &wrapped(kind, wrap, value)).await.unwrap();
            assert_eq!(made.kind, format!("oct-{}", material.len() * 8));
            let released = site.release(&guest, &name).await.unwrap();
            assert_eq!(guest.open(&released.jwe), material);
        }
    }
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let value = kek.rsa_aes_wrap(der.as_ref(), WRAPS[1]).unwrap();
    let made = client.put_key("ec", &wrapped("ec", WRAPS[1], value)).await.unwrap();
    assert_eq!(made.kind, "ec-p384");
    let x = BASE64URL_NOPAD.encode(&pair.public_key().as_ref()[1..49]);
    assert_eq!(made.public.unwrap()["x"], x);
    // Each use of the exchange key is written down, and nothing that came in.
    let records = site.records();
    let used = records
        .iter()
        .filter(|record| record["event"] == "key-used" && record["detail"] == "Import");
    assert_eq!(used.count(), 7);
    let text = records.iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains(&BASE64URL_NOPAD.encode(&[7; 32])));
}

// attack 60
#[tokio::test]
async fn what_is_wrapped_otherwise_or_to_a_key_that_is_not_for_it_does_not_come_in() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let kek = exchange_key(&client).await;
    let [sha1, sha256, _] = WRAPS;
    let good = kek.rsa_aes_wrap(&[7; 32], sha256).unwrap();
    let mut altered = good.clone();
    altered[290] ^= 1;
    for (what, request) in [
        ("altered", wrapped("oct-256", sha256, altered)),
        ("cut", wrapped("oct-256", sha256, good[..280].to_vec())),
        ("another hash", wrapped("oct-256", sha1, good.clone())),
        ("another size", wrapped("oct-128", sha256, good.clone())),
        ("another kind", wrapped("rsa", sha256, good.clone())),
        ("no such kind", wrapped("ec-p256", sha256, good.clone())),
    ] {
        assert_eq!(refused(client.put_key("k", &request).await), "request-malformed", "{what}");
    }
    let by = |name: &str| {
        let mut request = wrapped("oct-256", sha256, good.clone());
        request.wrapped.as_mut().unwrap().by = name.to_owned();
        request
    };
    client.create_key(&new_key("other", "rsa-2048")).await.unwrap();
    assert_eq!(refused(client.put_key("k", &by("other")).await), "operation-not-allowed");
    assert_eq!(refused(client.put_key("k", &by("none")).await), "key-not-found");
    let operations = Some(vec![Operation::Import]);
    let ec = KeyVersionRequest { operations, ..version("ec-p256") };
    client.put_key("ec", &ec).await.unwrap();
    assert_eq!(refused(client.put_key("k", &by("ec")).await), "request-malformed");
    let elsewhere = served.administrator_of(&tenant("team-7"));
    assert_eq!(refused(elsewhere.put_key("k", &by("kek")).await), "key-not-found");
    let mut both = by("kek");
    both.material = Some(SecretBytes(Secret::new(vec![7; 32])));
    assert_eq!(refused(client.put_key("k", &both).await), "request-malformed");
    let off = KeyChangeRequest { enabled: Some(false), ..KeyChangeRequest::default() };
    client.change_key("kek", &off).await.unwrap();
    assert_eq!(refused(client.put_key("k", &by("kek")).await), "key-disabled");
    // Who may make keys need not be able to bring them in.
    let makes: Permissions = [Permission::KeysCreate, Permission::KeysUnwrap].into_iter().collect();
    let caller = caller(&Tenant::default());
    let actor = Actor { caller: &caller, principal: "p", permissions: &makes };
    let new = NewVaultKey {
        name: "k".into(),
        kind: "oct-256".into(),
        hardware: false,
        material: Some(Imported::Plain(Secret::new(vec![7; 32]))),
        attributes: claviger::flow::vault::Attributes::default(),
        operations: None,
        tags: std::collections::BTreeMap::new(),
        exportable: false,
        release_policy: None,
    };
    assert_eq!(code(site.host.vault_create(actor, new).await), Code::Forbidden);
    assert_eq!(refused(client.key("k").await), "key-not-found");
}

// invariant 8
#[tokio::test]
async fn an_exchange_key_outside_its_time_brings_nothing_in() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let kek = exchange_key(&client).await;
    let good = kek.rsa_aes_wrap(&[7; 32], WRAPS[1]).unwrap();
    let request = wrapped("oct-256", WRAPS[1], good);
    for (not_before, expires, wanted) in [
        ("2026-11-24T04:00:01Z", "2027-01-01T00:00:00Z", "key-not-yet-valid"),
        ("2026-01-01T00:00:00Z", "2026-11-24T04:00:00Z", "key-expired"),
    ] {
        let (not_before, expires) = (Some(not_before.into()), Some(expires.into()));
        let change = KeyChangeRequest { not_before, expires, ..KeyChangeRequest::default() };
        client.change_key("kek", &change).await.unwrap();
        assert_eq!(refused(client.put_key("k", &request).await), wanted);
    }
    client.soft_delete_key("kek").await.unwrap();
    assert_eq!(refused(client.put_key("k", &request).await), "key-not-found");
    assert_eq!(refused(client.key("k").await), "key-not-found");
}

#[tokio::test]
async fn what_is_brought_in_under_a_name_that_is_there_is_a_further_version() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let (guest, first) = (Guest::new(), site.key("k").await);
    let before = client.key_details("k", None).await.unwrap();
    let second = client.put_key("k", &plain("oct-256", &[9; 32])).await.unwrap();
    assert_ne!(second.version, before.version);
    let kek = exchange_key(&client).await;
    let value = kek.rsa_aes_wrap(&[10; 32], WRAPS[2]).unwrap();
    let third = KeyVersionRequest { release_policy: None, ..wrapped("oct", WRAPS[2], value) };
    client.put_key("k", &third).await.unwrap();
    assert_eq!(client.key_versions("k").await.unwrap().versions.len(), 3);
    let released = |version: Option<&'static str>| {
        let challenge = site.challenge_for(&guest, "k");
        let submission = guest.answer(&challenge).into();
        let (site, guest) = (&site, &guest);
        async move {
            let caller = guest.caller();
            let released = site.host.release_with_evidence(&caller, "k", version, submission).await;
            guest.open(&released.unwrap().jwe)
        }
    };
    assert_eq!(released(None).await, [10; 32]);
    assert_eq!(released(Some("2")).await, [9; 32]);
    assert_eq!(released(Some("1")).await, first);
    // Of another kind or size, and nothing that is no key: there is no fourth version.
    let refuse = |request: KeyVersionRequest| {
        let client = &client;
        async move { refused(client.put_key("k", &request).await) }
    };
    assert_eq!(refuse(plain("oct-128", &[1; 16])).await, "conflict");
    assert_eq!(refuse(plain("oct-256", &[1; 31])).await, "request-malformed");
    assert_eq!(refuse(plain("ec-p256", &[1; 32])).await, "conflict");
    assert_eq!(client.key_versions("k").await.unwrap().versions.len(), 3);
}
