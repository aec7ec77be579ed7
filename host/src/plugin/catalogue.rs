//! The plugins that serve: which verifier reads which evidence, which connector holds the keys. One
//! atomic pointer, so that a plugin can be swapped while requests are in flight: each finishes on the
//! [`Plugins`] that it started with.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::kms::KmsPlugin;
use super::loader::Loaded;
use super::manifest::Kind;
use super::verifier::VerifierPlugin;
use crate::clock::Timestamp;

pub use entry::{Entry, Source, State};

/// Every plugin that is loaded. Readers take a [`Plugins`] once per request and stay with it.
#[derive(Debug, Default)]
pub struct Catalogue(ArcSwap<Plugins>);

/// The plugins at one moment.
#[derive(Clone, Debug, Default)]
pub struct Plugins {
    slots: BTreeMap<String, Slot>,
    kms: String,
    retired: Vec<Retired>,
}

/// What there is under one name.
#[derive(Clone, Debug, Default)]
struct Slot {
    serving: Option<Version>,
    /// What served before; a rollback puts it back.
    before: Option<Version>,
    /// The last component that was offered under this name and not let in.
    refused: Option<Entry>,
}

/// One version of a plugin, loaded and checked.
#[derive(Clone, Debug)]
pub struct Version {
    /// What it is.
    pub plugin: Loaded,
    /// Where it came from.
    pub source: Source,
    /// Who signed it, as the verification file calls them; nobody where it was let in by its digest.
    pub signers: Vec<String>,
}

/// A verifier that served: tokens that rest on its verdicts are believed until they are over.
#[derive(Clone, Debug)]
struct Retired {
    name: String,
    digest: String,
    until: Timestamp,
}

/// Why the plugins stay as they are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unchanged {
    /// A plugin of one kind does not take the place of one of the other.
    #[error("{0} is a {1} plugin, and stays one")]
    Kind(String, Kind),
    /// It is there already.
    #[error("{0} serves already")]
    Present(String),
    /// A rollback needs what served before.
    #[error("of {0} no earlier version is loaded")]
    NothingBefore(String),
    /// Two verifiers of the same evidence would leave it open which one is asked.
    #[error("another verifier reads {0} already")]
    Tee(String),
    /// There is no such plugin.
    #[error("there is no plugin {0} that serves")]
    Unknown(String),
}

impl Catalogue {
    /// The plugins now.
    #[must_use]
    pub fn plugins(&self) -> Arc<Plugins> {
        self.0.load_full()
    }

