//! A release policy that was made immutable, and every way past it.

use claviger::error::Code;
use claviger::flow::NewReleasePolicy;
use claviger::flow::vault::{Actor, KeyChange};
use claviger::http::{KeyVersionRequest, ReleasePolicyRequest, ReleasePolicyText, SecretBytes};
use claviger::permission::{Permission, Permissions};
use claviger::release_policy::Language;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, code};

use super::version;
use crate::keeping::refused;

/// One that simulated guests do not meet, for good.
fn strict() -> ReleasePolicyRequest {
    ReleasePolicyRequest::Policy(ReleasePolicyText {
        language: Language::Rego,
        text: "package claviger.release\n\nallow if input.submods.tdx".into(),
        immutable: true,
    })
}

// invariant 4, attack 60
#[tokio::test]
async fn no_call_puts_another_policy_in_the_place_of_an_immutable_one() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let material = || Some(SecretBytes(Secret::new(vec![7; 32])));
    let new = KeyVersionRequest {
        release_policy: Some(strict()),
        material: material(),
        ..version("oct-256")
    };
    let made = client.put_key("k", &new).await.unwrap();
    let stands = |after: &'static str| {
        let (client, site, guest) = (&client, &site, &guest);
        async move {
            let policy = client.release_policy("k").await.unwrap();
            assert!(policy.immutable && policy.language == Language::Rego, "{after}");
            assert_eq!(code(site.release(guest, "k").await), Code::ReleaseDenied, "{after}");
        }
    };
    stands("creation").await;

    let lax = || ReleasePolicyRequest::from("affirming");
    assert_eq!(refused(client.set_release_policy("k", &lax()).await), "policy-immutable");
    let (all, caller) = (Permissions::all(), caller(&Tenant::default()));
    let actor = Actor { caller: &caller, principal: "p", permissions: &all };
    let change =
        KeyChange { release_policy: Some(NewReleasePolicy::affirming()), ..KeyChange::default() };
    let updated = site.host.vault_update(actor, "k", None, change).await;
    assert_eq!(code(updated), Code::PolicyImmutable);
    stands("update").await;

    let with_policy = KeyVersionRequest { release_policy: Some(lax()), ..new.clone() };
    assert_eq!(refused(client.put_key("k", &with_policy).await), "conflict");
    let again = crate::keeping::new_key("k", "oct-256");
    assert_eq!(refused(client.create_key(&again).await), "conflict");
    stands("creation anew").await;
    let without = KeyVersionRequest { release_policy: None, ..new.clone() };
    client.put_key("k", &without).await.unwrap();
    stands("import as a version").await;
    client.rotate_key("k").await.unwrap();
    stands("rotation").await;

    let backup = client.back_up_key("k").await.unwrap().backup.0;
    assert_eq!(refused(client.restore_key(backup.clone()).await), "conflict");
    client.soft_delete_key("k").await.unwrap();
    assert_eq!(refused(client.restore_key(backup.clone()).await), "key-deleted");
    assert_eq!(refused(client.put_key("k", &with_policy).await), "key-deleted");
    assert_eq!(refused(client.create_key(&again).await), "conflict");
    client.recover_key("k").await.unwrap();
    stands("recovery").await;
    client.soft_delete_key("k").await.unwrap();
    client.purge_key("k").await.unwrap();
    client.restore_key(backup).await.unwrap();
    stands("restore").await;
    assert_eq!(refused(client.set_release_policy("k", &lax()).await), "policy-immutable");

    // Destroyed it is gone, and what is made under its name is another key.
    client.soft_delete_key("k").await.unwrap();
    client.purge_key("k").await.unwrap();
    client.create_key(&again).await.unwrap();
    assert_ne!(client.key_details("k", None).await.unwrap().version, made.version);
    let released = site.release(&guest, "k").await.unwrap();
    assert_ne!(guest.open(&released.jwe), [7; 32]);
}

