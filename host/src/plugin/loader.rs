//! From a component's bytes to a plugin that could serve: compiled, held against its grants and its
//! manifest, tried. What is loaded here serves nobody yet.

use std::sync::Arc;

use super::admission::{Grants, LoadError};
use super::engine::Engine;
use super::grants;
use super::kms::{KmsPlugin, KmsServices};
use super::manifest::{Kind, Manifest, ManifestError, SettingFault};
use super::verifier::{Settings, VerifierPlugin};
use crate::assemble::PluginPlan;
use crate::clock::Clock;
use crate::egress::Resolver;
use crate::plugin::catalogue::Source;
use crate::random::Random;
use crate::store::SealedStore;

/// Loads plugins into one engine, with what connectors work on. Clone is cheap.
#[derive(Clone)]
pub struct Loader {
    /// Where they run.
    pub engine: Engine,
    /// Where connectors keep what is theirs.
    pub store: Arc<SealedStore>,
    /// What connectors take for the time.
    pub clock: Arc<dyn Clock>,
    /// What connectors' keys are made of.
    pub random: Arc<dyn Random>,
    /// What names resolve to, for connectors' requests.
    pub resolver: Arc<dyn Resolver>,
}

/// A plugin that could serve.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A connector.
    Connector(Arc<KmsPlugin>),
    /// A verifier.
    Verifier(Arc<VerifierPlugin>),
}

/// Why a component is not loaded as what the operator calls it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotLoaded {
    /// What it is granted makes no sense.
    #[error("{0}")]
    Grant(String),
    /// It is not fit to be a plugin here.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The operator's values are not what the plugin's manifest says.
    #[error(transparent)]
    Setting(#[from] SettingFault),
}

impl From<ManifestError> for NotLoaded {
    fn from(error: ManifestError) -> Self {
        Self::Load(error.into())
    }
}

impl Loader {
    /// Loads a component under a name, with what the operator gives it.
    pub fn load(
        &self,
        name: &str,
        component: &[u8],
        source: Source,
        given: Option<&PluginPlan>,
    ) -> Result<Loaded, NotLoaded> {
        let values = given.map(|given| given.values.clone()).unwrap_or_default();
        let limits = given.map(|given| given.limits.clone()).unwrap_or_default();
        let manifest = Manifest::read(component)?;
        manifest.check_settings(&values)?;
        match manifest.kind {
            Kind::Verifier => {
                if given.is_some_and(|it| !it.targets.is_empty() || !it.secrets.is_empty()) {
                    let why = "a verifier reaches neither the network nor secrets";
                    return Err(NotLoaded::Grant(why.to_owned()));
                }
                let anchors = match (source, given) {
                    // What the host ships may have what it says that it needs.
                    (Source::Bundled, _) => manifest.anchors.iter().cloned().collect(),
                    (_, Some(given)) => given.anchors.clone(),
                    (_, None) => PluginPlan::default().anchors,
                };
                for wanted in manifest.anchors.iter().filter(|set| !anchors.contains(*set)) {
                    tracing::warn!(
                        "plugin {name} wants the anchor set {wanted}, and may not have it"
                    );
                }
                let anchors = Arc::new(anchors);
                let granted = given.and_then(|given| given.imports.as_ref());
                for unused in granted.into_iter().flatten() {
                    if !manifest.imports.contains(unused) {
                        tracing::warn!(
                            "plugin {name} is granted {unused}, which its manifest does not want"
                        );
                    }
                }
                let grants = granted
                    .map_or_else(Grants::verifier, |names| Grants::new(names.iter().cloned()));
                let settings = Settings { values, limits, anchors, grants, ..Settings::default() };
                let verifier = VerifierPlugin::load(&self.engine, name, component, settings)?;
                Ok(Loaded::Verifier(Arc::new(verifier)))
            }
            Kind::Kms => {
                let embedded = KmsServices::embedded(
                    Arc::clone(&self.store),
                    Arc::clone(&self.clock),
                    Arc::clone(&self.random),
                );
                let resolver = &self.resolver;
                let services = grants::services(name, given, &manifest, embedded, resolver)?;
                let connector = KmsPlugin::load(&self.engine, name, component, services)?;
                Ok(Loaded::Connector(Arc::new(connector)))
            }
        }
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Loaded {
    /// The name under which it was loaded.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Connector(connector) => connector.name(),
            Self::Verifier(verifier) => verifier.name(),
        }
    }

    /// What it is for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Connector(_) => Kind::Kms,
            Self::Verifier(_) => Kind::Verifier,
        }
    }

    /// SHA-256 of the component, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        match self {
            Self::Connector(connector) => connector.digest(),
            Self::Verifier(verifier) => verifier.digest(),
        }
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        match self {
            Self::Connector(connector) => connector.manifest(),
            Self::Verifier(verifier) => verifier.manifest(),
        }
    }

    /// The connector, if it is one.
    #[must_use]
    pub fn connector(&self) -> Option<&Arc<KmsPlugin>> {
        match self {
            Self::Connector(connector) => Some(connector),
            Self::Verifier(_) => None,
        }
    }

    /// The verifier, if it is one.
    #[must_use]
    pub fn verifier(&self) -> Option<&Arc<VerifierPlugin>> {
        match self {
            Self::Connector(_) => None,
            Self::Verifier(verifier) => Some(verifier),
        }
    }

    /// Whether it may read the bytes of key material: a connector with that grant.
    #[must_use]
    pub fn reads_key_material(&self) -> bool {
        match self {
            Self::Connector(connector) => connector.reads_key_material(),
            Self::Verifier(_) => false,
        }
    }

    /// How many hold on to it.
    #[must_use]
    pub fn holders(&self) -> usize {
        match self {
            Self::Connector(connector) => Arc::strong_count(connector),
            Self::Verifier(verifier) => Arc::strong_count(verifier),
        }
    }
}
