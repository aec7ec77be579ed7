//! The master key: where it comes from. It wraps the data key and nothing else.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use super::private_file::{self, NotPrivate};
use crate::random::{Random, RandomnessFailed};
use crate::secret::Secret;

/// A master key, and every key derived from one, in bytes.
pub(super) const KEY_LENGTH: usize = 32;

/// The shortest passphrase, in bytes.
pub const SHORTEST_PASSPHRASE: usize = 12;

/// Where the master key comes from.
pub struct MasterKey(Source);

enum Source {
    /// Read when the store is opened; generated only for a store that has no data key yet.
    File(PathBuf),
    Held(Secret),
    Passphrase(Secret),
}

/// The master key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The environment variable is missing or does not hold a key.
    #[error("the environment variable {0} must hold 32 random bytes in base64")]
    Environment(String),
    /// The file is not as long as a key.
    #[error("{} does not hold a master key: 32 bytes", .0.display())]
    Length(PathBuf),
    /// The store was sealed with a master key, and its file is gone.
    #[error("{} is missing, and the store cannot be opened without it", .0.display())]
    Missing(PathBuf),
    /// The file can be reached by others.
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    /// The parameters beside the wrapped data key are not ones that this host would have written.
    #[error("the argon2id parameters in the store are out of range: {0:?}")]
    Parameters(Argon2id),
    /// The passphrase is too short to protect anything.
    #[error("the passphrase is shorter than {SHORTEST_PASSPHRASE} bytes")]
    Passphrase,
    /// No key can be made without randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessFailed),
}

impl MasterKey {
    /// 32 bytes in the file at `path`, which only its owner may reach. It is generated together
    /// with the data key, and never for a store that has one already.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// Whether the file at `path` could be one; where there is none it is made when it is wanted.
    ///
    /// # Errors
    /// Where others may reach it, or it does not hold a key.
    pub fn check_file(path: &Path) -> Result<(), MasterKeyError> {
        read(path).map(drop)
    }

    /// Derived from a passphrase by argon2id; salt and parameters stand beside the wrapped data key.
    pub fn passphrase(passphrase: Secret) -> Result<Self, MasterKeyError> {
        if passphrase.len() < SHORTEST_PASSPHRASE {
            return Err(MasterKeyError::Passphrase);
        }
        Ok(Self(Source::Passphrase(passphrase)))
    }

    /// 32 bytes in base64 (standard or URL-safe) in the environment variable `name`, read now and
    /// not again. The operating system still shows it to whoever may read this process's memory.
    pub fn environment(name: &str) -> Result<Self, MasterKeyError> {
        let value = env::var(name).map(Zeroizing::new);
        value
            .ok()
            .and_then(|text| Self::from_base64(text.trim()))
            .ok_or_else(|| MasterKeyError::Environment(name.to_owned()))
    }

    /// A key that is gone with the process, for a store in memory.
    pub fn ephemeral(random: &dyn Random) -> Result<Self, MasterKeyError> {
        Ok(Self(Source::Held(generate(random)?)))
    }

    fn from_base64(text: &str) -> Option<Self> {
        let key =
            BASE64.decode(text.as_bytes()).or_else(|_| BASE64URL_NOPAD.decode(text.as_bytes()));
        let key = Secret::new(key.ok()?);
        (key.len() == KEY_LENGTH).then_some(Self(Source::Held(key)))
    }

    /// The key for a store without a data key, and how it was derived, to be stored with it.
    pub(super) fn first(
        &self,
        random: &dyn Random,
    ) -> Result<(Secret, Derivation), MasterKeyError> {
        match &self.0 {
            Source::File(path) => {
                if let Some(key) = read(path)? {
                    return Ok((key, Derivation::Direct));
                }
                let key = generate(random)?;
                private_file::create(path, &key, random)?;
                Ok((key, Derivation::Direct))
            }
            Source::Held(key) => Ok((key.clone(), Derivation::Direct)),
            Source::Passphrase(passphrase) => {
                let mut salt = [0; 16];
                random.fill(&mut salt)?;
                let parameters = Argon2id::default();
                let key = parameters.derive(passphrase, &salt)?;
                Ok((key, Derivation::Argon2id(parameters, salt)))
            }
        }
    }

