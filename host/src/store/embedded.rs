//! The embedded store: one redb file, or memory for development.

use std::fmt;
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};

use super::private_file::{self, NotPrivate};
use super::{Store, StoreError};
use crate::random::SystemRandomness;

const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("values");

/// Pages that redb keeps in memory, in bytes; the whole store is small.
const CACHE: usize = 8 << 20;

/// A store in this process. Writers wait for one another; readers wait for nobody.
pub struct Embedded {
    database: Database,
}

impl Embedded {
    /// Opens the file at `path`, and makes it (mode 0600) where it is missing. A file that others
    /// may read or write, or that is not a regular file of this user, is refused.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Made whole or not at all: a process that is killed meanwhile would leave a file which is
        // no store, and which nothing tells from a damaged one.
        if matches!(path.try_exists(), Ok(false)) {
            let draft = private_file::draft(path, &SystemRandomness::default())?;
            drop(Self::at(&draft)?);
            match private_file::put(&draft, path) {
                // Another process was quicker; whether it still runs, opening says.
                Err(NotPrivate::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                put => put?,
            }
        }
        Self::at(path)
    }

    fn at(path: &Path) -> Result<Self, StoreError> {
        let file = private_file::open_or_create(path)?;
        let backend = FileBackend::new(file).map_err(|error| opening(error, path))?;
        // Without the check, a file that somebody altered could stop the process later.
        let database = Builder::new()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(|error| opening(error, path))?;
        Self::with(database)
    }

    /// An empty store that is gone with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Builder::new()
            .set_cache_size(CACHE)
            .create_with_backend(InMemoryBackend::new())
            .map_err(|error| opening(error, Path::new("memory")))?;
        Self::with(database)
    }

    /// Makes the table, so that reading never meets a store without one.
    fn with(database: Database) -> Result<Self, StoreError> {
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(TABLE).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { database })
    }
}

impl Store for Embedded {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        StoreError::check(key, None)?;
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(TABLE).map_err(failed)?;
        let found = table.get(key).map_err(failed)?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = transaction.open_table(TABLE).map_err(failed)?;
        let start = after.map_or(prefix, |after| after.max(prefix));
        let mut keys = Vec::new();
        for entry in table.range(start..).map_err(failed)? {
            let (key, _) = entry.map_err(failed)?;
            let key = key.value();
            if keys.len() == limit || !key.starts_with(prefix) {
                break;
            }
            if Some(key) != after {
                keys.push(key.to_owned());
            }
        }
        Ok(keys)
    }

    fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        StoreError::check(key, value)?;
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut table = transaction.open_table(TABLE).map_err(failed)?;
            let current = table.get(key).map_err(failed)?;
            if current.as_ref().map(|current| current.value()) != expected {
                return Ok(false);
            }
            drop(current);
            match value {
                Some(value) => table.insert(key, value).map_err(failed)?,
                None => table.remove(key).map_err(failed)?,
            };
        }
        transaction.commit().map_err(failed)?;
        Ok(true)
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Embedded")
    }
}

fn opening(error: DatabaseError, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse(PathBuf::from(path))
        }
        other => match failed(other) {
            StoreError::Damaged(what) => StoreError::Damaged(format!("{}: {what}", path.display())),
            StoreError::Unavailable(why) => {
                StoreError::Unavailable(format!("{}: {why}", path.display()))
            }
            other => other,
        },
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        error @ (redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }) => StoreError::Damaged(error.to_string()),
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            StoreError::Damaged(error.to_string())
        }
        error => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_value_is_found_again_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = Embedded::open(&path).unwrap();
        assert_eq!(store.get("t/a/x").unwrap(), None);
        assert!(store.swap("t/a/x", None, Some(b"1")).unwrap());
        drop(store);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let store = Embedded::open(&path).unwrap();
        assert_eq!(store.get("t/a/x").unwrap(), Some(b"1".to_vec()));
    }

    #[test]
    fn a_range_is_ordered_bounded_and_continues() {
        let store = Embedded::in_memory().unwrap();
        for key in ["t/a/3", "t/a/1", "t/a/2", "t/b/1", "t/a", "t/a0"] {
            assert!(store.swap(key, None, Some(b"v")).unwrap());
        }
        assert_eq!(store.range("t/a/", None, 2).unwrap(), ["t/a/1", "t/a/2"]);
        assert_eq!(store.range("t/a/", Some("t/a/2"), 9).unwrap(), ["t/a/3"]);
        assert_eq!(store.range("t/a/", Some("t/a/15"), 1).unwrap(), ["t/a/2"]);
        assert!(store.range("t/a/", Some("t/b/"), 9).unwrap().is_empty());
        assert_eq!(store.range("t/a/", Some(""), 1).unwrap(), ["t/a/1"]);
        assert!(store.range("t/a/", None, 0).unwrap().is_empty());
    }

    #[test]
    fn a_swap_with_another_expectation_changes_nothing() {
        let store = Embedded::in_memory().unwrap();
        assert!(!store.swap("k", Some(b"1"), Some(b"2")).unwrap());
        assert!(store.swap("k", None, Some(b"1")).unwrap());
        assert!(!store.swap("k", None, Some(b"2")).unwrap());
        assert!(!store.swap("k", Some(b"2"), None).unwrap());
        assert_eq!(store.get("k").unwrap(), Some(b"1".to_vec()));
        assert!(store.swap("k", Some(b"1"), None).unwrap());
        assert_eq!(store.get("k").unwrap(), None);
    }

    #[test]
    fn of_a_hundred_parallel_swaps_exactly_one_wins() {
        let store = Embedded::in_memory().unwrap();
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for number in 0..100_u8 {
                let (store, won) = (&store, &won);
                scope.spawn(move || {
                    if store.swap("k", None, Some(&[number])).unwrap() {
                        won.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
    }

    #[test]
    fn a_store_held_by_another_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let _held = Embedded::open(&path).unwrap();
        assert!(matches!(Embedded::open(&path), Err(StoreError::InUse(p)) if p == path));
    }

    // attack 63
    #[test]
    fn a_store_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        drop(Embedded::open(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Embedded::open(&path),
            Err(StoreError::NotPrivate(private_file::NotPrivate::Permissions { mode: 0o644, .. }))
        ));
    }

    #[test]
    fn what_is_not_a_store_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        fs::write(&path, b"not a database at all, but somebody's text").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Embedded::open(&path), Err(StoreError::Damaged(_))));
        assert!(fs::read(&path).unwrap().starts_with(b"not a database"));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let store = Embedded::in_memory().unwrap();
        let long = "k".repeat(super::super::LONGEST_KEY + 1);
        let large = vec![0; super::super::LARGEST_VALUE + 1];
        assert!(matches!(store.get(&long), Err(StoreError::TooLong)));
        assert!(matches!(store.swap("", None, None), Err(StoreError::TooLong)));
        assert!(matches!(store.swap("k", None, Some(&large)), Err(StoreError::TooLong)));
    }
}
