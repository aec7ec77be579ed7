//! The log's files: where they are, how they are opened safely, how their lines are read.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::encoding::MAX_LINE;
use super::error::AuditError;
use super::key::VerificationKey;
use crate::store::private_file;

/// The files of a log.
pub(super) struct Paths {
    pub(super) directory: PathBuf,
    pub(super) log: PathBuf,
    pub(super) checkpoints: PathBuf,
    pub(super) public: PathBuf,
}

impl Paths {
    pub(super) fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            log: directory.join("audit.jsonl"),
            checkpoints: directory.join("audit.checkpoints"),
            public: directory.join("audit.pub"),
        }
    }

    /// Makes the directory where it is missing; refuses one that others may write to.
    pub(super) fn prepare(&self) -> Result<(), AuditError> {
        Ok(private_file::own_directory(&self.directory)?)
    }

    /// Refuses to go on under another name, which would look like tampering.
    pub(super) fn check_name(&self, key: &VerificationKey) -> Result<(), AuditError> {
        let known = std::fs::read_to_string(&self.public).ok();
        let known = known.and_then(|text| text.parse::<VerificationKey>().ok());
        match known {
            Some(known) if known.is_renamed(key) => Err(AuditError::Renamed {
                directory: self.directory.display().to_string(),
                was: known.name().to_owned(),
                is: key.name().to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Makes new names durable.
    pub(super) fn sync(&self) -> Result<(), AuditError> {
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| AuditError::io(&self.directory, &error))
    }

    /// Writes the public key where there is none; a different one is refused.
    pub(super) fn publish(&self, key: &VerificationKey) -> Result<(), AuditError> {
        match std::fs::read_to_string(&self.public) {
            Ok(text) if text.trim_ascii_end() == key.to_string() => Ok(()),
            Ok(_) => Err(AuditError::Key(format!(
                "{} holds another key: begin a new directory for a new key",
                self.public.display()
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write_public(key),
            Err(error) => Err(AuditError::io(&self.public, &error)),
        }
    }

    fn write_public(&self, key: &VerificationKey) -> Result<(), AuditError> {
        // Written beside and renamed, so that a crash leaves no half of it.
        let draft = self.public.with_extension("pub.new");
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o644)
                .open(&draft)?;
            writeln!(file, "{key}")?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.public)
        };
        write().map_err(|error| AuditError::io(&self.public, &error))?;
        self.sync()
    }
}

/// Opens a file of the log for reading and appending, makes it where it is missing, and locks it.
/// What [`private_file`] refuses is refused, and a file with a second name.
pub(super) fn open_private(path: &Path) -> Result<File, AuditError> {
    let file = private_file::open_to_append(path)?;
    let metadata = file.metadata().map_err(|error| AuditError::io(path, &error))?;
    if metadata.nlink() != 1 {
        return Err(AuditError::Insecure(format!("{} has a second name", path.display())));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AuditError::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(AuditError::io(path, &error)),
    }
}

/// How a line ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    /// With a newline, which is not part of the line.
    Newline,
    /// With the file: it was not, or not yet, written wholly.
    Unfinished,
    /// It is longer than any line that is written here; the rest is left.
    TooLong,
}

/// Reads the next line into `line`; `None` at the end.
pub(super) fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
) -> io::Result<Option<Ending>> {
    line.clear();
    let limit = MAX_LINE as u64 + 1;
    reader.take(limit).read_until(b'\n', line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(Ending::Newline));
    }
    let full = line.len() as u64 == limit;
    Ok(Some(if full { Ending::TooLong } else { Ending::Unfinished }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_link_or_an_open_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        drop(open_private(&real).unwrap());
        assert_eq!(std::fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
        symlink(&real, &link).unwrap();
        assert!(matches!(open_private(&link), Err(AuditError::Insecure(_))));
        std::fs::hard_link(&real, directory.path().join("second")).unwrap();
        assert!(matches!(open_private(&real), Err(AuditError::Insecure(_))));
        let open = directory.path().join("open");
        drop(open_private(&open).unwrap());
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(open_private(&open), Err(AuditError::Insecure(_))));
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let first = open_private(&path).unwrap();
        assert!(matches!(open_private(&path), Err(AuditError::Locked(_))));
        drop(first);
        assert!(open_private(&path).is_ok());
    }

    #[test]
    fn lines_are_told_apart() {
        let mut long = b"ab\n\nc".to_vec();
        let mut line = Vec::new();
        let mut reader = long.as_slice();
        for (text, ending) in [("ab", Ending::Newline), ("", Ending::Newline)] {
            assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(ending));
            assert_eq!(line, text.as_bytes());
        }
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), Some(Ending::Unfinished));
        assert_eq!(read_line(&mut reader, &mut line).unwrap(), None);
        long.resize(MAX_LINE + 1, b'x');
        let ending = read_line(&mut &long[5..], &mut line).unwrap();
        assert_eq!(ending, Some(Ending::Unfinished));
        long.resize(2 * MAX_LINE, b'x');
        let ending = read_line(&mut &long[5..], &mut line).unwrap();
        assert_eq!(ending, Some(Ending::TooLong));
    }
}
