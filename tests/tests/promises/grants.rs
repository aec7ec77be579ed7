//! What a connector gets only where the operator grants it, and what then stands in the records.

use std::sync::Arc;

use claviger::appraisal::Appraiser;
use claviger::assemble::configured;
use claviger::audit::{AuditLog, SigningKey};
use claviger::clock::Clock;
use claviger::egress::SystemResolver;
use claviger::error::Code;
use claviger::flow::{Challenges, Host, Keyring, Parts, ReleasePolicies, TokenSettings, Tokens};
use claviger::keys::{RecipientKey, TokenAlgorithm, WrapHeader};
use claviger::plugin::catalogue::{Plugins, Source, Version};
use claviger::plugin::{
    Catalogue, Engine, EngineSettings, Installer, KmsPlugin, KmsServices, LifePlan, Loaded, Loader,
    Settings, VerifierPlugin, bundled,
};
use claviger::quote::Authority;
use claviger::reference::{References, Signers};
use claviger::store::SealedStore;
use claviger_tests::hostile::CONNECTOR;
use claviger_tests::site::{Ground, Guest, Site, code, policy};

/// A host whose connector has these grants, put together part by part: no configuration gives them
/// away yet.
fn granting(grant: impl FnOnce(&mut KmsServices)) -> Site {
    let ground = Ground::new();
    let plan = ground.plan();
    let (clock, random) = (ground.clock.clone(), ground.random.clone());
    let store = SealedStore::open(plan.store, &plan.master_key, random.clone());
    let store = Arc::new(store.unwrap());
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let loader = Loader {
        engine: engine.clone(),
        store: store.clone(),
        clock: clock.clone(),
        random: random.clone(),
        resolver: Arc::new(SystemResolver),
    };
    let installer = Installer::new(loader, [], LifePlan::default(), "kms-local", true, 300);
    let mut services = KmsServices::embedded(store.clone(), clock.clone(), random.clone());
    grant(&mut services);
    let kms = KmsPlugin::load(&engine, "kms-hostile", CONNECTOR, services).unwrap();
    let component = bundled::component("verifier-snp").unwrap();
    let settings = Settings::default();
    let verifier = VerifierPlugin::load(&engine, "verifier-snp", component, settings).unwrap();
    let mut plugins = Plugins::new("kms-hostile");
    for plugin in [Loaded::Verifier(Arc::new(verifier)), Loaded::Connector(Arc::new(kms))] {
        plugins.put(Version { plugin, source: Source::File, signers: Vec::new() }).unwrap();
    }
    let catalogue = Catalogue::default();
    catalogue.replace(plugins);
    let mut authority = Authority::builder();
    for root in plan.simulated_roots {
        authority = authority.simulated_root(root);
    }
    for endorsement in plan.endorsements {
        authority = authority.certificate(endorsement);
    }
    let directory = ground.audit();
    let key = SigningKey::generate().unwrap();
    let audit = AuditLog::open(&directory, "grants", &key, clock.clone(), plan.audit.settings);
    let algorithm = TokenAlgorithm::default();
    let keyring = Keyring::open(store.clone(), algorithm, 300, clock.now()).unwrap();
    let settings = TokenSettings::default();
    let tokens =
        Tokens { keyring, issuer: "https://grants.test".to_owned(), lifetime: 300, settings };
    let host = Host::new(Parts {
        attestations: claviger::flow::Attestations::new(store.clone()),
        vault: claviger::flow::vault::Vault::new(
            store.clone(),
            random.clone(),
            claviger::flow::vault::Recoverable::default(),
        ),
        challenges: Challenges::new(plan.id, 300, 1_000, random.clone()).unwrap(),
        clock,
        random,
        catalogue,
        installer,
        authority: Arc::new(authority.build().unwrap()),
        endorsements: None,
        appraiser: Appraiser::new(&policy(), None).unwrap(),
        references: References::new(
            store.clone(),
            Signers::new(plan.reference).unwrap(),
            configured(&plan.snp),
        ),
        issuers: claviger::foreign::Issuers::default(),
        tokens,
        release_policies: ReleasePolicies::new(store),
        audit: audit.unwrap(),
        development: true,
    });
    Site { ground, host: Arc::new(host) }
}

