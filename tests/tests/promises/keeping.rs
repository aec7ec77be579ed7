//! Keys and secrets as they are kept: used without leaving, within their time, deleted and recovered, backed
//! up and restored, rotated and purged by the clock.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use claviger::client::{Client, ClientError};
use claviger::error::Code;
use claviger::flow::vault::{Actor, Operation};
use claviger::http::{
    Base64Url, KeyChangeRequest, KeyRotationPolicy, NewKeyRequest, NewSecretRequest,
    PerformRequest, SecretBytes, SecretChangeRequest,
};
use claviger::permission::{Permissions, Role};
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code, tenant};
use data_encoding::BASE64URL_NOPAD;

pub(super) const DAY: u64 = 86_400;

pub(super) fn new_key(name: &str, kind: &str) -> NewKeyRequest {
    NewKeyRequest {
        name: name.into(),
        kind: kind.into(),
        material: None,
        release_policy: "affirming".into(),
    }
}

pub(super) fn new_secret(value: &str) -> NewSecretRequest {
    NewSecretRequest {
        value: SecretBytes(Secret::new(value.as_bytes().to_vec())),
        content_type: Some("text/plain".into()),
        enabled: None,
        not_before: None,
        expires: None,
        tags: [("owner".to_owned(), "payroll".to_owned())].into(),
        release_policy: None,
    }
}

pub(super) fn asks(operation: Operation, algorithm: &str, value: &[u8]) -> PerformRequest {
    PerformRequest {
        operation,
        algorithm: algorithm.into(),
        value: SecretBytes(Secret::new(value.to_vec())),
        signature: None,
        iv: None,
        aad: None,
        tag: None,
        version: None,
    }
}

pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    answer.unwrap_err().code().unwrap().to_owned()
}

async fn value(client: &Client, name: &str, version: Option<&str>) -> String {
    let secret = client.secret(name, version).await.unwrap();
    String::from_utf8(secret.value.0.expose().to_vec()).unwrap()
}

// invariants 4 and 5
#[tokio::test]
async fn a_key_signs_and_decrypts_without_leaving_and_each_use_is_recorded() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    client.create_key(&new_key("sign", "ec-p256")).await.unwrap();
    client.create_key(&new_key("seal", "oct-256")).await.unwrap();
    let details = client.key_details("sign", None).await.unwrap();
    let told = serde_json::to_value(&details).unwrap();
    assert!(told["public"].get("d").is_none() && told["public"]["crv"] == "P-256", "{told}");

    let hash = digest(&SHA256, b"message");
    let signed = client.perform("sign", &asks(Operation::Sign, "ES256", hash.as_ref())).await;
    let signed = signed.unwrap();
    assert_eq!((&signed.version, signed.holds), (&details.version, None));
    let coordinate = |name: &str| {
        BASE64URL_NOPAD.decode(told["public"][name].as_str().unwrap().as_bytes()).unwrap()
    };
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let signature = signed.value.0.expose().to_vec();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
    public.verify(b"message", &signature).unwrap();
    for (byte, holds) in [(0, true), (1, false)] {
        let mut signature = signature.clone();
        signature[9] ^= byte;
        let verify = PerformRequest {
            signature: Some(Base64Url(signature)),
            ..asks(Operation::Verify, "ES256", hash.as_ref())
        };
        assert_eq!(client.perform("sign", &verify).await.unwrap().holds, Some(holds));
    }

    let plain = b"a plaintext that is the caller's";
    let sealed = client.perform("seal", &asks(Operation::Encrypt, "A256GCM", plain)).await.unwrap();
    assert_ne!(sealed.value.0.expose(), plain);
    let open = PerformRequest {
        iv: sealed.iv.clone(),
        tag: sealed.tag.clone(),
        ..asks(Operation::Decrypt, "A256GCM", sealed.value.0.expose())
    };
    assert_eq!(client.perform("seal", &open).await.unwrap().value.0.expose(), plain);
    let wrong = PerformRequest { tag: Some(Base64Url(vec![0; 16])), ..open };
    assert!(client.perform("seal", &wrong).await.is_err());
    assert_eq!(
        refused(client.perform("seal", &asks(Operation::Sign, "ES256", &[1; 32])).await),
        "operation-not-allowed"
    );

    let records = site.records();
    let used = records.iter().filter(|record| record["event"] == "key-used").count();
    assert!(used >= 6, "{used}");
    let text = records.iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains(&BASE64URL_NOPAD.encode(plain)) && !text.contains("plaintext that"));
}

