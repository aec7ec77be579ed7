//! A connector holds no more than it needs, and what it answers is looked at before it counts.

use claviger::error::Code;
use claviger::flow::NewKey;
use claviger::flow::vault::{Actor, Attributes, Imported, NewVaultKey};
use claviger::permission::Permissions;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::hostile::CONNECTOR;
use claviger_tests::site::{Guest, Journal, Site, caller, code, new_key, tenant};

/// A site whose keys are held by a connector that misbehaves as the key's name says.
async fn site() -> Site {
    Site::with(|ground, plan| {
        plan.plugins.push(ground.plugin("kms-hostile", CONNECTOR));
        plan.kms = "kms-hostile".to_owned();
    })
    .await
}

/// What comes of asking for the key of this name, while a sound one is released beside.
async fn outcome(site: &Site, name: &str) -> Result<(), Code> {
    let (guest, other) = (Guest::new(), Guest::new());
    let (hostile, sound) = tokio::join!(site.release(&guest, name), site.release(&other, "sound"));
    assert!(sound.is_ok(), "{name}: {sound:?}");
    hostile.map(drop).map_err(|refusal| refusal.code)
}

// attacks 45 and 50, invariants 7 and 10
#[tokio::test]
async fn a_connector_that_answers_what_it_may_not_releases_nothing() {
    let site = site().await;
    site.key("sound").await;
    let cases = [
        ("empty", Code::PluginFailed),
        ("media-type-forged", Code::PluginFailed),
        ("media-type-giant", Code::PluginFailed),
        ("version-forged", Code::PluginFailed),
        ("handle-forged", Code::PluginFailed),
        ("wrapped-garbage", Code::PluginFailed),
        ("wrapped-evidence", Code::PluginFailed),
        ("wrapped-nothing", Code::PluginFailed),
        ("words-forged", Code::KmsDenied),
        ("words-giant", Code::PluginFailed),
        ("endless-loop", Code::PluginTimeout),
        ("memory", Code::PluginFailed),
        ("handles", Code::PluginFailed),
        ("host-calls", Code::PluginFailed),
        ("panic", Code::PluginFailed),
    ];
    for (name, expected) in cases {
        site.key(name).await;
        assert_eq!(outcome(&site, name).await, Err(expected), "{name}");
    }
    assert_eq!(site.releases(), cases.len());
    let sound = |record: &serde_json::Value| record["key"] == "sound";
    let released = |record: &serde_json::Value| record["event"] == "released";
    assert!(site.records().iter().filter(|record| released(record)).all(sound));
    site.still_serves("after").await;
}

// attack 50
#[tokio::test]
async fn another_version_than_was_asked_for_is_not_released() {
    let site = site().await;
    site.key("version-other").await;
    let guest = Guest::new();
    let challenge = site.challenge_for(&guest, "version-other");
    let (caller, submission) = (guest.caller(), guest.answer(&challenge).into());
    let refused =
        site.host.release_with_evidence(&caller, "version-other", Some("1"), submission).await;
    assert_eq!(code(refused), Code::PluginFailed);
    assert_eq!(site.releases(), 0);
}

// attacks 50 and 51, invariant 10
#[tokio::test]
async fn a_connector_without_the_grant_does_not_see_a_key() {
    let journal = Journal::open();
    let site = site().await;
    site.key("sound").await;
    for name in ["reveal", "reveal-decoded", "decrypt"] {
        site.key(name).await;
        assert_eq!(outcome(&site, name).await, Err(Code::KmsDenied), "{name}");
    }
    assert!(journal.lines(&["revealed"]).is_empty());
    let refusal = site.release(&Guest::new(), "reveal").await.unwrap_err();
    assert!(refusal.reason.contains("this plugin may not read key material"), "{refusal}");
}

// attacks 40 and 51, invariants 7 and 10
#[tokio::test]
async fn a_connector_does_not_climb_out_of_its_tenant_or_its_place() {
    let site = site().await;
    site.key_of(&tenant("other"), "victim").await;
    for name in ["climb-to-neighbour", "climb-to-host", "read-neighbour"] {
        site.key(name).await;
        let refusal = site.release(&Guest::new(), name).await.unwrap_err();
        assert!(refusal.reason.contains("not a permitted name"), "{name}: {refusal}");
    }
    // What it may list is its own: the hostile connector keeps no records.
    site.key("list-everything").await;
    let refusal = site.release(&Guest::new(), "list-everything").await.unwrap_err();
    assert_eq!(refusal.reason, "kms-hostile: denied: found: ");
    // The same name in another tenant is another key.
    assert_eq!(code(site.release(&Guest::new(), "victim").await), Code::KeyNotFound);
    assert_eq!(site.releases(), 0);
}

