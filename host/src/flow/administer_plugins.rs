//! Plugins under administration: installed, swapped, rolled back, disabled, by administrators and by
//! the drop-in directory. Each change is recorded before it is made and once more with its outcome.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::host::{Host, summary};
use super::record;
use super::release::refuse_kms;
use super::request::{Caller, PluginChange, PluginSummary};
use super::waiting::waiting;
use crate::audit::{Event, Record};
use crate::error::{Code, Refusal};
use crate::plugin::catalogue::{Source, Unchanged, Version};
use crate::plugin::dropped::Watch;
use crate::plugin::install::{NotInstalled, Offer, Way};
use crate::plugin::{Manifest, Package};
use crate::tenant::Tenant;

/// How often the drop-in directory is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Who drops plugins in, in the audit log.
const DIRECTORY: &str = "drop-in directory";

impl Host {
    /// Does what an administrator wants with a plugin.
    pub async fn change_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        change: PluginChange,
    ) -> Result<PluginSummary, Refusal> {
        match change {
            PluginChange::Choose { name } => self.choose_connector(caller, principal, &name).await,
            PluginChange::Disable { name } => self.disable_plugin(caller, principal, &name).await,
            PluginChange::Install(package) => self.install_plugin(caller, principal, package).await,
            PluginChange::RollBack { name, revoke } => {
                self.roll_back_plugin(caller, principal, &name, revoke).await
            }
            PluginChange::Swap { name, package, revoke } => {
                self.swap_plugin(caller, principal, &name, package, revoke).await
            }
        }
    }

    /// Has a plugin serve under a name that nothing serves under yet.
    async fn install_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        package: Package,
    ) -> Result<PluginSummary, Refusal> {
        let offer = Offer::new(package, Source::Installed).map_err(refuse)?;
        self.put_plugin(caller, principal, offer, Way::Install, false).await
    }

    /// Has a plugin take the place of the one of its name. Tokens on the verdicts of the old one are
    /// believed until they are over; with `revoke` not a moment longer.
    async fn swap_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
        package: Package,
        revoke: bool,
    ) -> Result<PluginSummary, Refusal> {
        let offer = Offer::new(package, Source::Installed).and_then(|offer| offer.called(name));
        let offer = offer.map_err(refuse)?;
        self.put_plugin(caller, principal, offer, Way::Swap, revoke).await
    }

    /// Has the version that served before serve again; the same once more undoes it.
    async fn roll_back_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
        revoke: bool,
    ) -> Result<PluginSummary, Refusal> {
        let unknown = || refuse(Unchanged::NothingBefore(name.to_owned()).into());
        let entry = {
            let plugins = self.parts.catalogue.plugins();
            self.of(Event::PluginRolledBack, plugins.before(name).ok_or_else(unknown)?)
        };
        let entry = addressed(entry, caller, principal);
        let entry = if revoke { entry.detail(REVOKED) } else { entry };
        let name = name.to_owned();
        self.change_plugins(entry, move |host| async move {
            let parts = Arc::clone(&host.parts);
            waiting(move || {
                let now = parts.clock.now();
                parts.installer.back(&parts.catalogue, &name, now, revoke).map_err(refuse)
            })
            .await
        })
        .await
    }

    /// Has nothing serve under a name; a rollback undoes it. What it said is believed no more.
    async fn disable_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<PluginSummary, Refusal> {
        let unknown = || refuse(Unchanged::Unknown(name.to_owned()).into());
        let entry = {
            let plugins = self.parts.catalogue.plugins();
            self.of(Event::PluginDisabled, plugins.serving(name).ok_or_else(unknown)?)
        };
        let entry = addressed(entry, caller, principal);
        let name = name.to_owned();
        self.change_plugins(entry, move |host| async move {
            let parts = Arc::clone(&host.parts);
            waiting(move || parts.installer.disable(&parts.catalogue, &name).map_err(refuse)).await
        })
        .await
    }

    /// Has the keys held by another connector, once its service answers. Requests in flight finish with
    /// the one that they began with.
    async fn choose_connector(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<PluginSummary, Refusal> {
        let (entry, connector) = {
            let plugins = self.parts.catalogue.plugins();
            let version = plugins.serving(name);
            let version =
                version.ok_or_else(|| refuse(Unchanged::Unknown(name.to_owned()).into()))?;
            let kind = version.plugin.kind();
            let Some(connector) = version.plugin.connector() else {
                return Err(refuse(Unchanged::Kind(name.to_owned(), kind).into()));
            };
            (self.of(Event::ConnectorChosen, version), Arc::clone(connector))
        };
        connector.health(&caller.tenant).await.map_err(|failure| refuse_kms(name, failure))?;
        drop(connector);
        let entry = addressed(entry, caller, principal);
        let name = name.to_owned();
        self.change_plugins(entry, move |host| async move {
            let parts = Arc::clone(&host.parts);
            waiting(move || parts.installer.choose(&parts.catalogue, &name).map_err(refuse)).await
        })
        .await
    }

    /// Loads what is dropped into the directory, until it is dropped itself.
    pub async fn keep_plugins(&self) {
        let Some(directory) = self.parts.installer.directory().cloned() else { return };
        let mut watch = Watch::begun(&directory);
        loop {
            tokio::time::sleep(LOOK).await;
            watch = self.look_at_plugins(watch, &directory).await;
        }
    }

    /// Looks at the drop-in directory once.
    pub async fn look_at_plugins(&self, mut watch: Watch, directory: &Path) -> Watch {
        let changes = watch.look(directory);
        for path in &changes.arrived {
            let put = self.drop_in(path).await;
            match put {
                Ok(plugin) => {
                    tracing::info!(path = %path.display(), plugin = plugin.name, "dropped in");
                }
                Err(refusal) => {
                    tracing::error!(path = %path.display(), %refusal, "dropped in, and not let in");
                }
            }
        }
        for path in &changes.gone {
            tracing::info!(path = %path.display(), "gone from the drop-in directory; what came from it serves on until it is disabled or swapped");
        }
        watch
    }

    async fn drop_in(&self, path: &Path) -> Result<PluginSummary, Refusal> {
        let malformed =
            |error: &dyn std::fmt::Display| Refusal::new(Code::PluginRefused, error.to_string());
        let package = Package::read(path).map_err(|error| malformed(&error))?;
        let offer = Offer::new(package, Source::Directory).map_err(refuse)?;
        let (request_id, tenant) = (self.parts.identifier()?, Tenant::default());
        let caller = Caller { request_id, tenant };
        self.put_plugin(&caller, DIRECTORY, offer, Way::Put, false).await
    }

    async fn put_plugin(
        &self,
        caller: &Caller,
        principal: &str,
        offer: Offer,
        way: Way,
        revoke: bool,
    ) -> Result<PluginSummary, Refusal> {
        let event = match way {
            Way::Install => Event::PluginInstalled,
            Way::Put | Way::Swap => Event::PluginSwapped,
        };
        let Manifest { name, kind, version, .. } = &offer.manifest;
        let entry = Record::new(self.parts.clock.now(), event).version(version.as_str());
        let entry = record::of_plugin(entry, *kind, name, &offer.digest);
        let entry = addressed(entry, caller, principal);
        let entry = if revoke { entry.detail(REVOKED) } else { entry };
        self.change_plugins(entry, move |host| async move {
            let parts = Arc::clone(&host.parts);
            waiting(move || {
                let plugins = parts.catalogue.plugins();
                let done = parts.installer.prepare(&plugins, &offer, way).and_then(|version| {
                    // The plugins of before are let go: nobody drains on their account.
                    drop(plugins);
                    let now = parts.clock.now();
                    parts.installer.put(&parts.catalogue, &offer, &version, now, revoke)?;
                    Ok(version)
                });
                done.map_err(|error| {
                    parts.installer.turned_down(&parts.catalogue, &offer, &error.to_string());
                    refuse(error)
                })
            })
            .await
        })
        .await
    }

    /// One change at a time, each on what the one before it left.
    async fn change_plugins<F>(
        &self,
        entry: Record,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Result<PluginSummary, Refusal>
    where
        F: Future<Output = Result<Version, Refusal>> + Send,
    {
        let changed = self.change(
            entry,
            |_: &PluginSummary| None,
            move |host| async move {
                let parts = Arc::clone(&host.parts);
                let _turn = parts.installer.turn().await;
                let version = work(host.clone()).await?;
                let (name, digest) =
                    (version.plugin.name().to_owned(), version.plugin.digest().to_owned());
                // Whoever holds on to a version keeps it from being drained.
                drop(version);
                let plugins = parts.catalogue.plugins();
                let entry = plugins.entries().find(|e| e.name == name && e.digest == digest);
                let gone = || Refusal::new(Code::Internal, format!("{name} is gone"));
                entry.map(summary).ok_or_else(gone)
            },
        );
        changed.await
    }

    fn of(&self, event: Event, version: &Version) -> Record {
        let plugin = &version.plugin;
        let entry = Record::new(self.parts.clock.now(), event);
        let entry = entry.version(plugin.manifest().version.as_str());
        record::of_plugin(entry, plugin.kind(), plugin.name(), plugin.digest())
    }
}

const REVOKED: &str = "tokens on its verdicts are revoked";

fn addressed(entry: Record, caller: &Caller, principal: &str) -> Record {
    let entry = entry.tenant(caller.tenant.as_str()).request(caller.request_id.as_str());
    entry.principal(principal)
}

fn refuse(error: NotInstalled) -> Refusal {
    let code = match &error {
        NotInstalled::Unchanged(Unchanged::Unknown(_)) => Code::NotFound,
        NotInstalled::Unchanged(_) => Code::Conflict,
        NotInstalled::Register(_) => Code::StoreUnavailable,
        NotInstalled::Inadmissible(_)
        | NotInstalled::Load(_)
        | NotInstalled::Manifest(_)
        | NotInstalled::Name(_)
        | NotInstalled::Rollback(_)
        | NotInstalled::Unfit(_) => Code::PluginRefused,
    };
    Refusal::new(code, error.to_string())
}
