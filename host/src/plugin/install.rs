//! How plugins come to serve: what is configured, dropped in or installed is let in, loaded and
//! checked beside what serves, and then takes its place in one step. What is not let in, or does not
//! load, changes nothing.

mod start;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use semver::Version as Semver;

use super::catalogue::{Catalogue, Entry, Plugins, Source, Unchanged, Version};
use super::loader::{Loader, NotLoaded};
use super::manifest::{Manifest, ManifestError};
use super::package::Package;
use super::probe::Unfit;
use super::register::{Origin, Register, RegisterError};
use super::verification::{Inadmissible, Verification};
use crate::assemble::PluginPlan;
use crate::clock::Timestamp;
use crate::store::names;

pub use start::{Wanted, configured};

/// How plugins are let in after the start, and where what is installed is kept.
#[derive(Clone, Debug, Default)]
pub struct LifePlan {
    /// Who may sign plugins.
    pub verification: Option<Arc<Verification>>,
    /// A folder whose components are loaded, and looked at again from time to time.
    pub directory: Option<PathBuf>,
    /// Where installed components are kept; none: they are gone with the process.
    pub installed: Option<PathBuf>,
}

/// Brings plugins into a catalogue, one change at a time.
#[derive(Debug)]
pub struct Installer {
    loader: Loader,
    plans: BTreeMap<String, PluginPlan>,
    verification: Option<Arc<Verification>>,
    directory: Option<PathBuf>,
    /// Without a verification file: whether anything is let in (development).
    unsigned: bool,
    register: Register,
    /// The connector that the configuration names.
    kms: String,
    /// How long tokens are good: so long a verifier that was replaced is believed.
    token_seconds: u64,
    turn: tokio::sync::Mutex<()>,
}

/// A package as far as it is known before anything of it is compiled.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What is offered.
    pub package: Arc<Package>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// Where it came from.
    pub source: Source,
}

