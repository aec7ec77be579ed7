//! Reading files that may be larger than anybody meant.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A whole file of at most `largest` bytes; an error of kind `FileTooLarge` where it has more.
pub fn read_bounded(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > largest {
        let reason = format!("larger than {largest} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}
