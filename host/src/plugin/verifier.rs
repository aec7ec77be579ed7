//! A verifier plugin: loaded and tried once, then one fresh instance for each piece of evidence.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker, Resource};

use super::admission::{self, Grants, LoadError};
use super::bindings::exports::claviger::plugin::verifier as wit;
use super::bindings::{self, VerifierPluginPre};
use super::call::{self, Call, Stopped};
use super::compiled::Compiled;
use super::engine::Engine;
use super::import::endorsements::EndorsementSource;
use super::import::log::escape;
use super::import::settings::Values;
use super::limits::{Held, Limits, Meter, Metered};
use super::manifest::{Kind, Manifest};
use super::verdict::{self, Verdict};
use super::wait::block_on;
use crate::quote::{AMD, Broken, Examination, Fault, Step, Trail, Trailed};

#[cfg(test)]
mod tests;

/// What the operator gives a verifier.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `settings.get` answers.
    pub values: Values,
    /// The interfaces that it may import.
    pub grants: Grants,
    /// Bounds on each call.
    pub limits: Limits,
    /// The anchor sets on which its verdicts may rest.
    pub anchors: Arc<BTreeSet<String>>,
    /// Where endorsements come from, if anywhere.
    pub endorsements: Option<Arc<dyn EndorsementSource>>,
}

impl Default for Settings {
    /// AMD's roots are the only anchors: a set of the operator's own is granted by name.
    fn default() -> Self {
        Self {
            values: Values::new(),
            grants: Grants::verifier(),
            limits: Limits::default(),
            anchors: Arc::new(BTreeSet::from([AMD.to_owned()])),
            endorsements: None,
        }
    }
}

/// What a verifier reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// The attester's kind: `snp`, `tdx`.
    pub tee: String,
    /// Media types of the evidence that it reads.
    pub evidence_types: Vec<String>,
}

/// Evidence as a client sent it.
#[derive(Clone, Debug)]
pub struct VerifierRequest {
    /// Its media type.
    pub evidence_type: String,
    /// The evidence.
    pub evidence: Vec<u8>,
    /// What came with it, in any order: certificates, collateral, event logs.
    pub attachments: Vec<Vec<u8>>,
}

/// Why a verifier gave no verdict.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifierFailure {
    /// The plugin refused the evidence.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The plugin trapped or panicked.
    #[error("the verifier stopped: {0}")]
    Trap(String),
    /// It took longer than it may.
    #[error("the verifier took longer than it may")]
    Deadline,
    /// It ran into a bound; which one.
    #[error("the verifier wanted {0}")]
    Limit(String),
    /// Its verdict is one that a verifier may not give.
    #[error("the verifier's verdict is not acceptable: {0}")]
    Invalid(String),
}

/// A verifier without a verdict, and what the host knows of its way there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Unverified {
    /// Why there is no verdict.
    pub failure: VerifierFailure,
    /// The last native check that failed.
    pub broken: Option<Box<Broken>>,
    /// The custody operations behind what the plugin got last, anchor first.
    pub reached: Vec<Step>,
}

/// Why a plugin refuses evidence, in its own words (escaped and cut by the host).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejection {
    /// It does not parse.
    #[error("the evidence is malformed: {0}")]
    Malformed(String),
    /// A signature does not hold.
    #[error("a signature does not hold: {0}")]
    BadSignature(String),
    /// It does not lead back to an anchor, or is not of the attester that it claims.
    #[error("the evidence is not trusted: {0}")]
    Untrusted(String),
    /// A certificate or list is outside its time.
    #[error("expired: {0}")]
    Expired(String),
    /// A certificate is revoked.
    #[error("revoked: {0}")]
    Revoked(String),
    /// The platform's firmware is older than the verifier accepts.
    #[error("outdated: {0}")]
    Outdated(String),
    /// Something that the check needs could not be had.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A kind of evidence that it does not read.
    #[error("not supported: {0}")]
    Unsupported(String),
}

/// A verifier, ready to be called.
#[derive(Clone)]
pub struct VerifierPlugin {
    engine: Engine,
    name: Arc<str>,
    pre: VerifierPluginPre<VerifierCall>,
    settings: Arc<Settings>,
    manifest: Manifest,
    digest: String,
    description: Description,
}

