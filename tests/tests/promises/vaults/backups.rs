//! Backups hold every version, and bring them back as they were.

use claviger::error::Code;
use claviger::http::{KeyChangeRequest, KeyRotationPolicy, KeyVersionRequest, SecretBytes};
use claviger::secret::Secret;
use claviger::store::{MasterKey, SealedStore};
use claviger_tests::server::Asked;
use claviger_tests::site::{Ground, Guest, Site, code};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::version;
use crate::keeping::refused;
use crate::vault::{World, token};

#[tokio::test]
async fn a_backup_brings_every_version_back_with_its_identifier_and_state() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let materials = [[1; 32], [2; 32], [3; 32]];
    for (at, material) in materials.iter().enumerate() {
        let request = KeyVersionRequest {
            material: Some(SecretBytes(Secret::new(material.to_vec()))),
            release_policy: (at == 0).then(|| "affirming".into()),
            expires: Some(format!("2028-01-0{}T00:00:00Z", at + 1)),
            tags: [("at".to_owned(), at.to_string())].into(),
            ..version("oct-256")
        };
        client.put_key("k", &request).await.unwrap();
    }
    let middle = client.key_versions("k").await.unwrap().versions[1].version.clone();
    client.set_key_enabled("k", Some(&middle), false).await.unwrap();
    let policy = KeyRotationPolicy { rotate_after: Some("P90D".into()), ..Default::default() };
    client.set_rotation_policy("k", &policy).await.unwrap();
    let all = |client: claviger::client::Client| async move {
        let mut ids = Vec::new();
        let newest = client.key_details("k", None).await.unwrap();
        ids.push(serde_json::to_value(&newest).unwrap());
        ids
    };
    let of_host = || {
        let caller = guest.caller();
        let host = site.host.clone();
        async move {
            let permissions = claviger::permission::Permissions::all();
            let actor = claviger::flow::vault::Actor {
                caller: &caller,
                principal: "p",
                permissions: &permissions,
            };
            let page = host.vault_versions(actor, "k", None, 25).await.unwrap();
            let told = |key: &claviger::flow::vault::KeyDescription| {
                let updated = claviger::clock::Timestamp(0);
                (
                    key.version.clone(),
                    claviger::flow::vault::Described { updated, ..key.described.clone() },
                )
            };
            page.items.iter().map(told).collect::<Vec<_>>()
        }
    };
    let (before, newest) = (of_host().await, all(served.administrator()).await);
    assert_eq!(before.len(), 3);
    assert!(!before[1].1.enabled && before[0].1.enabled);

    let backup = client.back_up_key("k").await.unwrap().backup.0;
    client.delete_key("k").await.unwrap();
    client.restore_key(backup.clone()).await.unwrap();
    assert_eq!(of_host().await, before);
    assert_eq!(all(served.administrator()).await, newest);
    assert_eq!(client.rotation_policy("k").await.unwrap(), policy);
    let numbers = client.key_versions("k").await.unwrap().versions;
    for (at, (summary, material)) in numbers.iter().zip(materials).enumerate() {
        let (challenge, number) = (site.challenge_for(&guest, "k"), summary.version.as_str());
        let (caller, submission) = (guest.caller(), guest.answer(&challenge).into());
        let released =
            site.host.release_with_evidence(&caller, "k", Some(number), submission).await;
        match at {
            1 => assert_eq!(code(released), Code::KeyDisabled),
            _ => assert_eq!(guest.open(&released.unwrap().jwe), material),
        }
    }
    // What was disabled was in it all the same.
    let on = KeyChangeRequest {
        version: Some(before[1].0.clone()),
        enabled: Some(true),
        ..KeyChangeRequest::default()
    };
    client.change_key("k", &on).await.unwrap();
    let (challenge, number) = (site.challenge_for(&guest, "k"), numbers[1].version.as_str());
    let (caller, submission) = (guest.caller(), guest.answer(&challenge).into());
    let released = site.host.release_with_evidence(&caller, "k", Some(number), submission).await;
    assert_eq!(guest.open(&released.unwrap().jwe), materials[1]);
    assert_eq!(refused(client.restore_key(backup).await), "conflict");
}

#[tokio::test]
async fn a_backup_that_could_not_be_sent_back_is_not_given_out() {
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let put = |byte: u8| {
        let client = &client;
        async move {
            let material = Some(SecretBytes(Secret::new(vec![byte; 8192])));
            let request = KeyVersionRequest { material, ..version("oct") };
            client.put_key("large", &request).await.unwrap();
        }
    };
    for byte in 0..30 {
        put(byte).await;
    }
    let backup = client.back_up_key("large").await.unwrap().backup.0;
    client.delete_key("large").await.unwrap();
    client.restore_key(backup).await.unwrap();
    for byte in 30..36 {
        put(byte).await;
    }
    assert_eq!(refused(client.back_up_key("large").await), "conflict");
}

/// A backup as a host makes it, sealed for its purpose as a value of that name is.
fn sealed(site: &Site, purpose: &str, backup: &Value) -> Vec<u8> {
    let master = MasterKey::file(site.ground.path().join("master.key"));
    let (store, random) = (site.ground.store.clone(), site.ground.random.clone());
    let sealed = SealedStore::open(store, &master, random).unwrap();
    assert!(sealed.swap(purpose, None, Some(backup.to_string().as_bytes())).unwrap());
    site.ground.store.get(purpose).unwrap().unwrap()
}

