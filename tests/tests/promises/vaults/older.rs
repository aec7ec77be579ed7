//! A store of an earlier version, with records as they were then: an upgrade loses nothing.

use std::sync::Arc;

use claviger::http::{KeyChangeRequest, SecretChangeRequest};
use claviger::store::names::{PluginSpace, of_tenant};
use claviger::store::{MasterKey, SealedStore};
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, Site};
use serde_json::json;

use crate::keeping::new_secret;

/// Records of the embedded KMS: layout 1, `oct` of 256 bits, one enabled version, number 1.
fn of_the_plugin(store: &SealedStore, tenant: &Tenant, name: &str, material: u8) {
    let space = PluginSpace::new(tenant, "kms-local").unwrap();
    let seconds = 1_700_000_000_u64.to_be_bytes();
    let record = [
        &[1, 3, 0][..],
        &256_u32.to_be_bytes(),
        &1_u32.to_be_bytes(),
        &2_u32.to_be_bytes(),
        &1_u32.to_be_bytes(),
        &[1],
        &seconds,
        &seconds,
    ]
    .concat();
    let key = [&[1, 0][..], &256_u32.to_be_bytes(), &[material; 32]].concat();
    let put = |place: String, value: &[u8]| assert!(store.swap(&place, None, Some(value)).unwrap());
    put(space.record(&format!("key/{name}")).unwrap(), &record);
    put(space.key(&format!("{name}/1")).unwrap(), &key);
}

#[tokio::test]
async fn a_store_from_before_there_were_vaults_opens_and_serves_whole() {
    let ground = Ground::new();
    let tenant = Tenant::default();
    let master = MasterKey::file(ground.path().join("master.key"));
    let store = SealedStore::open(Arc::clone(&ground.store), &master, ground.random.clone());
    let store = store.unwrap();
    let put = |place: &str, value: &serde_json::Value| {
        assert!(store.swap(place, None, Some(value.to_string().as_bytes())).unwrap());
    };
    // A key with its release policy, when there was one language, called a rule; no record of a vault.
    of_the_plugin(&store, &tenant, "first", 1);
    let policy = of_tenant(&tenant, "release-policy", "kms-local/first");
    put(&policy, &json!({"rule": "affirming", "created": 1_700_000_000}));
    // The first records of vaults: no deletion, no rotation, no public part, no policy of a secret.
    of_the_plugin(&store, &tenant, "second", 2);
    let policy = of_tenant(&tenant, "release-policy", "kms-local/second");
    put(&policy, &json!({"language": "affirming", "created": 1_700_000_000}));
    let described = json!({"enabled": true, "created": 1_700_000_000, "updated": 1_700_000_000});
    let id = "00112233445566778899aabbccddeeff";
    put(
        &of_tenant(&tenant, "vault-key", "kms-local/second"),
        &json!({
            "kind": "oct-256", "hardware": false, "exportable": true,
            "versions": [{
                "id": id, "number": "1", "operations": ["encrypt", "decrypt"],
                "described": described,
            }],
        }),
    );
    put(
        &of_tenant(&tenant, "vault-secret", "s"),
        &json!({"versions": [{"id": id, "value": "kept", "described": described}]}),
    );
    drop(store);

    let site = Site::on(ground, |_, _| ()).await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let permissions = claviger::permission::Permissions::all();
    let caller = guest.caller();
    let actor =
        claviger::flow::vault::Actor { caller: &caller, principal: "p", permissions: &permissions };
    let page = site.host.vault_keys(actor, None, 25).await.unwrap();
    let names: Vec<_> = page.items.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(client.key_details("second", None).await.unwrap().version, id);
    for (name, material) in [("first", 1), ("second", 2)] {
        let released = site.release(&guest, name).await.unwrap();
        assert_eq!(guest.open(&released.jwe), [material; 32]);
        let tags = Some([("new".to_owned(), "yes".to_owned())].into());
        let change = KeyChangeRequest { tags, ..KeyChangeRequest::default() };
        client.change_key(name, &change).await.unwrap();
        client.rotate_key(name).await.unwrap();
        let backup = client.back_up_key(name).await.unwrap().backup.0;
        client.soft_delete_key(name).await.unwrap();
        client.purge_key(name).await.unwrap();
        client.restore_key(backup).await.unwrap();
        assert_eq!(client.key_versions(name).await.unwrap().versions.len(), 2);
    }
    let kept = client.secret("s", Some(id)).await.unwrap();
    assert_eq!(kept.value.0.expose(), b"kept");
    client.set_secret("s", &new_secret("newer")).await.unwrap();
    let change = SecretChangeRequest { version: Some(id.into()), ..Default::default() };
    client.change_secret("s", &change).await.unwrap();
    assert_eq!(client.secret_versions("s").await.unwrap().versions.len(), 2);
}
