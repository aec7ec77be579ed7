//! Where a secret of the operator's stands: a file that is read again when it was changed, or a
//! variable of the environment.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::CredentialError;
use crate::secret::Secret;

/// The largest file with a secret, in bytes.
const LARGEST: u64 = 64 << 10;

/// Where a secret stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// In a variable of the environment, from the start on.
    Environment(String),
    /// In a file of the operator's. Not one that everybody on the machine may read.
    File(PathBuf),
    /// In a file that the platform writes (a projected token), with the permissions that it has.
    Projected(PathBuf),
}

/// A secret that is read when it is needed.
pub(super) struct Source {
    from: SecretSource,
    kept: Mutex<Option<(Stamp, Secret)>>,
}

/// What tells a changed file: time, length, inode.
type Stamp = (i64, i64, u64, u64);

impl Source {
    pub(super) fn new(from: &SecretSource) -> Self {
        Self { from: from.clone(), kept: Mutex::new(None) }
    }

    /// The secret as it is now, without line ends behind it.
    pub(super) fn read(&self) -> Result<Secret, CredentialError> {
        let (path, private) = match &self.from {
            SecretSource::Environment(name) => return from_environment(name),
            SecretSource::File(path) => (path, true),
            SecretSource::Projected(path) => (path, false),
        };
        let failed = |error: std::io::Error| {
            CredentialError::Unavailable(format!("{}: {error}", path.display()))
        };
        let stamp = stamp(&fs::metadata(path).map_err(failed)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, secret)) = &*kept
            && *before == stamp
        {
            return Ok(secret.clone());
        }
        let secret = read(path, private)?;
        *kept = Some((stamp, secret.clone()));
        Ok(secret)
    }

    /// Reads the file again next time, though it looks the same. Whether that can help.
    pub(super) fn forget(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, before)) = kept.take() else { return false };
        drop(kept);
        self.read().is_ok_and(|now| !now.matches(before.expose()))
    }
}

fn from_environment(name: &str) -> Result<Secret, CredentialError> {
    let value = std::env::var_os(name).map(std::os::unix::ffi::OsStringExt::into_vec);
    let value = value.filter(|value: &Vec<u8>| !value.is_empty());
    value
        .map(Secret::new)
        .ok_or_else(|| CredentialError::Misconfigured(format!("the variable {name} is not set")))
}

fn read(path: &Path, private: bool) -> Result<Secret, CredentialError> {
    let failed = |error: std::io::Error| {
        CredentialError::Unavailable(format!("{}: {error}", path.display()))
    };
    let wrong = |why: &str| CredentialError::Misconfigured(format!("{} {why}", path.display()));
    let file = File::open(path).map_err(failed)?;
    // The file itself is looked at, not its name: an exchange in between changes nothing.
    let metadata = file.metadata().map_err(failed)?;
    if private && metadata.mode() & 0o007 != 0 {
        return Err(wrong("may be read by everybody on this machine; chmod o-rwx"));
    }
    if metadata.len() > LARGEST {
        return Err(wrong("is too large for a secret"));
    }
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(usize::try_from(LARGEST).unwrap_or(0).saturating_add(1));
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(wrong("is empty"));
    }
    Ok(Secret::new(bytes))
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (metadata.mtime(), metadata.mtime_nsec(), metadata.len(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    // attack 63
    #[test]
    fn a_secret_that_everybody_may_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "t0ken\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Source::new(&SecretSource::File(path.clone())).read();
        assert!(matches!(refused, Err(CredentialError::Misconfigured(_))), "{refused:?}");
        assert!(Source::new(&SecretSource::Projected(path.clone())).read().is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Source::new(&SecretSource::File(path)).read().unwrap().matches(b"t0ken"));
    }

    #[test]
    fn a_changed_file_is_read_again_and_an_empty_one_is_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let source = Source::new(&SecretSource::File(path.clone()));
        assert!(source.read().unwrap().matches(b"one"));
        fs::write(&path, "two too").unwrap();
        assert!(source.read().unwrap().matches(b"two too"));
        assert!(!source.forget(), "nothing new");
        fs::write(&path, "\n").unwrap();
        assert!(matches!(source.read(), Err(CredentialError::Misconfigured(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(source.read(), Err(CredentialError::Unavailable(_))));
        let unset = SecretSource::Environment("CLAVIGER_TEST_IS_NOT_SET".into());
        assert!(matches!(Source::new(&unset).read(), Err(CredentialError::Misconfigured(_))));
    }
}
