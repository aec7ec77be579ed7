//! The plugins at a start: what is bundled and configured, then what was dropped in, then what
//! administrators installed. Everything is loaded on as many threads as there are processors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use super::{Installer, LifePlan, NotInstalled, Offer, Way};
use crate::assemble::PluginPlan;
use crate::plugin::catalogue::{Catalogue, Entry, Plugins, Source, Version};
use crate::plugin::loader::{Loaded, Loader, NotLoaded};
use crate::plugin::package::Package;
use crate::plugin::register::{Kept, Origin, Register};
use crate::plugin::{bundled, dropped, verification};

/// The connector that reaches nothing outside the host.
const EMBEDDED: &str = "kms-local";

/// A component that is to be loaded, and what for.
pub struct Wanted<'a> {
    /// The name.
    pub name: String,
    /// The component.
    pub component: std::borrow::Cow<'a, [u8]>,
    /// Where it came from.
    pub source: Source,
    /// Who signed it.
    pub signers: Vec<String>,
}

impl Installer {
    /// An installer over a loader. `development`: without a verification file everything is let in.
    #[must_use]
    pub fn new(
        loader: Loader,
        plans: impl IntoIterator<Item = PluginPlan>,
        life: LifePlan,
        kms: &str,
        development: bool,
        token_seconds: u64,
    ) -> Self {
        let LifePlan { verification, directory, installed } = life;
        Self {
            register: Register::new(loader.store.clone(), installed),
            kms: kms.to_owned(),
            loader,
            plans: plans.into_iter().map(|plan| (plan.name.clone(), plan)).collect(),
            unsigned: development && verification.is_none(),
            verification,
            directory,
            token_seconds,
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Loads what is configured; one that fails stops the start. Then what was dropped in and what
    /// was installed: one of those that fails is refused, and nothing serves in its place.
    pub fn begin(&self, wanted: Vec<Wanted<'_>>) -> anyhow::Result<Catalogue> {
        let mut plugins = Plugins::new(self.kms.as_str());
        for (wanted, loaded) in self.load_all(wanted) {
            let place = || format!("plugin {}", wanted.name);
            let plugin = loaded.with_context(place)?;
            let Wanted { source, signers, .. } = wanted;
            let version = Version { plugin, source, signers };
            plugins.put(version).with_context(place)?;
        }
        let catalogue = Catalogue::default();
        catalogue.replace(plugins);
        self.dropped_in(&catalogue);
        self.installed(&catalogue)?;
        self.chosen(&catalogue)?;
        if catalogue.plugins().connector().is_none() {
            bail!("there is no connector {:?}", catalogue.plugins().kms());
        }
        Ok(catalogue)
    }

    /// Loads several at the same time; the answers stand in the order of the questions.
    fn load_all<'a>(
        &self,
        wanted: Vec<Wanted<'a>>,
    ) -> Vec<(Wanted<'a>, Result<Loaded, NotLoaded>)> {
        let next = AtomicUsize::new(0);
        let loaded = Mutex::new(BTreeMap::new());
        let threads = thread::available_parallelism().map_or(1, usize::from).min(wanted.len());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(one) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let given = self.plans.get(&one.name);
                        let result = self.loader.load(&one.name, &one.component, one.source, given);
                        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
                        loaded.insert((one.name.clone(), one.source.name()), result);
                    }
                });
            }
        });
        let mut loaded = loaded.into_inner().unwrap_or_else(PoisonError::into_inner);
        let answered = wanted.into_iter().filter_map(|one| {
            let result = loaded.remove(&(one.name.clone(), one.source.name()))?;
            Some((one, result))
        });
        answered.collect()
    }

    /// What administrators installed, disabled and went back to.
    fn installed(&self, catalogue: &Catalogue) -> anyhow::Result<()> {
        if !self.register.lasts() {
            return Ok(());
        }
        for (name, kept) in self.register.all()? {
            let mut plugins = Plugins::clone(&catalogue.plugins());
            self.resume(&mut plugins, &name, &kept);
            catalogue.replace(plugins);
        }
        Ok(())
    }

    /// The connector that an administrator chose in the place of the configured one. Where it is not
    /// there, no other is taken for it: it has other keys.
    fn chosen(&self, catalogue: &Catalogue) -> anyhow::Result<()> {
        if !self.register.lasts() {
            return Ok(());
        }
        let Some(name) = self.register.chosen(&self.kms)? else { return Ok(()) };
        let mut plugins = Plugins::clone(&catalogue.plugins());
        let choose = plugins.choose(&name);
        choose.with_context(|| format!("the connector {name}, which an administrator chose"))?;
        tracing::info!(connector = name, configured = self.kms, "chosen by an administrator");
        catalogue.replace(plugins);
        Ok(())
    }

    fn resume(&self, plugins: &mut Plugins, name: &str, kept: &Kept) {
        if let Some(Origin::Installed(digest)) = &kept.serving {
            let put = self.again(plugins, name, digest).and_then(|version| {
                plugins.put(version)?;
                Ok(())
            });
            if let Err(why) = put {
                // What was configured before would be another plugin than the one that was to serve.
                tracing::error!(plugin = name, digest, "installed, and not let in: {why}");
                let manifest = plugins.serving(name).map(|old| old.plugin.manifest().clone());
                let _ = plugins.disable(name);
                if let Some(manifest) = manifest {
                    let (source, why) = (Source::Installed, why.to_string());
                    plugins.refuse(Entry::refused(name, &manifest, digest, source, why));
                }
            }
        }
        if kept.disabled && plugins.disable(name).is_ok() {
            tracing::warn!(plugin = name, "disabled by an administrator");
        }
        if let Some(Origin::Installed(digest)) = &kept.before {
            match self.again(plugins, name, digest) {
                Ok(before) => plugins.keep(before),
                Err(why) => tracing::warn!(plugin = name, digest, "no rollback: {why}"),
            }
        }
    }

    /// An installed component, let in once more: by what the operator's file says today.
    fn again(&self, plugins: &Plugins, name: &str, digest: &str) -> Result<Version, NotInstalled> {
        let package = self.register.package(digest)?;
        let offer = Offer::new(package, Source::Installed)?.called(name)?;
        let signers = match &self.verification {
            None => self.admit(plugins, &offer)?,
            // It has served here: what has served later was left on purpose.
            Some(verification) => {
                let signed = verification.admit(&offer.manifest, &offer.package, None)?;
                signed.into_iter().collect()
            }
        };
        let given = self.plans.get(name);
        let component = &offer.package.component;
        let plugin = self.loader.load(name, component, Source::Installed, given)?;
        Ok(Version { plugin, source: Source::Installed, signers })
    }

    /// What lies in the drop-in directory at the start.
    fn dropped_in(&self, catalogue: &Catalogue) {
        let Some(directory) = &self.directory else { return };
        for path in dropped::components(directory) {
            let put = Package::read(&path).map_err(|error| error.to_string()).and_then(|package| {
                let offer = Offer::new(package, Source::Directory).map_err(|e| e.to_string())?;
                let plugins = catalogue.plugins();
                let version = self.prepare(&plugins, &offer, Way::Put).map_err(|error| {
                    self.turned_down(catalogue, &offer, &error.to_string());
                    error.to_string()
                })?;
                let mut plugins = Plugins::clone(&plugins);
                plugins.put(version).map_err(|error| error.to_string())?;
                catalogue.replace(plugins);
                Ok(())
            });
            if let Err(why) = put {
                tracing::error!(path = %path.display(), "dropped in, and not let in: {why}");
            }
        }
    }
}