// invariant 10
#[tokio::test]
async fn a_connector_reads_key_bytes_only_with_the_grant_and_every_record_says_so() {
    let name = "reveal-and-hold";
    let without = granting(|_| ());
    without.key(name).await;
    assert_eq!(code(without.release(&Guest::new(), name).await), Code::KmsDenied);
    let with = granting(|services| services.reads_key_material = true);
    let (guest, material) = (Guest::new(), with.key(name).await);
    let released = with.release(&guest, name).await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    assert!(released.reads_key_material);
    let listed = |site: &Site| {
        let plugins = site.host.plugins().into_iter();
        plugins.filter(|plugin| plugin.reads_key_material).count()
    };
    assert_eq!((listed(&with), listed(&without)), (1, 0));
    // Whether it looked or not: it could have.
    with.still_serves("sound").await;
    let records = with.records();
    let released: Vec<_> = records.iter().filter(|r| r["event"] == "released").collect();
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|record| record["reads_key_material"] == true));
    without.still_serves("sound").await;
    let record = without.records().last().unwrap().clone();
    assert_eq!((&record["event"], &record["key"]), (&"released".into(), &"sound".into()));
    assert_eq!(record["reads_key_material"], serde_json::Value::Null);
}

// attack 50, invariant 10
#[tokio::test]
async fn a_key_that_the_connector_chose_itself_leaves_only_with_the_grant() {
    let (name, guest) = ("made-up", Guest::new());
    let without = granting(|_| ());
    without.key(name).await;
    let refusal = without.release(&guest, name).await.unwrap_err();
    assert_eq!(refusal.code, Code::PluginFailed);
    assert!(refusal.reason.contains("one that the connector knows"), "{refusal}");
    let with = granting(|services| services.reads_key_material = true);
    with.key(name).await;
    let released = with.release(&guest, name).await.unwrap();
    assert_eq!(guest.open(&released.jwe), b"of its own choice");
}

// attack 50, invariants 4 and 10
#[tokio::test]
async fn a_connector_wraps_keys_itself_only_with_the_grant() {
    let name = "wrapped-garbage";
    let without = granting(|_| ());
    without.key(name).await;
    let refusal = without.release(&Guest::new(), name).await.unwrap_err();
    assert_eq!(refusal.code, Code::PluginFailed);
    assert!(refusal.reason.contains("it wrapped the key itself"), "{refusal}");
    let (guest, other) = (Guest::new(), Guest::new());
    let jwe = RecipientKey::from_jwk(guest.key.jwk()).unwrap().wrap(b"key", &header()).unwrap();
    let with = granting(|services| {
        services.wraps_for_recipient = true;
        services.values.insert("token".into(), jwe.clone());
    });
    for name in [name, "wrapped-nothing", "wrapped-evidence"] {
        with.key(name).await;
        assert_eq!(code(with.release(&guest, name).await), Code::PluginFailed, "{name}");
    }
    // Passed on as it is to whom it names, and to nobody else.
    with.key("wrapped-given").await;
    let released = with.release(&guest, "wrapped-given").await.unwrap();
    assert_eq!((&released.jwe, guest.open(&released.jwe)), (&jwe, b"key".to_vec()));
    let record = with.records().pop().unwrap();
    assert_eq!(record["wrapped_by_connector"], true);
    let refusal = with.release(&other, "wrapped-given").await.unwrap_err();
    assert_eq!(refusal.code, Code::PluginFailed);
    assert!(refusal.reason.contains("wrapped to another recipient"), "{refusal}");
}

fn header() -> WrapHeader {
    WrapHeader {
        cty: "application/octet-stream".into(),
        tenant: "default".into(),
        key: "wrapped-given".into(),
        version: "1".into(),
        challenge: [0; 32],
        audit: None,
    }
}