// attacks 45 and 50, invariants 7 and 10
#[tokio::test]
async fn a_connector_does_not_choose_what_a_backup_holds_or_which_version_was_added() {
    let site = site().await;
    let (caller, permissions) = (caller(&Tenant::default()), Permissions::all());
    let actor = Actor { caller: &caller, principal: "tests", permissions: &permissions };
    for (name, wanted) in [
        ("open-sound", None),
        ("open-empty", Some("the material is empty")),
        ("open-made-up", Some("that the connector knows, without the grant")),
        ("open-forged", Some("unknown handle")),
    ] {
        site.key(name).await;
        let backup = site.host.vault_backup(actor, name).await;
        match wanted {
            None => assert!(backup.is_ok(), "{backup:?}"),
            Some(wanted) => {
                let refusal = backup.unwrap_err();
                assert_eq!(refusal.code, Code::PluginFailed, "{name}");
                assert!(refusal.reason.contains(wanted), "{name}: {refusal}");
            }
        }
    }
    for name in ["add-another", "add-forgery"] {
        site.key(name).await;
        let new = NewVaultKey {
            name: name.to_owned(),
            kind: "oct-256".to_owned(),
            hardware: false,
            material: Some(Imported::Plain(Secret::new(vec![7; 32]))),
            attributes: Attributes::default(),
            operations: None,
            tags: std::collections::BTreeMap::new(),
            exportable: true,
            release_policy: None,
        };
        assert_eq!(code(site.host.vault_create(actor, new).await), Code::PluginFailed, "{name}");
        let versions = site.host.vault_versions(actor, name, None, 25).await.unwrap().items;
        assert_eq!(versions.len(), 1, "{name}");
    }
}

// attack 15
#[tokio::test]
async fn a_connector_does_not_put_one_sealed_key_over_another() {
    let site = site().await;
    let material = site.key("sound").await;
    let administrator = caller(&Tenant::default());
    let over = NewKey { material: Some(Secret::new(vec![7; 32])), ..new_key("sound") };
    let over = site.host.create_key(&administrator, "tests", over).await;
    assert_eq!(code(over), Code::Conflict);
    let guest = Guest::new();
    let released = site.release(&guest, "sound").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
}

// attack 41
#[tokio::test]
async fn a_connectors_words_are_escaped() {
    let site = site().await;
    site.key("words-forged").await;
    let refusal = site.release(&Guest::new(), "words-forged").await.unwrap_err();
    assert!(!refusal.reason.contains(['\n', '\u{1b}']), "{refusal}");
    assert!(refusal.reason.contains(r"no\u{a}2026-11-24 INFO released\u{1b}[31m"), "{refusal}");
}

// attack 50, invariant 6
#[tokio::test]
async fn what_a_connector_says_of_another_key_is_not_taken_for_this_one() {
    let site = site().await;
    let administrator = caller(&Tenant::default());
    for name in ["create-another", "create-forgery"] {
        let refused = site.host.create_key(&administrator, "tests", new_key(name)).await;
        assert_eq!(code(refused), Code::PluginFailed, "{name}");
        // Nobody was told that it was made, so nobody gets it.
        assert_eq!(code(site.release(&Guest::new(), name).await), Code::KeyNotFound, "{name}");
    }
    assert_eq!(code(site.host.list_keys(&administrator, None).await), Code::PluginFailed);
    assert_eq!(code(site.host.key_versions(&administrator, "k").await), Code::PluginFailed);
}

// attack 64, invariant 6
#[tokio::test]
async fn a_key_whose_deletion_failed_is_not_released_and_can_be_deleted_again() {
    let site = site().await;
    site.key("delete-fails").await;
    assert!(site.release(&Guest::new(), "delete-fails").await.is_ok());
    let administrator = caller(&Tenant::default());
    for _ in 0..2 {
        let failed = site.host.delete_key(&administrator, "tests", "delete-fails").await;
        assert_eq!(code(failed), Code::KmsUnavailable);
        // The audit log has that it was deleted.
        let refused = site.release(&Guest::new(), "delete-fails").await;
        assert_eq!(code(refused), Code::KeyNotFound);
    }
}