/// A key `k` of so many versions, with this material each.
fn backup(numbers: &[u8], material: &dyn Fn(u8) -> Vec<u8>) -> Value {
    let version = |number: u8| {
        json!({
            "id": format!("{number:032x}"), "number": number.to_string(),
            "operations": ["encrypt", "decrypt"],
            "described": {"enabled": true, "created": 1, "updated": 2},
        })
    };
    let versions: Vec<_> = numbers.iter().map(|number| version(*number)).collect();
    let materials = numbers.iter().map(|number| BASE64.encode(&material(*number)));
    json!({
        "name": "k",
        "record": {
            "kind": "oct-256", "hardware": false, "exportable": true, "versions": versions,
        },
        "materials": materials.collect::<Vec<_>>(),
        "policy": {"language": "affirming", "created": 1},
    })
}

/// Its third version is no key of its kind.
#[tokio::test]
async fn of_a_backup_that_fails_half_way_nothing_stays() {
    const PURPOSE: &str = "backup/key/default/kms-local";
    let site = Site::new().await;
    let served = site.serve().await;
    let client = served.administrator();
    let short = |number| vec![number; if number == 3 { 31 } else { 32 }];
    let broken = sealed(&site, PURPOSE, &backup(&[1, 2, 3], &short));
    for _ in 0..2 {
        assert_eq!(refused(client.restore_key(broken.clone()).await), "request-malformed");
        assert_eq!(refused(client.key("k").await), "key-not-found");
        assert_eq!(code(site.release(&Guest::new(), "k").await), Code::KeyNotFound);
    }
    assert!(site.ground.store.swap(PURPOSE, Some(&broken), None).unwrap());
    let sound = sealed(&site, PURPOSE, &backup(&[1, 2, 3], &|number| vec![number; 32]));
    client.restore_key(sound).await.unwrap();
    let guest = Guest::new();
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), [3; 32]);
}

/// A connector that knows of no `key-versions`, over a server of its own.
#[tokio::test]
async fn several_versions_come_back_only_into_a_connector_that_takes_them_in() {
    let backup = |numbers: &[u8]| backup(numbers, &|number| vec![number; 32]);
    const PURPOSE: &str = "backup/key/default/kms-vault";
    for settings in [&[][..], &[("engine", "transit-datakey")]] {
        let world = World::with(settings, token, |plugin| plugin.targets[0].takes_keys = true);
        let world = world.await;
        let served = world.site.serve().await;
        let client = served.administrator();
        let two = sealed(&world.site, PURPOSE, &backup(&[1, 2]));
        for _ in 0..2 {
            let refused = refused(client.restore_key(two.clone()).await);
            assert_eq!(refused, "kms-unsupported", "{settings:?}");
        }
        // Neither here nor in the server is anything of it, and the name is free.
        assert_eq!(refused(client.key("k").await), "key-not-found");
        let written = |asked: &Asked| asked.method == "POST" && asked.path().starts_with("/v1/");
        assert!(!world.vault.server.asked().iter().any(written), "{settings:?}");
        assert!(world.site.ground.store.swap(PURPOSE, Some(&two), None).unwrap());
        let one = sealed(&world.site, PURPOSE, &backup(&[1]));
        client.restore_key(one).await.unwrap();
        assert_eq!(world.released("k").await.unwrap().0, [1; 32]);
    }

    // Nor is a backup given out that could not be brought back.
    let world = World::new(&[("engine", "transit-datakey")]).await;
    let served = world.site.serve().await;
    let client = served.administrator();
    world.adopt("k").await.unwrap();
    client.back_up_key("k").await.unwrap();
    client.rotate_key("k").await.unwrap();
    let (material, _) = world.released("k").await.unwrap();
    assert_eq!(refused(client.back_up_key("k").await), "kms-unsupported");
    assert_eq!(world.released("k").await.unwrap(), (material, "2".to_owned()));
}

// attack 60
#[tokio::test]
async fn a_backup_of_a_key_in_one_connector_does_not_come_back_in_another() {
    let world = World::beside("kms-local", &[("engine", "transit-datakey")], token, |plugin| {
        plugin.targets[0].takes_keys = true;
    });
    let world = world.await;
    let served = world.site.serve().await;
    let client = served.administrator();
    let material = world.site.key("k").await;
    let backup = client.back_up_key("k").await.unwrap().backup.0;
    client.delete_key("k").await.unwrap();
    client.choose_connector("kms-vault").await.unwrap();
    assert_eq!(refused(client.restore_key(backup.clone()).await), "request-malformed");
    assert_eq!(refused(client.key("k").await), "key-not-found");
    client.choose_connector("kms-local").await.unwrap();
    client.restore_key(backup).await.unwrap();
    assert_eq!(world.released("k").await.unwrap().0, material);
}

/// Before backups held every version they held one.
#[tokio::test]
async fn a_backup_of_one_version_as_it_was_made_before_still_comes_back() {
    let ground = Ground::new();
    let site = Site::on(ground, |_, _| ()).await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let old = json!({
        "name": "old",
        "record": {
            "kind": "oct-256", "hardware": false, "exportable": true,
            "versions": [{
                "id": "000102030405060708090a0b0c0d0e0f", "number": "7",
                "operations": ["encrypt", "decrypt"],
                "described": {"enabled": true, "created": 1, "updated": 2},
            }],
        },
        "material": "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=",
        "policy": {"language": "affirming", "created": 1},
    });
    let backup = sealed(&site, "backup/key/default/kms-local", &old);
    let restored = client.restore_key(backup).await.unwrap();
    assert_eq!(restored.version, "000102030405060708090a0b0c0d0e0f");
    let released = site.release(&guest, "old").await.unwrap();
    assert_eq!(guest.open(&released.jwe), [5; 32]);
}
