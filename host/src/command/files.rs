//! Reading what the command line names.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::files;
use crate::secret::Secret;

/// A whole file of at most `largest` bytes; the error names it.
pub(super) fn read_bounded(path: &Path, largest: u64) -> anyhow::Result<Vec<u8>> {
    files::read_bounded(path, largest).with_context(|| path.display().to_string())
}

/// The first line of a file with a token, without the end of the line.
pub(super) fn read_token(path: &Path) -> anyhow::Result<Secret> {
    let bytes = zeroize::Zeroizing::new(read_bounded(path, 4096)?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    ensure!(!line.is_empty(), "{}: empty", path.display());
    Ok(Secret::new(line.to_vec()))
}
