//! The embedded KMS and the host's side of its world, through the engine.

use std::sync::{Arc, LazyLock};

use super::*;
use crate::clock::{FixedClock, Timestamp};
use crate::plugin::EngineSettings;
use crate::plugin::bundled;
use crate::random::SystemRandomness;
use crate::secret::Secret;
use crate::store::{Embedded, MasterKey, Store};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let settings = EngineSettings { instances: 16, ..EngineSettings::default() };
    Engine::new(settings).unwrap()
});

struct World {
    raw: Arc<dyn Store>,
    services: KmsServices,
    clock: Arc<FixedClock>,
}

impl World {
    fn new() -> Self {
        let raw: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
        let master = MasterKey::ephemeral(random.as_ref()).unwrap();
        let store = SealedStore::open(raw.clone(), &master, random.clone()).unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp(1_000)));
        Self { raw, services: KmsServices::embedded(Arc::new(store), clock.clone(), random), clock }
    }

    fn load(&self, name: &str) -> KmsPlugin {
        let component = bundled::component("kms-local").unwrap();
        KmsPlugin::load(&ENGINE, name, component, self.services.clone()).unwrap()
    }
}

/// A release that is for nothing in particular.
struct Nothing;

impl ReleaseContext for Nothing {
    fn recipient(&self) -> String {
        "{}".into()
    }

    fn attestation(&self) -> Result<String, String> {
        Err("there is none".into())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        None
    }
}

fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

fn new_key(name: &str, kind: &str) -> NewKey {
    NewKey { name: name.into(), kind: kind.into(), exportable: true, material: None }
}

fn version(name: &str, version: &str) -> KeyReference {
    KeyReference { name: name.into(), version: Some(version.into()) }
}

async fn release(
    kms: &KmsPlugin,
    tenant: &Tenant,
    key: &KeyReference,
) -> Result<(Secret, String), KmsFailure> {
    match kms.release(tenant, key, Arc::new(Nothing)).await? {
        Released::Held { key, version, .. } => Ok((key, version)),
        Released::Wrapped { .. } => panic!("it wraps nothing"),
    }
}

#[tokio::test]
async fn a_key_is_generated_released_rotated_and_released_by_version() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    kms.health(&tenant).await.unwrap();
    let made = kms.create(&tenant, new_key("disk", "oct-256")).await.unwrap();
    assert_eq!((made.version.as_str(), made.kind.as_str()), ("1", "oct-256"));
    assert_eq!((made.created, made.updated), (1_000, 1_000));
    assert!(made.enabled && made.exportable);
    let latest = KeyReference::latest("disk");
    let (first, named) = release(&kms, &tenant, &latest).await.unwrap();
    assert_eq!((first.len(), named.as_str()), (32, "1"));

    world.clock.set(Timestamp(2_000));
    assert_eq!(kms.rotate(&tenant, "disk").await.unwrap().version, "2");
    let (second, named) = release(&kms, &tenant, &latest).await.unwrap();
    assert_eq!(named, "2");
    assert!(!second.matches(first.expose()));
    let (again, named) = release(&kms, &tenant, &version("disk", "1")).await.unwrap();
    assert_eq!(named, "1");
    assert!(again.matches(first.expose()));

    let versions = kms.versions(&tenant, "disk").await.unwrap();
    let dates: Vec<_> = versions.iter().map(|v| (v.version.as_str(), v.created)).collect();
    assert_eq!(dates, [("1", 1_000), ("2", 2_000)]);
    let one = kms.get(&tenant, &version("disk", "1")).await.unwrap();
    assert_eq!(one, versions[0]);
}

#[tokio::test]
async fn keys_of_every_kind_are_generated_and_released() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    for kind in ["oct-128", "rsa-2048", "ec-p256", "ec-p384", "ec-p521", "ed25519"] {
        kms.create(&tenant, new_key(kind, kind)).await.unwrap();
        let key = KeyReference::latest(kind);
        let released = kms.release(&tenant, &key, Arc::new(Nothing));
        let Released::Held { media_type, key, .. } = released.await.unwrap() else {
            panic!("it wraps nothing");
        };
        let raw = kind.starts_with("oct");
        let expected = if raw { "application/octet-stream" } else { "application/pkcs8" };
        assert_eq!(media_type, expected);
        assert_eq!(key.expose()[0] == 0x30 && key.len() > 40, !raw, "{kind}");
    }
    for kind in ["oct-64", "rsa-1024", "aes-256", "", "rsa-99999999999999"] {
        let refused = kms.create(&tenant, new_key("bad", kind)).await;
        assert!(matches!(refused, Err(KmsFailure::Unsupported(_))), "{kind}: {refused:?}");
    }
    assert_eq!(kms.list(&tenant, None).await.unwrap().0.len(), 6);
}

