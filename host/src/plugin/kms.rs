//! A KMS connector: loaded and tried once, then one fresh instance for each call, in the place of
//! the tenant that the call is for.

pub mod answer;
pub mod bindings;
pub mod call;
mod known;
mod management;
#[cfg(test)]
mod tests;
mod versions;

use std::fmt;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, Resource};

use self::answer::Secrets;
use self::bindings::exports::claviger::plugin::key_release as wit;
use self::bindings::managed::ManagedKmsPluginPre;
use self::bindings::versioned::VersionedKmsPluginPre;
use self::bindings::{KmsPluginPre, claviger::plugin as imports};
use self::call::KmsCall;
use super::admission::{self, Grants, LoadError, World};
use super::bindings::claviger::plugin as shared;
use super::call::{self as bounded, Call};
use super::compiled::Compiled;
use super::engine::Engine;
use super::import::material::Material;
use super::import::release_context::{Context, ReleaseContext};
use super::import::settings::Values;
use super::limits::{Limits, Metered};
use super::manifest::{Kind, Manifest};
use super::wait::block_on;
use crate::clock::Clock;
use crate::egress::Gate;
use crate::keys::RecipientKey;
use crate::random::Random;
use crate::store::SealedStore;
use crate::store::names::{self, PluginSpace};
use crate::tenant::Tenant;

pub use answer::{KeySummary, KmsFailure, Released};
pub use management::NewKey;

/// The world of connectors, with or without key management.
pub const WORLD: World = World {
    name: "kms-plugin",
    kind: Kind::Kms,
    imports: &[
        "clock",
        "http",
        "log",
        "material",
        "release-context",
        "sealed-keys",
        "sealed-store",
        "secrets",
        "settings",
    ],
};

/// The interface that a connector may export beside `key-release`.
const KEY_MANAGEMENT: &str = "claviger:plugin/key-management@0.1.0";

/// The interface that a connector which manages keys may export beside.
const KEY_VERSIONS: &str = "claviger:plugin/key-versions@0.1.0";

/// What the operator gives a connector.
#[derive(Clone)]
pub struct KmsServices {
    /// Where its keys and records lie.
    pub store: Arc<SealedStore>,
    /// What `clock.now` answers.
    pub clock: Arc<dyn Clock>,
    /// What generated symmetric keys are made of.
    pub random: Arc<dyn Random>,
    /// What `settings.get` answers.
    pub values: Values,
    /// What `secrets.get` answers.
    pub secrets: Secrets,
    /// The targets that `http.send` reaches; none: no target is granted.
    pub egress: Option<Arc<Gate>>,
    /// The interfaces that it may import.
    pub grants: Grants,
    /// Whether it may look inside key material (`reveal`, decryption). It then holds keys in the
    /// clear; what is released through it should say so.
    pub reads_key_material: bool,
    /// Whether its key management service wraps for the recipient itself, and its answers leave as
    /// they are. What the host does not wrap it cannot vouch for.
    pub wraps_for_recipient: bool,
    /// Whether the host is the recipient that its service wraps to, where the workload's key is none
    /// that it could wrap to: the host makes a key for the one release, and wraps what it opens.
    pub host_is_recipient: bool,
    /// Bounds on each call. Calls of key management may last 30 seconds.
    pub limits: Limits,
}