impl VerifierPlugin {
    /// Compiles a component, checks that it is a verifier within its grants, and tries it. Takes
    /// seconds for a large component that is not cached.
    pub fn load(
        engine: &Engine,
        name: &str,
        component: &[u8],
        settings: Settings,
    ) -> Result<Self, LoadError> {
        let compiled = Compiled::new(engine, name, component)?;
        if compiled.manifest.kind != Kind::Verifier {
            return Err(LoadError::Kind(compiled.manifest.kind));
        }
        let world = &admission::VERIFIER;
        let declared = &compiled.manifest.imports;
        admission::imports(engine, &compiled.component, world, declared, &settings.grants)?;
        admission::resources(&compiled.component, &settings.limits)?;
        let misfit = |error: wasmtime::Error| LoadError::Export {
            world: world.name,
            reason: format!("{error:#}"),
        };
        let mut linker = Linker::new(engine.wasmtime());
        bindings::VerifierPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |call| call)
            .map_err(misfit)?;
        let pre = linker
            .instantiate_pre(&compiled.component)
            .and_then(VerifierPluginPre::new)
            .map_err(misfit)?;
        let mut plugin = Self {
            engine: engine.clone(),
            name: name.into(),
            pre,
            settings: Arc::new(settings),
            manifest: compiled.manifest,
            digest: compiled.digest,
            description: Description { tee: String::new(), evidence_types: Vec::new() },
        };
        plugin.description = block_on(plugin.describe())?;
        Ok(plugin)
    }

    /// What it reads.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
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

    /// The name under which it was loaded.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands evidence to a fresh instance, and checks the verdict that it gives.
    pub async fn verify(
        &self,
        examination: Examination,
        request: VerifierRequest,
    ) -> Result<Verdict, Unverified> {
        let request = wit::Request {
            evidence_type: request.evidence_type,
            evidence: request.evidence,
            attachments: request.attachments,
            at: examination.at().0,
        };
        let examination = examination.within(&self.settings.anchors);
        let mut call = self.call(Some(examination)).await.map_err(VerifierFailure::from)?;
        let verdict = async {
            let instance = self.pre.instantiate_async(call.store()).await?;
            let verifier = instance.claviger_plugin_verifier();
            verifier.call_verify(call.store(), &request).await
        };
        let verdict = verdict.await;
        let verdict = match call.end(verdict) {
            Ok(verdict) => verdict.map_err(|refused| rejection(refused).into()),
            Err(stopped) => Err(VerifierFailure::from(stopped)),
        };
        let verdict = verdict.and_then(|verdict| {
            let table = &mut call.store().data_mut().meter.table;
            verdict::accept(table, verdict).map_err(|lie| {
                tracing::error!(target: "claviger::plugin", plugin = self.name(), "unacceptable verdict: {lie}");
                VerifierFailure::Invalid(lie.to_string())
            })
        });
        verdict.map_err(|failure| {
            let call = call.store().data_mut();
            let reached = call.reached.as_ref().map(Trail::steps).unwrap_or_default();
            Unverified { failure, broken: call.broken.take(), reached }
        })
    }

    /// Tries an instance, and asks it what it reads.
    async fn describe(&self) -> Result<Description, LoadError> {
        let mut call = self.call(None).await?;
        call::trial(&mut call, self.pre.instance_pre()).await?;
        let mut call = self.call(None).await?;
        let description = async {
            let instance = self.pre.instantiate_async(call.store()).await?;
            let verifier = instance.claviger_plugin_verifier();
            verifier.call_describe(call.store()).await
        };
        let description = description.await;
        let description = call.end(description)?;
        let description =
            Description { tee: description.tee, evidence_types: description.evidence_types };
        description.check()?;
        Ok(description)
    }

    async fn call(&self, examination: Option<Examination>) -> Result<Call<VerifierCall>, Stopped> {
        Call::start(&self.engine, &self.name, &self.settings.limits, |meter| VerifierCall {
            meter,
            examination,
            settings: Arc::clone(&self.settings),
            broken: None,
            reached: None,
        })
        .await
    }
}

impl fmt::Debug for VerifierPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierPlugin")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .field("description", &self.description)
            .finish_non_exhaustive()
    }
}