#[tokio::test]
async fn outside_its_time_a_key_is_neither_released_nor_used() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    site.key("k").await;
    let change = |request: KeyChangeRequest| {
        let client = &client;
        async move { client.change_key("k", &request).await.unwrap() }
    };
    let sound = "2026-11-24T04:00:00Z";
    let encrypt = asks(Operation::Encrypt, "A256GCM", b"x");
    for (not_before, expires, wanted) in [
        ("2026-11-24T04:00:01Z", "2027-01-01T00:00:00Z", Code::KeyNotYetValid),
        ("2026-01-01T00:00:00Z", sound, Code::KeyExpired),
    ] {
        let (not_before, expires) = (Some(not_before.into()), Some(expires.into()));
        let request = KeyChangeRequest { not_before, expires, ..KeyChangeRequest::default() };
        change(request).await;
        assert_eq!(code(site.release(&guest, "k").await), wanted);
        assert_eq!(refused(client.perform("k", &encrypt).await), wanted.as_str());
    }
    let (not_before, expires) = (Some(sound.into()), Some("2026-11-24T04:00:01Z".into()));
    change(KeyChangeRequest { not_before, expires, ..KeyChangeRequest::default() }).await;
    site.release(&guest, "k").await.unwrap();
    client.perform("k", &encrypt).await.unwrap();
    site.at(1);
    assert_eq!(code(site.release(&guest, "k").await), Code::KeyExpired);
    site.at(0);
    let operations = Some(vec![Operation::Decrypt]);
    change(KeyChangeRequest { operations, ..KeyChangeRequest::default() }).await;
    assert_eq!(refused(client.perform("k", &encrypt).await), "operation-not-allowed");
}

// invariant 4
#[tokio::test]
async fn a_deletion_can_be_taken_back_until_the_clock_destroys_the_key() {
    let site = Site::new().await;
    let (served, guest) = (site.serve().await, Guest::new());
    let client = served.administrator();
    let material = site.key("k").await;
    let before = client.key_details("k", None).await.unwrap();
    let deleted = client.soft_delete_key("k").await.unwrap();
    assert_eq!(deleted.deleted, "2026-11-24T04:00:00Z");
    assert_eq!(code(site.release(&guest, "k").await), Code::KeyNotFound);
    let encrypt = asks(Operation::Encrypt, "A256GCM", b"x");
    assert_eq!(refused(client.perform("k", &encrypt).await), "key-not-found");
    assert_eq!(refused(client.back_up_key("k").await), "key-not-found");
    assert_eq!(client.deleted_keys(None).await.unwrap().keys.len(), 1);
    // Nor by a restart.
    drop(served);
    let site = site.again(|_, _| ()).await;
    let served = site.serve().await;
    let client = served.administrator();
    assert_eq!(code(site.release(&guest, "k").await), Code::KeyNotFound);

    assert_eq!(client.recover_key("k").await.unwrap().version, before.version);
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    assert_eq!(refused(client.purge_key("k").await), "key-not-found");

    client.soft_delete_key("k").await.unwrap();
    client.set_secret("s", &new_secret("one")).await.unwrap();
    client.delete_secret("s").await.unwrap();
    site.at(90 * DAY - 1);
    assert_eq!(site.host.vault_upkeep().await.unwrap().purged, Vec::<String>::new());
    site.at(90 * DAY);
    let purged = site.host.vault_upkeep().await.unwrap().purged;
    assert_eq!(purged, ["default/k", "default/s"]);
    let again = site.host.vault_upkeep().await.unwrap().purged;
    assert_eq!(again, Vec::<String>::new());
    assert_eq!(refused(client.recover_key("k").await), "key-not-found");
    assert_eq!(refused(client.recover_secret("s").await), "secret-not-found");
    let records = site.records();
    let by_the_clock = |event: &str| {
        let found = records
            .iter()
            .any(|record| record["event"] == event && record["principal"] == "schedule");
        assert!(found, "{event}");
    };
    by_the_clock("key-purged");
    by_the_clock("secret-deleted");
    // The name is free, and what comes under it is another key.
    client.create_key(&new_key("k", "oct-256")).await.unwrap();
    assert_ne!(client.key_details("k", None).await.unwrap().version, before.version);
}