    /// The key for a data key that was wrapped before. None: it was wrapped by another kind of
    /// master key.
    pub(super) fn again(&self, how: &Derivation) -> Result<Option<Secret>, MasterKeyError> {
        match (&self.0, how) {
            (Source::File(path), Derivation::Direct) => {
                read(path)?.ok_or_else(|| MasterKeyError::Missing(path.clone())).map(Some)
            }
            (Source::Held(key), Derivation::Direct) => Ok(Some(key.clone())),
            (Source::Passphrase(passphrase), Derivation::Argon2id(parameters, salt)) => {
                parameters.check()?;
                parameters.derive(passphrase, salt).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// How the master key was derived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Derivation {
    /// It is the 32 bytes themselves.
    Direct,
    /// From a passphrase, with this salt.
    Argon2id(Argon2id, [u8; 16]),
}

/// Parameters of argon2id (RFC 9106 section 3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Argon2id {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Argon2id {
    /// RFC 9106 section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes.
    fn default() -> Self {
        Self { memory: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl Argon2id {
    /// The parameters are read before anything vouches for them: weaker ones than this host writes
    /// are an attempt to make guessing cheap, much larger ones an attempt to exhaust memory.
    fn check(&self) -> Result<(), MasterKeyError> {
        let floor = Self::default();
        let within = (floor.memory..=1024 * 1024).contains(&self.memory)
            && (floor.passes..=32).contains(&self.passes)
            && (1..=16).contains(&self.lanes);
        within.then_some(()).ok_or(MasterKeyError::Parameters(*self))
    }

    fn derive(&self, passphrase: &Secret, salt: &[u8; 16]) -> Result<Secret, MasterKeyError> {
        let refused = |_| MasterKeyError::Parameters(*self);
        let parameters = Params::new(self.memory, self.passes, self.lanes, Some(KEY_LENGTH));
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.map_err(refused)?);
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        argon2.hash_password_into(passphrase.expose(), salt, key.as_mut()).map_err(refused)?;
        Ok(Secret::new(key.to_vec()))
    }
}

fn read(path: &Path) -> Result<Option<Secret>, MasterKeyError> {
    match private_file::read(path, KEY_LENGTH as u64) {
        Ok(None) => Ok(None),
        Ok(Some(key)) if key.len() == KEY_LENGTH => Ok(Some(key)),
        Err(NotPrivate::Io { source, .. }) if source.kind() != std::io::ErrorKind::FileTooLarge => {
            Err(private_file::NotPrivate::Io { path: path.to_owned(), source }.into())
        }
        Ok(Some(_)) | Err(NotPrivate::Io { .. }) => Err(MasterKeyError::Length(path.to_owned())),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn generate(random: &dyn Random) -> Result<Secret, RandomnessFailed> {
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    random.fill(key.as_mut())?;
    Ok(Secret::new(key.to_vec()))
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) => write!(f, "master key in {}", path.display()),
            Source::Held(_) => f.write_str("master key"),
            Source::Passphrase(_) => f.write_str("master key from a passphrase"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_generated_file_is_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let master = MasterKey::file(&path);
        assert!(matches!(master.again(&Derivation::Direct), Err(MasterKeyError::Missing(_))));
        let (key, how) = master.first(&SystemRandomness::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(key.len(), 32);
        assert!(master.again(&how).unwrap().unwrap().matches(key.expose()));
    }

    #[test]
    fn a_file_of_another_length_or_mode_is_not_a_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        for length in [0, 31, 33, 4096] {
            fs::write(&path, vec![7; length]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let refused = MasterKey::file(&path).again(&Derivation::Direct);
            assert!(matches!(refused, Err(MasterKeyError::Length(_))), "{length}");
        }
        fs::write(&path, [7; 32]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = MasterKey::file(&path).again(&Derivation::Direct);
        assert!(matches!(refused, Err(MasterKeyError::NotPrivate(_))));
    }

    #[test]
    fn the_environment_holds_a_key_or_is_refused() {
        // PATH is set everywhere and is no key.
        for name in ["PATH", "CLAVIGER_TEST_NO_SUCH_VARIABLE"] {
            let refused = MasterKey::environment(name).unwrap_err();
            assert!(matches!(refused, MasterKeyError::Environment(n) if n == name));
        }
        assert!(MasterKey::from_base64(&BASE64.encode(&[255; 32])).is_some());
        assert!(MasterKey::from_base64(&BASE64URL_NOPAD.encode(&[255; 32])).is_some());
        for length in [0, 16, 31, 33, 64] {
            assert!(MasterKey::from_base64(&BASE64.encode(&vec![1; length])).is_none());
        }
    }

    #[test]
    fn weakened_parameters_are_refused() {
        let good = Argon2id::default();
        assert!(good.check().is_ok());
        for bad in [
            Argon2id { memory: 8, ..good },
            Argon2id { memory: u32::MAX, ..good },
            Argon2id { passes: 1, ..good },
            Argon2id { passes: u32::MAX, ..good },
            Argon2id { lanes: 0, ..good },
            Argon2id { lanes: u32::MAX, ..good },
        ] {
            let master = MasterKey::passphrase(Secret::new(b"correct horse battery".to_vec()));
            let refused = master.unwrap().again(&Derivation::Argon2id(bad, [0; 16]));
            assert!(matches!(refused, Err(MasterKeyError::Parameters(p)) if p == bad));
        }
        assert!(MasterKey::passphrase(Secret::new(b"short".to_vec())).is_err());
    }
}