impl Description {
    /// A short lower-case name, and 1 to 16 media types.
    fn check(&self) -> Result<(), LoadError> {
        let refuse = |what: &str| Err(LoadError::Description(what.into()));
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=32).contains(&self.tee.len()) || !self.tee.bytes().all(named) {
            return refuse("`tee` is not a short name in lower case");
        }
        if !(1..=16).contains(&self.evidence_types.len()) {
            return refuse("there is not one evidence type, or more than 16");
        }
        let media_type = |text: &String| {
            text.len() <= 128 && text.contains('/') && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !self.evidence_types.iter().all(media_type) {
            return refuse("an evidence type is not a media type");
        }
        Ok(())
    }
}

/// What the imports of a verifier's call work with.
#[derive(Debug)]
pub struct VerifierCall {
    meter: Meter,
    examination: Option<Examination>,
    settings: Arc<Settings>,
    /// The last native check that failed.
    broken: Option<Box<Broken>>,
    /// What the last one that held leads back by.
    reached: Option<Trail>,
}

impl VerifierCall {
    /// Runs a native check, where there is evidence to examine.
    pub(super) fn examine<R, E: From<Fault>>(
        &self,
        check: impl FnOnce(&Examination) -> Result<R, E>,
    ) -> Result<R, E> {
        match &self.examination {
            Some(examination) => check(examination),
            None => Err(Fault::Unsupported("no evidence is being examined".into()).into()),
        }
    }

    /// Gives the plugin a handle to what a check made, or the fault. `on`: the links before it.
    pub(super) fn hand_over<T: Held + Trailed>(
        &mut self,
        operation: &'static str,
        on: Option<Trail>,
        made: Result<T, Fault>,
    ) -> wasmtime::Result<Result<Resource<T>, bindings::claviger::plugin::custody::Fault>> {
        match made {
            Ok(made) => {
                self.held(&made);
                Ok(Ok(self.meter.push(made)?))
            }
            Err(fault) => Ok(Err(self.broke(Broken::new(operation, fault, on)).into())),
        }
    }

    /// Remembers what held last.
    pub(super) fn held(&mut self, made: &impl Trailed) {
        self.reached = Some(made.trail().clone());
    }

    /// Remembers what did not hold, and gives the fault back.
    pub(super) fn broke(&mut self, broken: Broken) -> Fault {
        self.broken.insert(Box::new(broken)).fault.clone()
    }

    /// What the operator gave this plugin.
    pub(super) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings)
    }

    /// Where endorsements come from; nowhere while no evidence is examined.
    pub(super) fn endorsements(&self) -> Option<Arc<dyn EndorsementSource>> {
        self.examination.as_ref()?;
        self.settings.endorsements.clone()
    }
}

impl Metered for VerifierCall {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

impl From<VerifierFailure> for Unverified {
    fn from(failure: VerifierFailure) -> Self {
        Self { failure, broken: None, reached: Vec::new() }
    }
}

impl From<Stopped> for VerifierFailure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Deadline => Self::Deadline,
            Stopped::Limit(what) => Self::Limit(what),
            Stopped::Trap(why) => Self::Trap(why),
        }
    }
}

fn rejection(rejection: wit::Rejection) -> Rejection {
    use wit::Rejection as Wit;
    /// Longer reasons are cut, in bytes.
    const REASON: usize = 1_024;
    let plain = |why: String| {
        let cut = why.floor_char_boundary(REASON);
        escape(why.get(..cut).unwrap_or_default())
    };
    match rejection {
        Wit::Malformed(why) => Rejection::Malformed(plain(why)),
        Wit::BadSignature(why) => Rejection::BadSignature(plain(why)),
        Wit::Untrusted(why) => Rejection::Untrusted(plain(why)),
        Wit::Expired(why) => Rejection::Expired(plain(why)),
        Wit::Revoked(why) => Rejection::Revoked(plain(why)),
        Wit::Outdated(why) => Rejection::Outdated(plain(why)),
        Wit::Unavailable(why) => Rejection::Unavailable(plain(why)),
        Wit::Unsupported(why) => Rejection::Unsupported(plain(why)),
    }
}