impl KmsServices {
    /// For a connector that keeps its keys here: everything but the network and secrets by value.
    #[must_use]
    pub fn embedded(
        store: Arc<SealedStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            store,
            clock,
            random,
            values: Values::new(),
            secrets: Secrets::new(),
            egress: None,
            grants: Grants::new([
                "clock",
                "log",
                "material",
                "release-context",
                "sealed-keys",
                "sealed-store",
                "settings",
            ]),
            reads_key_material: false,
            wraps_for_recipient: false,
            host_is_recipient: false,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for KmsServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsServices")
            .field("values", &self.values)
            .field("secrets", &self.secrets)
            .field("egress", &self.egress)
            .field("grants", &self.grants)
            .field("reads_key_material", &self.reads_key_material)
            .field("wraps_for_recipient", &self.wraps_for_recipient)
            .field("host_is_recipient", &self.host_is_recipient)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Which key is wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyReference {
    /// Its name.
    pub name: String,
    /// Its version; none for the latest that is enabled.
    pub version: Option<String>,
}

impl KeyReference {
    /// The latest version of a key.
    #[must_use]
    pub fn latest(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None }
    }

    fn check(&self) -> Result<(), KmsFailure> {
        check_name(&self.name)?;
        let malformed = |_| KmsFailure::Malformed("not a version".into());
        let version = self.version.as_deref();
        version.map_or(Ok(()), |version| answer::check_version(version).map_err(malformed))
    }
}

/// A connector, ready to be called. Clone is cheap.
#[derive(Clone)]
pub struct KmsPlugin {
    engine: Engine,
    name: Arc<str>,
    release: KmsPluginPre<KmsCall>,
    management: Option<ManagedKmsPluginPre<KmsCall>>,
    versions: Option<VersionedKmsPluginPre<KmsCall>>,
    services: Arc<KmsServices>,
    manifest: Arc<Manifest>,
    digest: Arc<str>,
}

impl KmsPlugin {
    /// Compiles a component, checks that it is a connector within its grants, and tries it. `name`
    /// is also its place in the sealed store: a connector finds only what it kept under it.
    pub fn load(
        engine: &Engine,
        name: &str,
        component: &[u8],
        services: KmsServices,
    ) -> Result<Self, LoadError> {
        names::check_plugin_name(name)
            .map_err(|error| LoadError::Description(error.to_string()))?;
        let compiled = Compiled::new(engine, name, component)?;
        if compiled.manifest.kind != WORLD.kind {
            return Err(LoadError::Kind(compiled.manifest.kind));
        }
        let declared = &compiled.manifest.imports;
        admission::imports(engine, &compiled.component, &WORLD, declared, &services.grants)?;
        admission::resources(&compiled.component, &services.limits)?;
        let misfit = |error: wasmtime::Error| LoadError::Export {
            world: WORLD.name,
            reason: format!("{error:#}"),
        };
        let pre = linker(engine)
            .and_then(|linker| linker.instantiate_pre(&compiled.component))
            .map_err(misfit)?;
        let manages = compiled.component.get_export_index(None, KEY_MANAGEMENT);
        let management = manages.map(|_| ManagedKmsPluginPre::new(pre.clone()));
        let versions = compiled.component.get_export_index(None, KEY_VERSIONS);
        let versions = versions.map(|_| VersionedKmsPluginPre::new(pre.clone()));
        let plugin = Self {
            engine: engine.clone(),
            name: name.into(),
            release: KmsPluginPre::new(pre).map_err(misfit)?,
            management: management.transpose().map_err(misfit)?,
            versions: versions.transpose().map_err(misfit)?,
            services: Arc::new(services),
            manifest: Arc::new(compiled.manifest),
            digest: compiled.digest.into(),
        };
        block_on(plugin.try_out())?;
        Ok(plugin)
    }

    /// The name under which it was loaded.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the component, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it exports key management.
    #[must_use]
    pub fn manages_keys(&self) -> bool {
        self.management.is_some()
    }

    /// Whether it may look inside key material.
    #[must_use]
    pub fn reads_key_material(&self) -> bool {
        self.services.reads_key_material
    }

    /// Whether the host should be the recipient of a release to this key.
    #[must_use]
    pub fn host_is_recipient_for(&self, recipient: &RecipientKey) -> bool {
        let passes_on = self.services.wraps_for_recipient && recipient.is_rsa();
        self.services.host_is_recipient && !passes_on
    }

    /// A key, for an attested recipient. The caller has decided that it may be released.
    pub async fn release(
        &self,
        tenant: &Tenant,
        key: &KeyReference,
        context: Arc<dyn ReleaseContext>,
    ) -> Result<Released, KmsFailure> {
        key.check()?;
        let wanted = wit::KeyReference { name: key.name.clone(), version: key.version.clone() };
        let mut call = self.call(tenant, self.services.limits.clone()).await?;
        let released = async {
            let context = call.store().data_mut().meter().push(Context(context))?;
            let lent = Resource::new_borrow(context.rep());
            let instance = self.release.instantiate_async(call.store()).await?;
            let connector = instance.claviger_plugin_key_release();
            connector.call_release(call.store(), &wanted, lent).await
        };
        let released = released.await;
        let released = match call.end(released)? {
            Ok(released) => self.accept(&mut call, released, key.version.as_deref()),
            Err(error) => Err(answer::release_failure(error, &call.store().data().known())),
        };
        self.told(released)
    }

