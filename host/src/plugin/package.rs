//! A plugin as it travels: one component, and who signed it.

mod archive;
pub(crate) mod layout;

use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

use super::manifest::{Manifest, ManifestError};
use crate::files;

pub use archive::{ArchiveError, LARGEST as LARGEST_PACKAGE};
pub use layout::{
    COMPONENT_TYPE, CONFIG_TYPE, Descriptor, INDEX_TYPE, ImageManifest, Index, Layout,
    MANIFEST_TYPE, SIGNATURE_TYPE,
};

/// The largest component that is read, in bytes.
pub const LARGEST_COMPONENT: usize = 64 << 20;

/// The largest signature (a Sigstore bundle) that is read, in bytes.
pub const LARGEST_SIGNATURE: usize = 128 << 10;

/// The most signatures that come with one component.
pub const MOST_SIGNATURES: usize = 16;

/// What a signature's file is called: the component's name, and this.
pub const SIGNATURE_SUFFIX: &str = ".sigstore.json";

/// A component with the signatures that came along; nothing here is checked yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Package {
    /// The component.
    pub component: Vec<u8>,
    /// Sigstore bundles over the component's bytes.
    pub signatures: Vec<Vec<u8>>,
}

/// A package cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The archive is not one of a plugin.
    #[error("{path}: {error}", path = .path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: ArchiveError,
    },
    /// A file cannot be read, or is too large.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
}

impl Package {
    /// A component that nobody signed.
    #[must_use]
    pub fn unsigned(component: Vec<u8>) -> Self {
        Self { component, signatures: Vec::new() }
    }

    /// Reads a component with the signatures beside it (`NAME.wasm.sigstore.json`, and
    /// `NAME.wasm.1.sigstore.json` to `…15…`), or an archive (`NAME.tar`).
    pub fn read(path: &Path) -> Result<Self, PackageError> {
        let archived = path.extension().is_some_and(|extension| extension == "tar");
        let read = |path: &Path, largest: usize| {
            let largest = u64::try_from(largest).unwrap_or(u64::MAX);
            files::read_bounded(path, largest)
                .map_err(|error| PackageError::File { path: path.to_owned(), error })
        };
        if archived {
            let bytes = read(path, archive::LARGEST)?;
            return Self::from_archive(&bytes)
                .map_err(|error| PackageError::Archive { path: path.to_owned(), error });
        }
        let component = read(path, LARGEST_COMPONENT)?;
        let mut signatures = Vec::new();
        for beside in Self::signature_paths(path) {
            match read(&beside, LARGEST_SIGNATURE) {
                Ok(signature) => signatures.push(signature),
                Err(PackageError::File { error, .. })
                    if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { component, signatures })
    }

    /// Where the signatures of the component at a path are looked for.
    pub fn signature_paths(component: &Path) -> impl Iterator<Item = PathBuf> {
        let beside = |suffix: String| {
            let mut path = component.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        };
        (0..MOST_SIGNATURES).map(move |number| match number {
            0 => beside(SIGNATURE_SUFFIX.to_owned()),
            number => beside(format!(".{number}{SIGNATURE_SUFFIX}")),
        })
    }

    /// What the component says about itself.
    pub fn manifest(&self) -> Result<Manifest, ManifestError> {
        Manifest::read(&self.component)
    }

    /// SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.component)
    }

    /// The same in lower-case hexadecimal.
    #[must_use]
    pub fn hex_digest(&self) -> String {
        HEXLOWER.encode(&self.digest())
    }
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}