#[tokio::test]
async fn what_is_purged_is_gone() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    site.key("k").await;
    client.soft_delete_key("k").await.unwrap();
    client.purge_key("k").await.unwrap();
    assert_eq!(refused(client.recover_key("k").await), "key-not-found");
    assert!(client.deleted_keys(None).await.unwrap().keys.is_empty());
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::KeyNotFound);
}

#[tokio::test]
async fn a_key_is_rotated_when_it_is_due_once_however_many_hosts_look() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    client.create_key(&new_key("k", "oct-256")).await.unwrap();
    client.create_key(&new_key("other", "oct-256")).await.unwrap();
    let policy = KeyRotationPolicy {
        rotate_after: Some("P30D".into()),
        expiry: Some("P60D".into()),
        ..KeyRotationPolicy::default()
    };
    assert_eq!(client.set_rotation_policy("k", &policy).await.unwrap(), policy);
    assert_eq!(client.rotation_policy("k").await.unwrap(), policy);
    let short = KeyRotationPolicy { rotate_after: Some("P1D".into()), ..policy.clone() };
    assert_eq!(refused(client.set_rotation_policy("k", &short).await), "request-malformed");

    site.at(30 * DAY - 1);
    assert!(site.host.vault_upkeep().await.unwrap().rotated.is_empty());
    site.at(30 * DAY);
    let (one, two, three) =
        tokio::join!(site.host.vault_upkeep(), site.host.vault_upkeep(), site.host.vault_upkeep());
    let rotated: Vec<_> =
        [one, two, three].into_iter().flat_map(|upkeep| upkeep.unwrap().rotated).collect();
    assert_eq!(rotated, ["default/k"]);
    assert!(site.host.vault_upkeep().await.unwrap().rotated.is_empty());
    assert_eq!(client.key_versions("k").await.unwrap().versions.len(), 2);
    assert_eq!(client.key_versions("other").await.unwrap().versions.len(), 1);
    let newest = client.key_details("k", None).await.unwrap();
    assert_eq!(newest.attributes.expires.as_deref(), Some("2027-02-22T04:00:00Z"));
    // It goes on, after a restart too.
    drop(served);
    let site = site.again(|_, _| ()).await;
    site.at(60 * DAY);
    assert_eq!(site.host.vault_upkeep().await.unwrap().rotated, ["default/k"]);
}

// attack 60
#[tokio::test]
async fn a_backup_comes_back_only_where_it_was_made_and_as_it_was_made() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let material = site.key("k").await;
    let backup = client.back_up_key("k").await.unwrap().backup.0;
    assert!(!backup.windows(material.len()).any(|window| window == material));
    assert_eq!(refused(client.restore_key(backup.clone()).await), "conflict");
    client.delete_key("k").await.unwrap();
    let other = served.administrator_of(&tenant("team-7"));
    assert_eq!(refused(other.restore_key(backup.clone()).await), "request-malformed");
    for at in [0, 1, backup.len() / 2, backup.len() - 1] {
        let mut altered = backup.clone();
        altered[at] ^= 1;
        assert_eq!(refused(client.restore_key(altered).await), "request-malformed", "{at}");
    }
    let cut = backup[..backup.len() - 1].to_vec();
    assert_eq!(refused(client.restore_key(cut).await), "request-malformed");
    client.restore_key(backup).await.unwrap();
    let guest = Guest::new();
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);

    client.set_secret("s", &new_secret("one")).await.unwrap();
    let backup = client.back_up_secret("s").await.unwrap().backup.0;
    assert_eq!(refused(other.restore_secret(backup.clone()).await), "request-malformed");
    // Of one kind it does not become another.
    assert_eq!(refused(client.restore_key(backup.clone()).await), "request-malformed");
    client.delete_secret("s").await.unwrap();
    assert_eq!(refused(client.restore_secret(backup.clone()).await), "key-deleted");
    client.purge_secret("s").await.unwrap();
    client.restore_secret(backup).await.unwrap();
    assert_eq!(value(&client, "s", None).await, "one");
}

