//! The plugins that serve: which verifier reads which evidence. One atomic pointer, so that a plugin
//! can be swapped while calls are in flight: they finish on what they started with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;

use super::kms::KmsPlugin;
use super::manifest::Kind;
use super::verifier::VerifierPlugin;

/// Every plugin that is loaded. Readers take a [`Plugins`] once per request and stay with it.
#[derive(Debug, Default)]
pub struct Catalogue(ArcSwap<Plugins>);

/// The plugins at one moment.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    verifiers: BTreeMap<String, Arc<VerifierPlugin>>,
    entries: BTreeMap<String, Entry>,
}

/// What is told of a plugin.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The name under which it is loaded.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// The plugin's own version.
    pub version: String,
    /// SHA-256 of the component, in lower-case hexadecimal.
    pub digest: String,
    /// What its manifest says that it imports; a component that imports more is not admitted.
    pub imports: Vec<String>,
    /// Where it came from.
    pub source: Source,
    /// Whether it serves.
    #[serde(flatten)]
    pub state: State,
}

/// Where a plugin came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The binary.
    Bundled,
    /// A file that the operator named; it goes before a bundled plugin of the same name.
    File,
}

/// Whether a plugin serves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum State {
    /// It could not be loaded; why.
    Failed(String),
    /// It serves.
    Serving,
}

impl Catalogue {
    /// The plugins now.
    #[must_use]
    pub fn plugins(&self) -> Arc<Plugins> {
        self.0.load_full()
    }

    /// Changes the plugins in one step. A later change starts from this one's result.
    pub fn change(&self, change: impl Fn(&mut Plugins)) {
        self.0.rcu(|plugins| {
            let mut changed = Plugins::clone(plugins);
            change(&mut changed);
            changed
        });
    }
}

impl Plugins {
    /// Adds a verifier, or puts it in the place of the one with its name.
    pub fn put_verifier(&mut self, verifier: Arc<VerifierPlugin>, source: Source) {
        let name = verifier.name().to_owned();
        self.put(Entry {
            name: name.clone(),
            kind: Kind::Verifier,
            version: verifier.manifest().version.clone(),
            digest: verifier.digest().to_owned(),
            imports: verifier.manifest().imports.clone(),
            source,
            state: State::Serving,
        });
        self.verifiers.insert(name, verifier);
    }

    /// Tells of a connector; the host holds on to it itself.
    pub fn put_connector(&mut self, connector: &KmsPlugin, source: Source) {
        self.put(Entry {
            name: connector.name().to_owned(),
            kind: Kind::Kms,
            version: connector.manifest().version.clone(),
            digest: connector.digest().to_owned(),
            imports: connector.manifest().imports.clone(),
            source,
            state: State::Serving,
        });
    }

    /// Tells of a plugin that is kept elsewhere (a connector) or that could not be loaded.
    pub fn put(&mut self, entry: Entry) {
        self.entries.insert(entry.name.clone(), entry);
    }

    /// What there is, by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The verifier of this name.
    #[must_use]
    pub fn verifier(&self, name: &str) -> Option<&Arc<VerifierPlugin>> {
        self.verifiers.get(name)
    }

    /// The verifier of this kind of attester; none where there are several.
    #[must_use]
    pub fn of_tee(&self, tee: &str) -> Option<&Arc<VerifierPlugin>> {
        let mut reading =
            self.verifiers.values().filter(|verifier| verifier.description().tee == tee);
        let verifier = reading.next()?;
        reading.next().is_none().then_some(verifier)
    }

    /// The verifiers that read this media type (compared without regard to case and parameters), for
    /// one kind of attester where it is named; by name. Where there are several, the caller must say
    /// which kind it means.
    pub fn reading<'a>(
        &'a self,
        evidence_type: &'a str,
        tee: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Arc<VerifierPlugin>> {
        let wanted = essence(evidence_type);
        self.verifiers.values().filter(move |verifier| {
            let description = verifier.description();
            let mut types = description.evidence_types.iter();
            types.any(|present| essence(present).eq_ignore_ascii_case(wanted))
                && tee.is_none_or(|tee| description.tee == tee)
        })
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::engine::{Engine, EngineSettings};
    use crate::plugin::{Settings, bundled};

    fn engine() -> Engine {
        let settings = EngineSettings { instances: 2, ..EngineSettings::default() };
        Engine::new(settings).unwrap()
    }

    #[test]
    fn a_swap_leaves_the_calls_in_flight_with_what_they_started_with() {
        let engine = engine();
        let component = bundled::component("verifier-snp").unwrap();
        let load = |name| {
            let settings = Settings::default();
            Arc::new(VerifierPlugin::load(&engine, name, component, settings).unwrap())
        };
        let catalogue = Catalogue::default();
        let (old, new) = (load("snp"), load("snp"));
        catalogue.change(|plugins| plugins.put_verifier(Arc::clone(&old), Source::Bundled));
        let in_flight = catalogue.plugins();
        catalogue.change(|plugins| plugins.put_verifier(Arc::clone(&new), Source::File));

        let serving = |plugins: &Plugins| Arc::clone(plugins.verifier("snp").unwrap());
        assert!(Arc::ptr_eq(&serving(&in_flight), &old));
        assert!(Arc::ptr_eq(&serving(&catalogue.plugins()), &new));
        let plugins = catalogue.plugins();
        let entries: Vec<_> = plugins.entries().collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].source, Source::File);
        assert_eq!(entries[0].digest, old.digest());
    }

    #[test]
    fn a_verifier_is_found_by_the_media_type_it_reads() {
        let engine = engine();
        let component = bundled::component("verifier-snp").unwrap();
        let verifier = VerifierPlugin::load(&engine, "snp", component, Settings::default());
        let mut plugins = Plugins::default();
        plugins.put_verifier(Arc::new(verifier.unwrap()), Source::Bundled);
        let count = |evidence_type, tee| plugins.reading(evidence_type, tee).count();
        assert_eq!(count("application/vnd.amd.sev-snp-report", None), 1);
        assert_eq!(count("Application/JSON; charset=utf-8", Some("snp")), 1);
        assert_eq!(count("application/json", Some("tdx")), 0);
        assert_eq!(count("application/cbor", None), 0);
    }
}