#[tokio::test]
async fn given_material_is_imported_only_if_it_is_a_key_of_its_kind() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    let import = |kind: &str, material: &[u8]| NewKey {
        material: Some(Secret::new(material.to_vec())),
        ..new_key("given", kind)
    };
    for (kind, material) in [("oct-256", &[7; 31][..]), ("ec-p256", &[0x30; 67]), ("rsa-2048", b"")]
    {
        let refused = kms.create(&tenant, import(kind, material)).await;
        assert!(matches!(refused, Err(KmsFailure::Malformed(_))), "{refused:?}");
    }
    kms.create(&tenant, import("oct-256", &[7; 32])).await.unwrap();
    let (key, _) = release(&kms, &tenant, &KeyReference::latest("given")).await.unwrap();
    assert!(key.matches(&[7; 32]));
    let again = kms.create(&tenant, import("oct-256", &[8; 32])).await;
    assert!(matches!(again, Err(KmsFailure::Conflict(_))), "{again:?}");
}

#[tokio::test]
async fn a_disabled_key_or_version_is_not_released() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    kms.create(&tenant, new_key("k", "oct-256")).await.unwrap();
    kms.rotate(&tenant, "k").await.unwrap();
    let latest = KeyReference::latest("k");
    let summary = kms.set_enabled(&tenant, &version("k", "2"), false).await.unwrap();
    assert!(!summary.enabled);
    // Without the newest, the one before is the latest that is enabled.
    assert_eq!(release(&kms, &tenant, &latest).await.unwrap().1, "1");
    let refused = release(&kms, &tenant, &version("k", "2")).await.unwrap_err();
    assert_eq!(refused, KmsFailure::Disabled);
    kms.set_enabled(&tenant, &version("k", "2"), true).await.unwrap();
    kms.set_enabled(&tenant, &latest, false).await.unwrap();
    for key in [&latest, &version("k", "1"), &version("k", "2")] {
        assert_eq!(release(&kms, &tenant, key).await.unwrap_err(), KmsFailure::Disabled);
    }
    assert!(kms.set_enabled(&tenant, &latest, true).await.unwrap().enabled);
    assert_eq!(release(&kms, &tenant, &latest).await.unwrap().1, "2");
}