#[tokio::test]
async fn secrets_have_versions_and_are_read_by_name_and_within_their_time() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let one = client.set_secret("s", &new_secret("one")).await.unwrap();
    let two = client.set_secret("s", &new_secret("two")).await.unwrap();
    assert_ne!(one.version, two.version);
    assert_eq!(value(&client, "s", None).await, "two");
    assert_eq!(value(&client, "s", Some(&one.version)).await, "one");
    assert_eq!(client.secret_versions("s").await.unwrap().versions.len(), 2);
    assert_eq!(client.list_secrets(None).await.unwrap().secrets.len(), 1);
    let other = served.administrator_of(&tenant("team-7"));
    assert_eq!(refused(other.secret("s", None).await), "secret-not-found");
    let disabled = SecretChangeRequest { enabled: Some(false), ..SecretChangeRequest::default() };
    client.change_secret("s", &disabled).await.unwrap();
    assert_eq!(refused(client.secret("s", None).await), "key-disabled");
    assert_eq!(value(&client, "s", Some(&one.version)).await, "one");
    client.delete_secret("s").await.unwrap();
    assert_eq!(refused(client.secret("s", Some(&one.version)).await), "secret-not-found");
    assert_eq!(client.deleted_secrets(None).await.unwrap().secrets.len(), 1);
    // Nothing gets its name as long as it can be recovered.
    assert_eq!(refused(client.set_secret("s", &new_secret("three")).await), "key-deleted");
    client.recover_secret("s").await.unwrap();
    assert_eq!(client.secret_versions("s").await.unwrap().versions.len(), 2);
    drop(served);
    let site = site.again(|_, _| ()).await;
    let served = site.serve().await;
    assert_eq!(value(&served.administrator(), "s", Some(&one.version)).await, "one");
    // Invariant 9: neither in the log nor in the clear in the store.
    let log = site.records().iter().map(ToString::to_string).collect::<String>();
    assert!(log.contains("key-read") && !log.contains("\"one\"") && !log.contains("\"two\""));
}

// attack 60
#[tokio::test]
async fn roles_are_apart() {
    let site = Site::new().await;
    site.key("k").await;
    let caller = caller(&Tenant::default());
    let of = |role: Role| role.permissions().iter().copied().collect::<Permissions>();
    let (release, officer, secrets) =
        (of(Role::ReleaseUser), of(Role::CryptoOfficer), of(Role::SecretsUser));
    let by = |permissions| Actor { caller: &caller, principal: "p", permissions };
    let host = &site.host;
    for (permissions, may_read, may_list) in
        [(&release, false, false), (&officer, true, true), (&secrets, false, false)]
    {
        let by = by(permissions);
        assert_eq!(host.vault_key(by, "k", None).await.is_ok(), may_read);
        assert_eq!(host.vault_keys(by, None, 25).await.is_ok(), may_list);
        assert_eq!(host.vault_versions(by, "k", None, 25).await.is_ok(), may_list);
        assert_eq!(code(host.secrets(by, None, 25).await), Code::Forbidden);
        let encrypt = claviger::flow::vault::OperationRequest {
            operation: Operation::Encrypt,
            algorithm: "A256GCM".into(),
            input: Secret::new(vec![1]),
            signature: Vec::new(),
            beside: claviger::flow::vault::Beside { iv: None, aad: None, tag: None },
        };
        assert_eq!(code(host.vault_perform(by, "k", None, encrypt).await), Code::Forbidden);
    }
    for permissions in [&release, &secrets] {
        assert_eq!(code(host.vault_delete(by(permissions), "k").await), Code::Forbidden);
        assert_eq!(code(host.vault_backup(by(permissions), "k").await), Code::Forbidden);
        assert_eq!(code(host.vault_rotate(by(permissions), "k").await), Code::Forbidden);
    }
    assert_eq!(code(host.secret_get(by(&officer), "s", None).await), Code::Forbidden);
    assert_eq!(code(host.secret_get(by(&secrets), "s", None).await), Code::SecretNotFound);
}