    /// Takes the key out of the call's table; the plugin's handle was the only way to it.
    fn accept(
        &self,
        call: &mut Call<KmsCall>,
        released: wit::Released,
        asked: Option<&str>,
    ) -> Result<Released, KmsFailure> {
        let invalid = |what: &str| Err(KmsFailure::Invalid(what.into()));
        match released {
            wit::Released::Held(held) => {
                let table = &mut call.store().data_mut().meter().table;
                let foreign = |_| KmsFailure::Invalid("the handle is not one of a key".into());
                let Material { secret: key, known } = table.delete(held.key).map_err(foreign)?;
                answer::check_released(&held.media_type, &held.version, asked)?;
                let known_to_it = call.store().data().known();
                known_to_it.check(&[&held.media_type, &held.version])?;
                if key.is_empty() {
                    return invalid("the released key is empty");
                }
                if known && !self.services.reads_key_material {
                    return invalid("the key is one that the connector knows, without the grant");
                }
                Ok(Released::Held { media_type: held.media_type, key, version: held.version })
            }
            wit::Released::Wrapped(_)
                if !self.services.wraps_for_recipient && !self.services.host_is_recipient =>
            {
                invalid("it wrapped the key itself, without the grant")
            }
            wit::Released::Wrapped(wrapped) => {
                answer::check_released(&wrapped.media_type, &wrapped.version, asked)?;
                let jwe = answer::compact_jwe(wrapped.bytes)?;
                let known = call.store().data().known();
                known.check(&[&wrapped.media_type, &wrapped.version])?;
                known.check(&[&jwe])?;
                if self.services.egress.as_ref().is_some_and(|gate| gate.checks_releases())
                    && !call.store().data().signed(&jwe, &wrapped.version)
                {
                    return invalid("what it wrapped stands in no answer that its service signed");
                }
                Ok(Released::Wrapped {
                    media_type: wrapped.media_type,
                    jwe,
                    version: wrapped.version,
                })
            }
        }
    }

    /// Whether the connector reaches its key management service; touches no key.
    pub async fn health(&self, tenant: &Tenant) -> Result<(), KmsFailure> {
        let mut call = self.call(tenant, self.services.limits.clone()).await?;
        let healthy = async {
            let instance = self.release.instantiate_async(call.store()).await?;
            let connector = instance.claviger_plugin_key_release();
            connector.call_health(call.store()).await
        };
        let healthy = healthy.await;
        let healthy = call.end(healthy)?;
        let known = call.store().data().known();
        healthy.map_err(|error| answer::release_failure(error, &known))
    }

    async fn call(&self, tenant: &Tenant, limits: Limits) -> Result<Call<KmsCall>, KmsFailure> {
        let space = PluginSpace::new(tenant, &self.name)
            .map_err(|error| KmsFailure::Malformed(error.to_string()))?;
        let call = Call::start(&self.engine, &self.name, &limits, |meter| {
            KmsCall::new(meter, Arc::clone(&self.services), Some((tenant.clone(), space)))
        });
        Ok(call.await?)
    }

    async fn try_out(&self) -> Result<(), LoadError> {
        let call = Call::start(&self.engine, &self.name, &self.services.limits, |meter| {
            KmsCall::new(meter, Arc::clone(&self.services), None)
        });
        Ok(bounded::trial(&mut call.await?, self.release.instance_pre()).await?)
    }

    /// Logs an answer that a connector may not give.
    fn told<R>(&self, result: Result<R, KmsFailure>) -> Result<R, KmsFailure> {
        if let Err(KmsFailure::Invalid(lie)) = &result {
            tracing::error!(target: "claviger::plugin", plugin = self.name(), "unacceptable answer: {lie}");
        }
        result
    }
}

impl fmt::Debug for KmsPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsPlugin")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .field("manages_keys", &self.manages_keys())
            .finish_non_exhaustive()
    }
}

fn check_name(name: &str) -> Result<(), KmsFailure> {
    let checked = names::check_key_name(name).map(drop);
    checked.map_err(|error| KmsFailure::Malformed(error.to_string()))
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<KmsCall>> {
    let mut linker = Linker::new(engine.wasmtime());
    let linked = &mut linker;
    shared::log::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    shared::settings::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    shared::types::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::clock::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::http::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::material::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::release_context::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::sealed_keys::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::sealed_store::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    imports::secrets::add_to_linker::<_, HasSelf<_>>(linked, |call| call)?;
    Ok(linker)
}
