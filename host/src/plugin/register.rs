//! What administrators installed, so that the next start serves it again: the components in a folder,
//! and which of them serve in the sealed store, whose word counts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::package::{Package, PackageError};
use crate::store::names::{CONNECTOR, PLUGINS};
use crate::store::{SealedStore, StoreError};

/// How often a change is tried again after another writer was quicker.
const ATTEMPTS: usize = 8;

/// Where a version comes from at the next start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Origin {
    /// From the configuration, the drop-in directory or the binary.
    Configured,
    /// From the folder of installed components: by its SHA-256, in hexadecimal.
    Installed(String),
}

/// What is kept of one name.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// What serves; nothing where it was disabled. None: never decided, as configured.
    #[serde(default)]
    pub(super) serving: Option<Origin>,
    /// Whether an administrator has disabled it.
    #[serde(default)]
    pub(super) disabled: bool,
    /// What served before.
    #[serde(default)]
    pub(super) before: Option<Origin>,
    /// The latest version that has served.
    #[serde(default)]
    pub(super) latest: Option<Version>,
}

/// A connector that an administrator chose.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    configured: String,
    chosen: String,
}

/// The register cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// An installed component is gone, or cannot be written.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing that this version wrote.
    #[error("the register of installed plugins cannot be read: {0}")]
    Malformed(String),
    /// A component is not the one that was installed.
    #[error("{0}: it is not the component that was installed")]
    Other(PathBuf),
    /// A package cannot be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Other writers were quicker each time.
    #[error("the register of installed plugins changes too often")]
    Busy,
}

/// The register. Without a folder nothing that is installed outlives the process.
pub(super) struct Register {
    store: Arc<SealedStore>,
    folder: Option<PathBuf>,
}

impl Register {
    pub(super) fn new(store: Arc<SealedStore>, folder: Option<PathBuf>) -> Self {
        Self { store, folder }
    }

    /// Everything that is kept, by name.
    pub(super) fn all(&self) -> Result<BTreeMap<String, Kept>, RegisterError> {
        match self.store.get(PLUGINS)? {
            None => Ok(BTreeMap::new()),
            Some(kept) => serde_json::from_slice(kept.expose())
                .map_err(|error| RegisterError::Malformed(error.to_string())),
        }
    }

    /// Changes what is kept of one name.
    pub(super) fn change(
        &self,
        name: &str,
        change: impl Fn(&mut Kept),
    ) -> Result<(), RegisterError> {
        for _ in 0..ATTEMPTS {
            let before = self.store.get(PLUGINS)?;
            let mut all: BTreeMap<String, Kept> = match &before {
                None => BTreeMap::new(),
                Some(kept) => serde_json::from_slice(kept.expose())
                    .map_err(|error| RegisterError::Malformed(error.to_string()))?,
            };
            let kept = all.entry(name.to_owned()).or_default();
            let unchanged = kept.clone();
            change(kept);
            if *kept == unchanged {
                return Ok(());
            }
            let after = serde_json::to_vec(&all)
                .map_err(|error| RegisterError::Malformed(error.to_string()))?;
            if self.store.swap(PLUGINS, before.as_ref().map(|b| b.expose()), Some(&after))? {
                return Ok(());
            }
        }
        Err(RegisterError::Busy)
    }

    /// Keeps that `chosen` holds the keys where the configuration names `configured`.
    pub(super) fn choose(&self, configured: &str, chosen: &str) -> Result<(), RegisterError> {
        let choice = Choice { configured: configured.to_owned(), chosen: chosen.to_owned() };
        let after = serde_json::to_vec(&choice)
            .map_err(|error| RegisterError::Malformed(error.to_string()))?;
        for _ in 0..ATTEMPTS {
            let before = self.store.get(CONNECTOR)?;
            let before = before.as_ref().map(|before| before.expose());
            if self.store.swap(CONNECTOR, before, Some(&after))? {
                return Ok(());
            }
        }
        Err(RegisterError::Busy)
    }

    /// What was chosen over that configuration, if anything was.
    pub(super) fn chosen(&self, configured: &str) -> Result<Option<String>, RegisterError> {
        let Some(kept) = self.store.get(CONNECTOR)? else { return Ok(None) };
        let choice: Choice = serde_json::from_slice(kept.expose())
            .map_err(|error| RegisterError::Malformed(error.to_string()))?;
        Ok((choice.configured == configured).then_some(choice.chosen))
    }

    /// Whether installed components outlive the process.
    pub(super) fn lasts(&self) -> bool {
        self.folder.is_some()
    }

    /// Keeps a package; the same one twice is one.
    pub(super) fn keep(&self, package: &Package) -> Result<(), RegisterError> {
        let Some(path) = self.path(&package.hex_digest()) else { return Ok(()) };
        let failed = |error| RegisterError::File { path: path.clone(), error };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let partial = path.with_extension("partial");
        let write = || {
            let mut file = fs::File::create(&partial)?;
            io::Write::write_all(&mut file, &package.to_archive())?;
            file.sync_all()?;
            fs::rename(&partial, &path)
        };
        write().map_err(failed)
    }

    /// The package that was kept under this digest. The file is anybody's; the digest is not.
    pub(super) fn package(&self, digest: &str) -> Result<Package, RegisterError> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let path = self.path(digest);
        let path =
            path.ok_or_else(|| RegisterError::File { path: PathBuf::from(digest), error: gone() })?;
        let package = Package::read(&path)?;
        match package.hex_digest() == digest {
            true => Ok(package),
            false => Err(RegisterError::Other(path)),
        }
    }

    fn path(&self, digest: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{digest}.tar")))
    }
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("folder", &self.folder).finish_non_exhaustive()
    }
}
