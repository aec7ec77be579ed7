//! Reading what the command line names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::secret::Secret;

/// A whole file of at most `largest` bytes.
pub(super) fn read_bounded(path: &Path, largest: u64) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let file = File::open(path).with_context(|| name.to_string())?;
    let mut bytes = Vec::new();
    file.take(largest + 1).read_to_end(&mut bytes).with_context(|| name.to_string())?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    ensure!(length <= largest, "{name}: larger than {largest} bytes");
    Ok(bytes)
}

/// The first line of a file with a token, without the end of the line.
pub(super) fn read_token(path: &Path) -> anyhow::Result<Secret> {
    let bytes = zeroize::Zeroizing::new(read_bounded(path, 4096)?);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    ensure!(!line.is_empty(), "{}: empty", path.display());
    Ok(Secret::new(line.to_vec()))
}
