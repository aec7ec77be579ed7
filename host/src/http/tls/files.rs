//! Certificate and key files: read with care, written whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::TlsError;
use crate::secret::Secret;

/// Reads a public file.
pub(in crate::http) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| failed(path, source))
}

/// Reads a private key, unless everybody on the machine can. A group may: that is how distributions
/// hand keys to services.
pub(in crate::http) fn read_private(path: &Path) -> Result<Secret, TlsError> {
    let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(TlsError::Exposed(path.to_owned()));
    }
    Ok(Secret::new(read(path)?))
}

/// Writes a file of the given mode beside its place and moves it there.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), TlsError> {
    let beside = path.with_extension("new");
    let written = fs::remove_file(&beside)
        .or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
        .and_then(|()| OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside))
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: std::io::Error) -> TlsError {
    TlsError::File { path: path.to_owned(), source }
}