    /// Puts others in their place in one step; whoever reads meanwhile sees the old or the new ones.
    pub fn replace(&self, plugins: Plugins) {
        self.0.store(Arc::new(plugins));
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
    /// None yet; the keys will be held by the connector of this name.
    #[must_use]
    pub fn new(kms: impl Into<String>) -> Self {
        Self { kms: kms.into(), ..Self::default() }
    }

    /// Has a version serve under its name; what served there before is kept for a rollback.
    pub fn put(&mut self, version: Version) -> Result<(), Unchanged> {
        let name = version.plugin.name().to_owned();
        self.fits(&name, &version)?;
        let slot = self.slots.entry(name).or_default();
        slot.refused = None;
        if let Some(old) = slot.serving.replace(version) {
            slot.before = Some(old);
        }
        Ok(())
    }

    /// Keeps a version for a rollback, without having it serve.
    pub fn keep(&mut self, version: Version) {
        let slot = self.slots.entry(version.plugin.name().to_owned()).or_default();
        slot.before = Some(version);
    }

    /// Has the version before serve again, and keeps the one that serves in its place.
    pub fn back(&mut self, name: &str) -> Result<(), Unchanged> {
        let nothing = || Unchanged::NothingBefore(name.to_owned());
        let before = self.slots.get(name).and_then(|slot| slot.before.clone());
        let before = before.ok_or_else(nothing)?;
        self.fits(name, &before)?;
        let slot = self.slots.get_mut(name).ok_or_else(nothing)?;
        slot.before = slot.serving.replace(before);
        Ok(())
    }

    /// Has nothing serve under this name. A rollback undoes it.
    pub fn disable(&mut self, name: &str) -> Result<(), Unchanged> {
        let unknown = || Unchanged::Unknown(name.to_owned());
        let slot = self.slots.get_mut(name).ok_or_else(unknown)?;
        slot.before = Some(slot.serving.take().ok_or_else(unknown)?);
        Ok(())
    }

    /// Has the keys held by the connector that serves under this name.
    pub fn choose(&mut self, name: &str) -> Result<(), Unchanged> {
        match self.serving(name).map(|version| version.plugin.kind()) {
            Some(Kind::Kms) => {
                name.clone_into(&mut self.kms);
                Ok(())
            }
            Some(kind) => Err(Unchanged::Kind(name.to_owned(), kind)),
            None => Err(Unchanged::Unknown(name.to_owned())),
        }
    }

    /// Tells of a component that was not let in.
    pub fn refuse(&mut self, refused: Entry) {
        let slot = self.slots.entry(refused.name.clone()).or_default();
        slot.refused = Some(refused);
    }

    /// Believes tokens on the verdicts of what serves under this name until `until`, whatever takes
    /// its place; what was believed until before `now` is forgotten.
    pub fn retire(&mut self, name: &str, now: Timestamp, until: Timestamp) {
        self.retired.retain(|retired| retired.until > now);
        if let Some(Version { plugin: Loaded::Verifier(verifier), .. }) = self.serving(name) {
            let digest = verifier.digest().to_owned();
            self.retired.push(Retired { name: name.to_owned(), digest, until });
        }
    }

    /// Believes no verdict of this name any more but of what serves.
    pub fn revoke(&mut self, name: &str) {
        self.retired.retain(|retired| retired.name != name);
    }

    /// Whether tokens that rest on a verdict of this verifier still count.
    #[must_use]
    pub fn vouches(&self, name: &str, digest: &str, now: Timestamp) -> bool {
        let retired = |retired: &Retired| {
            retired.name == name && retired.digest == digest && retired.until > now
        };
        self.verifier(name).is_some_and(|verifier| verifier.digest() == digest)
            || self.retired.iter().any(retired)
    }

    /// What serves under this name, or would if it were the one that is chosen.
    #[must_use]
    pub fn serving(&self, name: &str) -> Option<&Version> {
        self.slots.get(name)?.serving.as_ref()
    }

    /// What a rollback would have serve.
    #[must_use]
    pub fn before(&self, name: &str) -> Option<&Version> {
        self.slots.get(name)?.before.as_ref()
    }

    /// The connector that holds the keys.
    #[must_use]
    pub fn connector(&self) -> Option<&Arc<KmsPlugin>> {
        match &self.serving(&self.kms)?.plugin {
            Loaded::Connector(connector) => Some(connector),
            Loaded::Verifier(_) => None,
        }
    }

    /// The name of the connector that holds the keys, whether or not there is one.
    #[must_use]
    pub fn kms(&self) -> &str {
        &self.kms
    }

    /// The verifier of this name.
    #[must_use]
    pub fn verifier(&self, name: &str) -> Option<&Arc<VerifierPlugin>> {
        self.serving(name)?.plugin.verifier()
    }

    /// The verifier of this kind of attester; none where there are several.
    #[must_use]
    pub fn of_tee(&self, tee: &str) -> Option<&Arc<VerifierPlugin>> {
        let mut reading = self.verifiers().filter(|verifier| verifier.description().tee == tee);
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
        self.verifiers().filter(move |verifier| {
            let description = verifier.description();
            let mut types = description.evidence_types.iter();
            types.any(|present| essence(present).eq_ignore_ascii_case(wanted))
                && tee.is_none_or(|tee| description.tee == tee)
        })
    }

    fn verifiers(&self) -> impl Iterator<Item = &Arc<VerifierPlugin>> {
        self.slots.values().filter_map(|slot| slot.serving.as_ref()?.plugin.verifier())
    }

    /// Whether a version may serve under this name.
    fn fits(&self, name: &str, version: &Version) -> Result<(), Unchanged> {
        let present = self.slots.get(name).and_then(|slot| {
            slot.serving.as_ref().or(slot.before.as_ref()).map(|present| present.plugin.kind())
        });
        if let Some(kind) = present.filter(|kind| *kind != version.plugin.kind()) {
            return Err(Unchanged::Kind(name.to_owned(), kind));
        }
        if let Loaded::Verifier(verifier) = &version.plugin {
            let tee = &verifier.description().tee;
            let taken = |other: &Arc<VerifierPlugin>| {
                other.name() != name && other.description().tee == *tee
            };
            if self.verifiers().any(taken) {
                return Err(Unchanged::Tee(tee.clone()));
            }
        }
        Ok(())
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