// attack 60
#[tokio::test]
async fn nor_of_a_secrets() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let mut new = crate::keeping::new_secret("one");
    new.release_policy = Some(strict());
    client.set_secret("s", &new).await.unwrap();
    let lax = ReleasePolicyRequest::from("affirming");
    let stands = |after: &'static str| {
        let (client, site, guest, lax) = (&client, &site, &guest, &lax);
        async move {
            let set = client.set_secret_release_policy("s", lax).await;
            assert_eq!(refused(set), "policy-immutable", "{after}");
            let released = site.release(guest, "secrets/s").await;
            assert_eq!(code(released), Code::ReleaseDenied, "{after}");
            assert_eq!(refused(client.secret("s", None).await), "secret-not-readable", "{after}");
        }
    };
    stands("creation").await;
    new.release_policy = Some(lax.clone());
    assert_eq!(refused(client.set_secret("s", &new).await), "conflict");
    new.release_policy = None;
    client.set_secret("s", &new).await.unwrap();
    stands("another version").await;
    let backup = client.back_up_secret("s").await.unwrap().backup.0;
    client.delete_secret("s").await.unwrap();
    client.recover_secret("s").await.unwrap();
    stands("recovery").await;
    client.delete_secret("s").await.unwrap();
    client.purge_secret("s").await.unwrap();
    client.restore_secret(backup).await.unwrap();
    stands("restore").await;
}

/// What is purged leaves nothing behind: a copy from before brings back what stood then, when the policy
/// could be changed anyway.
// attack 60
#[tokio::test]
async fn a_copy_from_before_brings_the_policy_of_then_back_once_the_key_is_purged() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let material = Some(SecretBytes(Secret::new(vec![7; 32])));
    let new = KeyVersionRequest {
        release_policy: Some("affirming".into()),
        material,
        ..version("oct-256")
    };
    client.put_key("k", &new).await.unwrap();
    let before = client.back_up_key("k").await.unwrap().backup.0;
    client.set_release_policy("k", &strict()).await.unwrap();
    let after = client.back_up_key("k").await.unwrap().backup.0;

    // As long as there is anything of the key, the copy does not come back.
    assert_eq!(refused(client.restore_key(before.clone()).await), "conflict");
    client.soft_delete_key("k").await.unwrap();
    assert_eq!(refused(client.restore_key(before.clone()).await), "key-deleted");
    client.recover_key("k").await.unwrap();
    assert_eq!(code(site.release(&guest, "k").await), Code::ReleaseDenied);
    // Who may restore and not purge does not get there.
    let permissions = Permission::ALL.iter().copied();
    let permissions = permissions.filter(|one| *one != Permission::KeysPurge).collect();
    let caller = caller(&Tenant::default());
    let actor = Actor { caller: &caller, principal: "p", permissions: &permissions };
    site.host.vault_delete(actor, "k").await.unwrap();
    assert_eq!(code(site.host.vault_purge(actor, "k").await), Code::Forbidden);
    assert_eq!(code(site.host.vault_restore(actor, &before).await), Code::KeyDeleted);

    client.purge_key("k").await.unwrap();
    client.restore_key(before).await.unwrap();
    let policy = client.release_policy("k").await.unwrap();
    assert!(!policy.immutable && policy.language == Language::Affirming);
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), [7; 32]);
    // Both are in the log.
    let events = site.records();
    let count = |event: &str| {
        let of = |record: &&serde_json::Value| {
            record["event"] == event && record["key"] == "k" && record["outcome"] == "allowed"
        };
        events.iter().filter(of).count()
    };
    assert_eq!((count("key-purged"), count("key-restored")), (1, 1));

    // A copy from after it brings the immutable one.
    client.soft_delete_key("k").await.unwrap();
    client.purge_key("k").await.unwrap();
    client.restore_key(after).await.unwrap();
    assert_eq!(code(site.release(&guest, "k").await), Code::ReleaseDenied);
    let lax = ReleasePolicyRequest::from("affirming");
    assert_eq!(refused(client.set_release_policy("k", &lax).await), "policy-immutable");
}
