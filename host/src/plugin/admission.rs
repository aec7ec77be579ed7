//! What a component must be before any of it runs: of its world, within the operator's grants, and
//! no larger than the pool.

use std::collections::BTreeSet;

use wasmtime::component::Component;

use super::call::Stopped;
use super::engine::{Engine, MEMORIES, TABLES};
use super::limits::Limits;
use super::manifest::{Kind, ManifestError};

/// The package of every interface that a plugin can import.
const PACKAGE: &str = "claviger:plugin/";

/// A world of `wit/worlds.wit`, as far as admission looks at it.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Its name.
    pub name: &'static str,
    /// The kind of plugin that it is for.
    pub kind: Kind,
    /// The interfaces that it imports.
    pub imports: &'static [&'static str],
}

/// The world of verifiers.
pub const VERIFIER: World = World {
    name: "verifier-plugin",
    kind: Kind::Verifier,
    imports: &["custody", "endorsements", "log", "quotes", "settings"],
};

/// Interfaces that hold types only; importing them gives a plugin nothing to call.
const TYPES_ONLY: &str = "types";

/// The interfaces that the operator lets a plugin import.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grants(BTreeSet<String>);

impl Grants {
    /// Exactly these interfaces.
    pub fn new<S: Into<String>>(interfaces: impl IntoIterator<Item = S>) -> Self {
        Self(interfaces.into_iter().map(Into::into).collect())
    }

    /// What every verifier may have: nothing in that world reaches beyond the evidence in hand.
    #[must_use]
    pub fn verifier() -> Self {
        Self::new(VERIFIER.imports.iter().copied())
    }

    /// These and more.
    #[must_use]
    pub fn and<S: Into<String>>(mut self, interfaces: impl IntoIterator<Item = S>) -> Self {
        self.0.extend(interfaces.into_iter().map(Into::into));
        self
    }

    /// Whether this interface is granted.
    #[must_use]
    pub fn covers(&self, interface: &str) -> bool {
        self.0.contains(interface)
    }
}

/// Why a plugin is not loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// What `describe` answers makes no sense.
    #[error("its description is not acceptable: {0}")]
    Description(String),
    /// It lacks an export of its world, or has it with another type.
    #[error("it does not fit the world `{world}`: {reason}")]
    Export {
        /// The world.
        world: &'static str,
        /// What is wrong, in the engine's words.
        reason: String,
    },
    /// It imports what its world does not have. WASI, for instance.
    #[error("it imports `{import}`, which the world `{world}` does not have")]
    ForeignImport {
        /// The whole name of the import.
        import: String,
        /// The world.
        world: &'static str,
    },
    /// It is not a component, or not a valid one.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// Its manifest says that it is of the other kind.
    #[error("its manifest says that it is a {0:?} plugin")]
    Kind(Kind),
    /// Its manifest cannot be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It imports what its own manifest does not name: the operator would not see it.
    #[error("it imports `{import}`, which its manifest does not name")]
    Undeclared {
        /// The whole name of the import.
        import: String,
    },
    /// It needs more memories or tables than an instance has.
    #[error("it needs {0}, more than an instance may have")]
    Resources(String),
    /// It is larger than what is compiled.
    #[error("it has {bytes} bytes, and at most {limit} are compiled")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// It stopped while it was tried.
    #[error("it was tried, and {0}")]
    Trial(#[from] Stopped),
    /// It imports what the operator did not grant.
    #[error("it imports `{import}`, which it is not granted")]
    Ungranted {
        /// The whole name of the import.
        import: String,
    },
}

/// Refuses a component that imports anything outside its world, its manifest or its grants, by the
/// import's name.
pub fn imports(
    engine: &Engine,
    component: &Component,
    world: &World,
    declared: &[String],
    grants: &Grants,
) -> Result<(), LoadError> {
    for (import, _) in component.component_type().imports(engine.wasmtime()) {
        let interface = interface(import)
            .filter(|name| *name == TYPES_ONLY || world.imports.contains(name))
            .ok_or_else(|| LoadError::ForeignImport { import: import.into(), world: world.name })?;
        if interface == TYPES_ONLY {
            continue;
        }
        if !declared.iter().any(|name| name == interface) {
            return Err(LoadError::Undeclared { import: import.into() });
        }
        if !grants.covers(interface) {
            return Err(LoadError::Ungranted { import: import.into() });
        }
    }
    Ok(())
}

/// The version of this package's interfaces that a component was built for: that of what it exports.
pub fn interface_version(engine: &Engine, component: &[u8]) -> Option<String> {
    let component = Component::from_binary(engine.wasmtime(), component).ok()?;
    let mut exports = component
        .component_type()
        .exports(engine.wasmtime())
        .map(|(name, _)| name.to_owned())
        .collect::<Vec<_>>();
    exports.sort();
    exports.iter().find_map(|name| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1.to_owned()))
}

/// Refuses a component that needs more from its start than one call of it may have.
pub fn resources(component: &Component, limits: &Limits) -> Result<(), LoadError> {
    // None: it brings modules from its imports, which no world here has.
    let Some(needs) = component.resources_required() else {
        return Err(LoadError::Resources("modules that it does not hold".into()));
    };
    let pages = needs.max_initial_memory_size.unwrap_or(0);
    let memory = pages.saturating_mul(64 << 10);
    let elements = needs.max_initial_table_size.unwrap_or(0);
    let too_much = if needs.num_memories > MEMORIES {
        Some(format!("{} memories", needs.num_memories))
    } else if needs.num_tables > TABLES {
        Some(format!("{} tables", needs.num_tables))
    } else if memory > u64::try_from(limits.memory).unwrap_or(u64::MAX) {
        Some(format!("{memory} bytes of memory"))
    } else if elements > u64::try_from(limits.table_elements).unwrap_or(u64::MAX) {
        Some(format!("a table of {elements} elements"))
    } else {
        None
    };
    too_much.map_or(Ok(()), |what| Err(LoadError::Resources(what)))
}

/// `log` of `claviger:plugin/log@0.1.3`: an interface of this package in a compatible version.
fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.strip_prefix(PACKAGE)?.split_once('@')?;
    let patch = version.strip_prefix("0.1.")?;
    let digits = !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_known_by_package_and_compatible_version() {
        assert_eq!(interface("claviger:plugin/log@0.1.0"), Some("log"));
        assert_eq!(interface("claviger:plugin/log@0.1.12"), Some("log"));
        for foreign in [
            "claviger:plugin/log",
            "claviger:plugin/log@0.2.0",
            "claviger:plugin/log@0.1.0-rc",
            "claviger:plugin/log@0.1.",
            "claviger:plugins/log@0.1.0",
            "wasi:cli/environment@0.2.0",
            "log",
        ] {
            assert_eq!(interface(foreign), None, "{foreign}");
        }
    }
}