#[tokio::test]
async fn a_key_that_is_not_exportable_is_not_released() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    let key = NewKey { exportable: false, ..new_key("inner", "ec-p256") };
    kms.create(&tenant, key).await.unwrap();
    let refused = release(&kms, &tenant, &KeyReference::latest("inner")).await;
    assert!(matches!(refused, Err(KmsFailure::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_key_is_gone_with_its_material_and_its_numbers_do_not_return() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    kms.create(&tenant, new_key("k", "oct-256")).await.unwrap();
    kms.rotate(&tenant, "k").await.unwrap();
    let keys = || world.raw.range("t/default/plugin/kms-local/key/", None, 99).unwrap();
    assert_eq!(keys().len(), 2);
    kms.delete(&tenant, "k").await.unwrap();
    assert_eq!(keys().len(), 0);
    let latest = KeyReference::latest("k");
    assert_eq!(release(&kms, &tenant, &latest).await.unwrap_err(), KmsFailure::NotFound);
    assert_eq!(kms.get(&tenant, &latest).await.unwrap_err(), KmsFailure::NotFound);
    assert_eq!(kms.rotate(&tenant, "k").await.unwrap_err(), KmsFailure::NotFound);
    assert_eq!(kms.delete(&tenant, "k").await.unwrap_err(), KmsFailure::NotFound);
    assert!(kms.list(&tenant, None).await.unwrap().0.is_empty());
    let made = kms.create(&tenant, new_key("k", "ec-p256")).await.unwrap();
    assert!(!["1", "2"].contains(&made.version.as_str()), "{}", made.version);
    let old = release(&kms, &tenant, &version("k", "1")).await;
    assert_eq!(old.unwrap_err(), KmsFailure::NotFound);
}

#[tokio::test]
async fn what_is_not_there_or_not_a_name_is_refused() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    kms.create(&tenant, new_key("k", "oct-256")).await.unwrap();
    for key in [
        KeyReference::latest("other"),
        version("k", "2"),
        version("k", "01"),
        version("k", "+1"),
        version("k", "x"),
    ] {
        let refused = release(&kms, &tenant, &key).await;
        assert_eq!(refused.unwrap_err(), KmsFailure::NotFound, "{key:?}");
    }
    // attack 40
    for name in ["", "../k", "k/1", "k%2f1", "K\u{131}", "k\n"] {
        let refused = release(&kms, &tenant, &KeyReference::latest(name)).await;
        assert!(matches!(refused, Err(KmsFailure::Malformed(_))), "{name:?}");
        let refused = kms.create(&tenant, new_key(name, "oct-256")).await;
        assert!(matches!(refused, Err(KmsFailure::Malformed(_))), "{name:?}");
    }
    let refused = release(&kms, &tenant, &version("k", "1\n")).await;
    assert!(matches!(refused, Err(KmsFailure::Malformed(_))));
    let refused = kms.list(&tenant, Some("../../x")).await;
    assert!(matches!(refused, Err(KmsFailure::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_keys() {
    let world = World::new();
    let kms = world.load("kms-local");
    let (a, b) = (tenant("a"), tenant("b"));
    kms.create(&a, new_key("k", "oct-256")).await.unwrap();
    let latest = KeyReference::latest("k");
    assert_eq!(release(&kms, &b, &latest).await.unwrap_err(), KmsFailure::NotFound);
    kms.create(&b, new_key("k", "oct-256")).await.unwrap();
    let of_a = release(&kms, &a, &latest).await.unwrap().0;
    let of_b = release(&kms, &b, &latest).await.unwrap().0;
    assert!(!of_a.matches(of_b.expose()));
    kms.delete(&b, "k").await.unwrap();
    assert!(release(&kms, &a, &latest).await.unwrap().0.matches(of_a.expose()));
    assert!(kms.list(&b, None).await.unwrap().0.is_empty());
}

// attack 51
#[tokio::test]
async fn one_connector_does_not_see_what_another_keeps() {
    let world = World::new();
    let (one, other, tenant) =
        (world.load("kms-local"), world.load("kms-other"), Tenant::default());
    one.create(&tenant, new_key("k", "oct-256")).await.unwrap();
    let latest = KeyReference::latest("k");
    assert_eq!(release(&other, &tenant, &latest).await.unwrap_err(), KmsFailure::NotFound);
    assert!(other.list(&tenant, None).await.unwrap().0.is_empty());
    assert_eq!(other.delete(&tenant, "k").await.unwrap_err(), KmsFailure::NotFound);
    assert!(release(&one, &tenant, &latest).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_create_or_rotate_at_once_none_is_lost_and_none_is_mixed() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    let at_once = |work: fn(KmsPlugin, Tenant) -> tokio::task::JoinHandle<bool>| {
        let calls: Vec<_> = (0..10).map(|_| work(kms.clone(), tenant.clone())).collect();
        async move {
            let mut won = 0;
            for call in calls {
                won += usize::from(call.await.unwrap());
            }
            won
        }
    };
    let created = at_once(|kms, tenant| {
        tokio::spawn(async move { kms.create(&tenant, new_key("k", "oct-256")).await.is_ok() })
    });
    assert_eq!(created.await, 1);
    let rotated =
        at_once(|kms, tenant| tokio::spawn(async move { kms.rotate(&tenant, "k").await.is_ok() }));
    let rotated = rotated.await;
    assert!(rotated >= 1);
    let versions = kms.versions(&tenant, "k").await.unwrap();
    assert_eq!(versions.len(), 1 + rotated);
    for each in &versions {
        release(&kms, &tenant, &version("k", &each.version)).await.unwrap();
    }
    // Who lost took the material back.
    let kept = world.raw.range("t/default/plugin/kms-local/key/", None, 99).unwrap();
    assert_eq!(kept.len(), versions.len());
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let world = World::new();
    let (kms, tenant) = (world.load("kms-local"), Tenant::default());
    for number in 0..103 {
        let name = format!("k-{number:03}");
        kms.create(&tenant, new_key(&name, "oct-128")).await.unwrap();
    }
    kms.delete(&tenant, "k-001").await.unwrap();
    let (page, cursor) = kms.list(&tenant, None).await.unwrap();
    assert_eq!((page.len(), cursor.as_deref()), (99, Some("k-099")));
    let (page, cursor) = kms.list(&tenant, cursor.as_deref()).await.unwrap();
    let names: Vec<_> = page.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["k-100", "k-101", "k-102"]);
    assert_eq!(cursor, None);
}

#[tokio::test]
async fn a_record_moved_or_edited_on_the_disk_releases_nothing() {
    let world = World::new();
    let kms = world.load("kms-local");
    let (a, b) = (tenant("a"), tenant("b"));
    kms.create(&a, new_key("k", "oct-256")).await.unwrap();
    for key in world.raw.range("t/a/", None, 9).unwrap() {
        let value = world.raw.get(&key).unwrap();
        let moved = key.replacen("t/a/", "t/b/", 1);
        assert!(world.raw.swap(&moved, None, value.as_deref()).unwrap());
    }
    let refused = release(&kms, &b, &KeyReference::latest("k")).await;
    assert!(matches!(refused, Err(KmsFailure::Unavailable(_))), "{refused:?}");
}

#[test]
fn the_embedded_kms_is_small_and_needs_no_grant_beyond_the_host() {
    let component = bundled::component("kms-local").unwrap();
    assert!(component.len() < 150_000, "{} bytes", component.len());
    let world = World::new();
    let mut services = world.services.clone();
    services.grants = Grants::new(["log"]);
    let refused = KmsPlugin::load(&ENGINE, "kms-local", component, services).unwrap_err();
    assert!(matches!(refused, LoadError::Ungranted { .. }), "{refused}");
    let refused = KmsPlugin::load(&ENGINE, "../kms", component, world.services.clone());
    assert!(matches!(refused, Err(LoadError::Description(_))));
    let verifier = bundled::component("verifier-snp").unwrap();
    let refused = KmsPlugin::load(&ENGINE, "kms-local", verifier, world.services);
    assert!(matches!(refused, Err(LoadError::Kind(Kind::Verifier))));
}