/// Why nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum NotInstalled {
    /// It is not let in.
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// It does not load.
    #[error(transparent)]
    Load(#[from] NotLoaded),
    /// Its manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is called what no plugin can be called.
    #[error("{0:?} is no plugin's name")]
    Name(String),
    /// What is installed cannot be kept or found.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The operator's verification file has no rollbacks of it.
    #[error("the verification file permits no rollback of {0}")]
    Rollback(String),
    /// It does not fit what is there.
    #[error(transparent)]
    Unchanged(#[from] Unchanged),
    /// It loads, and is not fit to serve.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// What is done with an offer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// There is nothing of its name yet.
    Install,
    /// Whatever serves under its name is replaced, if anything does.
    Put,
    /// It takes the place of what serves under its name.
    Swap,
}

impl Offer {
    /// Reads what a package says about itself.
    pub fn new(package: Package, source: Source) -> Result<Self, NotInstalled> {
        let manifest = package.manifest()?;
        names::check_plugin_name(&manifest.name)
            .map_err(|_| NotInstalled::Name(manifest.name.clone()))?;
        let digest = package.hex_digest();
        Ok(Self { package: Arc::new(package), manifest, digest, source })
    }

    /// The same under the name that it was asked for.
    pub fn called(self, name: &str) -> Result<Self, NotInstalled> {
        match self.manifest.name == name {
            true => Ok(self),
            false => Err(Inadmissible::Name(self.manifest.name, name.to_owned()).into()),
        }
    }
}

impl Installer {
    /// Waits until no other change is under way.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The drop-in directory.
    #[must_use]
    pub fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// Lets an offer in and loads it, beside whatever serves. Takes seconds for a large component.
    pub fn prepare(
        &self,
        plugins: &Plugins,
        offer: &Offer,
        way: Way,
    ) -> Result<Version, NotInstalled> {
        let name = &offer.manifest.name;
        match (way, plugins.serving(name)) {
            (Way::Install, Some(_)) => return Err(Unchanged::Present(name.clone()).into()),
            (Way::Swap, None) => return Err(Unchanged::Unknown(name.clone()).into()),
            _ => {}
        }
        let signers = self.admit(plugins, offer)?;
        let given = self.plans.get(name);
        let plugin = self.loader.load(name, &offer.package.component, offer.source, given)?;
        plugin.probe(self.loader.clock.now())?;
        let version = Version { plugin, source: offer.source, signers };
        // Tried on a copy: what would not fit is said before anything is written down.
        plugins.clone().put(version.clone())?;
        Ok(version)
    }

    /// Has a version that was prepared serve, and writes down that it does.
    pub fn put(
        &self,
        catalogue: &Catalogue,
        offer: &Offer,
        version: &Version,
        now: Timestamp,
        revoke: bool,
    ) -> Result<(), NotInstalled> {
        let name = &offer.manifest.name;
        let installed = offer.source == Source::Installed && self.register.lasts();
        if installed {
            self.register.keep(&offer.package)?;
        }
        let before = catalogue.plugins().serving(name).map(|old| self.origin(old));
        let after =
            if installed { Origin::Installed(offer.digest.clone()) } else { Origin::Configured };
        let latest = Semver::parse(&offer.manifest.version).ok();
        self.register.change(name, |kept| {
            if self.register.lasts() {
                if before.is_some() {
                    kept.before.clone_from(&before);
                }
                kept.serving = Some(after.clone());
                kept.disabled = false;
            }
            kept.latest = kept.latest.clone().max(latest.clone());
        })?;
        let mut plugins = Plugins::clone(&catalogue.plugins());
        self.retire(&mut plugins, name, now, revoke);
        plugins.put(version.clone())?;
        catalogue.replace(plugins);
        Ok(())
    }

    /// Has the version before serve again.
    pub fn back(
        &self,
        catalogue: &Catalogue,
        name: &str,
        now: Timestamp,
        revoke: bool,
    ) -> Result<Version, NotInstalled> {
        let mut plugins = Plugins::clone(&catalogue.plugins());
        if let (Some(verification), Some(before)) = (&self.verification, plugins.before(name)) {
            if !verification.permits_rollback(name) {
                return Err(NotInstalled::Rollback(name.to_owned()));
            }
            if before.source != Source::Bundled {
                let version = &before.plugin.manifest().version;
                verification.permits_version(name, version)?;
            }
        }
        self.retire(&mut plugins, name, now, revoke);
        let serving = plugins.serving(name).map(|old| self.origin(old));
        plugins.back(name)?;
        let version = plugins.serving(name).cloned();
        let version = version.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?;
        if self.register.lasts() {
            let after = self.origin(&version);
            self.register.change(name, |kept| {
                kept.serving = Some(after.clone());
                kept.before.clone_from(&serving);
                kept.disabled = false;
            })?;
        }
        catalogue.replace(plugins);
        Ok(version)
    }

    /// Has nothing serve under a name; its verdicts are believed no more.
    pub fn disable(&self, catalogue: &Catalogue, name: &str) -> Result<Version, NotInstalled> {
        let mut plugins = Plugins::clone(&catalogue.plugins());
        let version = plugins.serving(name).cloned();
        let version = version.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?;
        plugins.disable(name)?;
        plugins.revoke(name);
        if self.register.lasts() {
            let before = self.origin(&version);
            self.register.change(name, |kept| {
                kept.before = Some(before.clone());
                kept.serving = None;
                kept.disabled = true;
            })?;
        }
        catalogue.replace(plugins);
        Ok(version)
    }

    /// Has the keys held by another connector, which is loaded already. The choice stands until the
    /// configuration names another one than it does today.
    pub fn choose(&self, catalogue: &Catalogue, name: &str) -> Result<Version, NotInstalled> {
        let mut plugins = Plugins::clone(&catalogue.plugins());
        plugins.choose(name)?;
        let version = plugins.serving(name).cloned();
        let version = version.ok_or_else(|| Unchanged::Unknown(name.to_owned()))?;
        if self.register.lasts() {
            self.register.choose(&self.kms, name)?;
        }
        catalogue.replace(plugins);
        Ok(version)
    }

    /// Shows in the catalogue that an offer was turned down.
    pub fn turned_down(&self, catalogue: &Catalogue, offer: &Offer, why: &str) {
        let Offer { manifest, digest, source, .. } = offer;
        let refused = Entry::refused(&manifest.name, manifest, digest, *source, why.to_owned());
        catalogue.change(|plugins| plugins.refuse(refused.clone()));
    }

    /// The names of those who signed it; nobody's where none is asked for.
    fn admit(&self, plugins: &Plugins, offer: &Offer) -> Result<Vec<String>, Inadmissible> {
        let Some(verification) = &self.verification else {
            return match self.unsigned {
                true => Ok(Vec::new()),
                false => Err(Inadmissible::Unverified),
            };
        };
        let name = &offer.manifest.name;
        let serving = plugins.serving(name).map(|version| &version.plugin.manifest().version);
        let serving = serving.and_then(|version| Semver::parse(version).ok());
        let kept = self.register.all().ok().and_then(|mut all| all.remove(name));
        let served = serving.max(kept.and_then(|kept| kept.latest));
        let signed = verification.admit(&offer.manifest, &offer.package, served.as_ref())?;
        Ok(signed.into_iter().collect())
    }

    fn retire(&self, plugins: &mut Plugins, name: &str, now: Timestamp, revoke: bool) {
        match revoke {
            true => plugins.revoke(name),
            false => plugins.retire(name, now, now.plus(self.token_seconds)),
        }
    }

    fn origin(&self, version: &Version) -> Origin {
        match version.source {
            Source::Installed => Origin::Installed(version.plugin.digest().to_owned()),
            Source::Bundled | Source::Directory | Source::File => Origin::Configured,
        }
    }
}
