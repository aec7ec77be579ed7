//! Where bytes become durable.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;

/// Takes bytes and keeps them.
pub(super) trait Sink: Send {
    /// Appends `bytes` and returns when they are durable. After an error none of them is there, as
    /// far as that can still be brought about.
    fn commit(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A file that only this host appends to.
pub(super) struct FileSink {
    file: File,
    /// How long the file is, as far as this host wrote it.
    length: u64,
}

impl FileSink {
    /// `file` is open for appending and `length` bytes long.
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { file, length }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if metadata.is_file() && (metadata.len() != self.length || metadata.nlink() != 1) {
            return Err(io::Error::other("the file was changed or removed by somebody else"));
        }
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Best effort: what stays is cut off, or found, when the log is opened next.
            drop(self.file.set_len(self.length));
        }
        written
    }
}

impl Sink for FileSink {
    fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::files;
    use std::fs::OpenOptions;

    // attack 56
    #[test]
    fn a_full_device_is_an_error() {
        let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let error = FileSink::new(file, 0).commit(b"line\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    // attack 56
    #[test]
    fn a_line_that_somebody_else_appends_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut sink = FileSink::new(files::open_private(&path).unwrap(), 0);
        sink.commit(b"one\n").unwrap();
        std::fs::write(&path, b"one\nforged\n").unwrap();
        assert!(sink.commit(b"two\n").is_err());
        // The other's line stays as evidence.
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nforged\n");
    }

    #[test]
    fn a_removed_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut sink = FileSink::new(files::open_private(&path).unwrap(), 0);
        sink.commit(b"one\n").unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(sink.commit(b"two\n").is_err());
    }
}