/// The bundled plugins that are wanted, and those given by path in their place.
pub fn configured<'a>(
    bundled_wanted: Option<&BTreeSet<String>>,
    kms: &str,
    given: &[PluginPlan],
    verification: Option<&verification::Verification>,
    more_may_come: bool,
) -> anyhow::Result<Vec<Wanted<'a>>> {
    if let Some(unknown) = bundled_wanted
        .iter()
        .flat_map(|names| names.iter())
        .find(|name| bundled::component(name).is_none())
    {
        bail!("plugin {unknown}: it is not bundled");
    }
    let mut wanted = Vec::new();
    for (name, component) in bundled::BUNDLED {
        let left_out = bundled_wanted.is_some_and(|wanted| !wanted.contains(*name));
        let skipped = left_out || idle_connector(name, kms, given);
        if !skipped && given.iter().all(|given| given.name != *name || given.path.is_none()) {
            wanted.push(Wanted {
                name: (*name).to_owned(),
                component: (*component).into(),
                source: Source::Bundled,
                signers: Vec::new(),
            });
        }
    }
    for given in given {
        let name = &given.name;
        match &given.path {
            Some(path) => {
                let package = Package::read(path)?;
                let signers = listed(given, &package, verification)
                    .with_context(|| format!("plugin {name}"))?;
                let component = package.component.into();
                let (name, source) = (name.clone(), Source::File);
                wanted.push(Wanted { name, component, source, signers });
            }
            None if bundled_wanted.is_some_and(|wanted| !wanted.contains(name)) => {
                bail!("plugin {name}: it is not among the bundled plugins that are loaded")
            }
            // What stands there is for one that is dropped in or installed.
            None if bundled::component(name).is_some() || more_may_come => {}
            None => bail!("plugin {name}: it is not bundled, and no path is given"),
        }
    }
    Ok(wanted)
}

/// Whether it is a bundled connector to a service that nobody configured: it could reach nothing, and
/// is not even compiled.
fn idle_connector(name: &str, kms: &str, given: &[PluginPlan]) -> bool {
    let configured = kms == name || given.iter().any(|given| given.name == name);
    name.starts_with("kms-") && name != EMBEDDED && !configured
}

/// Refuses a component that is not the one that the operator listed: by its digest, or by those who
/// must have signed it.
fn listed(
    given: &PluginPlan,
    package: &Package,
    verification: Option<&verification::Verification>,
) -> anyhow::Result<Vec<String>> {
    match (given.digest, verification) {
        (Some(wanted), _) if wanted == package.digest() => Ok(Vec::new()),
        (Some(wanted), _) => {
            let (found, wanted) = (package.hex_digest(), data_encoding::HEXLOWER.encode(&wanted));
            bail!("its digest is sha256:{found}, listed is sha256:{wanted}")
        }
        (None, Some(verification)) => {
            let manifest = package.manifest()?;
            Ok(verification.admit(&manifest, package, None)?.into_iter().collect())
        }
        // A plan without a digest is a development host's or a test's.
        (None, None) => Ok(Vec::new()),
    }
}
