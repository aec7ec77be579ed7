use super::*;
use crate::clock::SystemClock;
use crate::plugin::engine::{Engine, EngineSettings};
use crate::plugin::{KmsPlugin, KmsServices, Settings, bundled};
use crate::random::{Random, SystemRandomness};
use crate::store::{Embedded, MasterKey, SealedStore};

fn engine() -> Engine {
    let settings = EngineSettings { instances: 2, ..EngineSettings::default() };
    Engine::new(settings).unwrap()
}

fn version(engine: &Engine, name: &str, source: Source) -> Version {
    let component = bundled::component("verifier-snp").unwrap();
    let verifier = VerifierPlugin::load(engine, name, component, Settings::default()).unwrap();
    Version { plugin: Loaded::Verifier(Arc::new(verifier)), source, signers: Vec::new() }
}

fn states(plugins: &Plugins) -> Vec<(Source, &'static str)> {
    plugins.entries().map(|entry| (entry.source, entry.state.name())).collect()
}

// attack 49
#[test]
fn a_swap_leaves_the_calls_in_flight_with_what_they_started_with() {
    let engine = engine();
    let catalogue = Catalogue::default();
    let (old, new) =
        (version(&engine, "snp", Source::Bundled), version(&engine, "snp", Source::File));
    let (of_old, of_new) =
        (old.plugin.verifier().unwrap().clone(), new.plugin.verifier().unwrap().clone());
    catalogue.change(|plugins| plugins.put(old.clone()).unwrap());
    let in_flight = catalogue.plugins();
    catalogue.change(|plugins| plugins.put(new.clone()).unwrap());

    let serving = |plugins: &Plugins| Arc::clone(plugins.verifier("snp").unwrap());
    assert!(Arc::ptr_eq(&serving(&in_flight), &of_old));
    assert!(Arc::ptr_eq(&serving(&catalogue.plugins()), &of_new));
    drop((old, new, of_old, of_new));
    let now = catalogue.plugins();
    assert_eq!(states(&now), [(Source::File, "serving"), (Source::Bundled, "draining")]);
    drop(in_flight);
    assert_eq!(states(&now), [(Source::File, "serving"), (Source::Bundled, "checked")]);
}

#[test]
fn a_rollback_exchanges_and_undoes_what_was_disabled() {
    let engine = engine();
    let mut plugins = Plugins::default();
    assert_eq!(plugins.back("snp"), Err(Unchanged::NothingBefore("snp".into())));
    assert_eq!(plugins.disable("snp"), Err(Unchanged::Unknown("snp".into())));
    plugins.put(version(&engine, "snp", Source::Bundled)).unwrap();
    assert_eq!(plugins.back("snp"), Err(Unchanged::NothingBefore("snp".into())));
    plugins.put(version(&engine, "snp", Source::Installed)).unwrap();
    plugins.back("snp").unwrap();
    assert_eq!(states(&plugins), [(Source::Bundled, "serving"), (Source::Installed, "checked")]);
    plugins.disable("snp").unwrap();
    assert_eq!(states(&plugins), [(Source::Bundled, "checked")]);
    assert!(plugins.of_tee("snp").is_none());
    plugins.back("snp").unwrap();
    assert_eq!(states(&plugins), [(Source::Bundled, "serving")]);
}

#[test]
fn no_two_verifiers_read_the_same_evidence() {
    let engine = engine();
    let mut plugins = Plugins::default();
    plugins.put(version(&engine, "snp", Source::Bundled)).unwrap();
    let other = version(&engine, "snp-too", Source::Installed);
    assert_eq!(plugins.put(other), Err(Unchanged::Tee("snp".into())));
    assert_eq!(states(&plugins), [(Source::Bundled, "serving")]);
}

#[test]
fn a_connector_does_not_take_a_verifiers_name() {
    let engine = engine();
    let mut plugins = Plugins::default();
    plugins.put(version(&engine, "snp", Source::Bundled)).unwrap();
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let master = MasterKey::ephemeral(&*random).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    let store = Arc::new(SealedStore::open(store, &master, random.clone()).unwrap());
    let services = KmsServices::embedded(store, Arc::new(SystemClock), random);
    let component = bundled::component("kms-local").unwrap();
    let connector = KmsPlugin::load(&engine, "snp", component, services).unwrap();
    let plugin = Loaded::Connector(Arc::new(connector));
    let other = Version { plugin, source: Source::Installed, signers: Vec::new() };
    let refused = plugins.put(other);
    assert_eq!(refused, Err(Unchanged::Kind("snp".into(), Kind::Verifier)));
    assert_eq!(states(&plugins), [(Source::Bundled, "serving")]);
}

#[test]
fn tokens_of_what_was_replaced_are_believed_until_they_are_over_and_no_longer() {
    let engine = engine();
    let mut plugins = Plugins::default();
    plugins.put(version(&engine, "snp", Source::Bundled)).unwrap();
    let digest = plugins.verifier("snp").unwrap().digest().to_owned();
    assert!(plugins.vouches("snp", &digest, Timestamp(10)));
    assert!(!plugins.vouches("snp", "another", Timestamp(10)));
    assert!(!plugins.vouches("tdx", &digest, Timestamp(10)));
    plugins.retire("snp", Timestamp(10), Timestamp(310));
    plugins.disable("snp").unwrap();
    assert!(plugins.vouches("snp", &digest, Timestamp(309)));
    assert!(!plugins.vouches("snp", &digest, Timestamp(310)));
    plugins.revoke("snp");
    assert!(!plugins.vouches("snp", &digest, Timestamp(10)));
}

#[test]
fn a_verifier_is_found_by_the_media_type_it_reads() {
    let engine = engine();
    let mut plugins = Plugins::default();
    plugins.put(version(&engine, "snp", Source::Bundled)).unwrap();
    let count = |evidence_type, tee| plugins.reading(evidence_type, tee).count();
    assert_eq!(count("application/vnd.amd.sev-snp-report", None), 1);
    assert_eq!(count("Application/JSON; charset=utf-8", Some("snp")), 1);
    assert_eq!(count("application/json", Some("tdx")), 0);
    assert_eq!(count("application/cbor", None), 0);
}
