//! The sealed store: values encrypted under the data key, each bound to its store key.
//!
//! A sealed value is one version byte, then nonce, ciphertext and tag of AES-256-GCM; the store key
//! is authenticated with it, so that a value which somebody moves to another key does not open.
//! Somebody who can write to the disk can still put back an older value of the same key, or remove
//! one: the store tells no such lie of its own, but cannot notice one told by the disk.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::LessSafeKey;

use super::data_key::{self, Wrapped};
use super::master_key::{self, MasterKey, MasterKeyError};
use super::{Store, StoreError, aead, names};
use crate::random::{Random, RandomnessFailed};
use crate::secret::Secret;

const VERSION: u8 = 1;

/// How often a swap looks again after another writer was quicker.
const ATTEMPTS: usize = 32;

/// Encrypts what it stores; see the module's own words.
pub struct SealedStore {
    store: Arc<dyn Store>,
    cipher: LessSafeKey,
    random: Arc<dyn Random>,
}

/// The sealed store stays closed. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Values are there and the key that opens them is not; a new one would bury them.
    #[error("the store holds values and no data key; restore it from a backup")]
    DataKeyLost,
    /// The wrapped data key has a layout that this host does not know.
    #[error("the wrapped data key has a layout that this version does not know")]
    DataKeyUnreadable,
    /// The master key cannot be had.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// There is no randomness for a new data key.
    #[error(transparent)]
    Randomness(#[from] RandomnessFailed),
    /// The store below failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key is not the one that sealed this store, or the wrapped data key was altered.
    #[error("the master key does not open this store; nothing was changed")]
    WrongMasterKey,
}

impl SealedStore {
    /// Opens `store` with its master key. An empty store gets a new data key, wrapped by it; the
    /// data key of any other is unwrapped, never replaced.
    pub fn open(
        store: Arc<dyn Store>,
        master: &MasterKey,
        random: Arc<dyn Random>,
    ) -> Result<Self, OpenError> {
        let data_key = match store.get(names::DATA_KEY)? {
            Some(record) => unwrap(&record, master)?,
            None => first_data_key(store.as_ref(), master, random.as_ref())?,
        };
        let cipher = aead::cipher(&data_key).ok_or(OpenError::DataKeyUnreadable)?;
        Ok(Self { store, cipher, random })
    }

    /// The value of `key`, decrypted; see [`Store::get`].
    pub fn get(&self, key: &str) -> Result<Option<Secret>, StoreError> {
        let sealed = self.store.get(key)?;
        sealed.map(|sealed| self.unseal(key, &sealed)).transpose()
    }

    /// See [`Store::range`]. Keys are not encrypted.
    pub fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.store.range(prefix, after, limit)
    }

    /// Compare and swap of the decrypted values, in one step; see [`Store::swap`].
    pub fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let sealed = value.map(|value| self.seal(key, value)).transpose()?;
        // The store below compares the very bytes that were compared here in the clear; where
        // they changed in between, the comparison here is made anew.
        for _ in 0..ATTEMPTS {
            let current = self.store.get(key)?;
            let as_expected = match (&current, expected) {
                (None, None) => true,
                (Some(current), Some(expected)) => self.unseal(key, current)?.matches(expected),
                _ => false,
            };
            if !as_expected {
                return Ok(false);
            }
            if self.store.swap(key, current.as_deref(), sealed.as_deref())? {
                return Ok(true);
            }
        }
        Err(StoreError::Unavailable(format!("{key} is written by too many at once")))
    }

    /// Seals a value for a key, or for a purpose that is no key of the store, without storing it.
    pub(crate) fn seal(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        StoreError::check(key, Some(value))?;
        let sealed = aead::seal(&self.cipher, value, key.as_bytes(), self.random.as_ref())
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut record = Vec::with_capacity(1 + sealed.len());
        record.push(VERSION);
        record.extend(sealed);
        Ok(record)
    }

    /// Opens what was sealed for this key or purpose.
    pub(crate) fn unseal(&self, key: &str, record: &[u8]) -> Result<Secret, StoreError> {
        let opened = match record {
            [VERSION, sealed @ ..] => aead::open(&self.cipher, sealed, key.as_bytes()),
            _ => None,
        };
        opened.ok_or_else(|| StoreError::Damaged(format!("the value of {key} does not open")))
    }
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedStore")
    }
}

fn first_data_key(
    store: &dyn Store,
    master: &MasterKey,
    random: &dyn Random,
) -> Result<Secret, OpenError> {
    // Whatever there is was sealed by a key that would be buried; but for one that another replica
    // has made meanwhile.
    if store.range("", None, 2)?.iter().any(|key| key != names::DATA_KEY) {
        return Err(OpenError::DataKeyLost);
    }
    let (master_key, derivation) = master.first(random)?;
    let data_key = master_key::generate(random)?;
    let record = data_key::wrap(&data_key, &master_key, &derivation, names::DATA_KEY, random)?;
    if store.swap(names::DATA_KEY, None, Some(&record))? {
        return Ok(data_key);
    }
    // Another replica was first, and its data key counts.
    let record = store.get(names::DATA_KEY)?.ok_or(OpenError::DataKeyUnreadable)?;
    unwrap(&record, master)
}

fn unwrap(record: &[u8], master: &MasterKey) -> Result<Secret, OpenError> {
    let wrapped = Wrapped::parse(record).map_err(|_| OpenError::DataKeyUnreadable)?;
    master
        .again(&wrapped.derivation)?
        .and_then(|master_key| wrapped.unwrap(&master_key, names::DATA_KEY))
        .ok_or(OpenError::WrongMasterKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;
    use crate::store::Embedded;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn random() -> Arc<dyn Random> {
        Arc::new(SystemRandomness::default())
    }

    fn open(store: &Arc<dyn Store>, master: &MasterKey) -> Result<SealedStore, OpenError> {
        SealedStore::open(store.clone(), master, random())
    }

    fn fresh() -> (Arc<dyn Store>, MasterKey, SealedStore) {
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let master = MasterKey::ephemeral(&SystemRandomness::default()).unwrap();
        let sealed = open(&store, &master).unwrap();
        (store, master, sealed)
    }

    #[test]
    fn a_value_is_sealed_below_and_opens_again() {
        let (store, master, sealed) = fresh();
        assert!(sealed.swap("t/a/k", None, Some(b"my secret")).unwrap());
        let raw = store.get("t/a/k").unwrap().unwrap();
        assert!(!raw.windows(9).any(|window| window == b"my secret"));
        drop(sealed);
        let sealed = open(&store, &master).unwrap();
        assert!(sealed.get("t/a/k").unwrap().unwrap().matches(b"my secret"));
        assert!(sealed.get("t/a/other").unwrap().is_none());
        assert_eq!(sealed.range("t/a/", None, 9).unwrap(), ["t/a/k"]);
    }

    #[test]
    fn no_bit_of_a_sealed_value_can_be_changed() {
        let (store, _, sealed) = fresh();
        sealed.swap("t/a/k", None, Some(b"value")).unwrap();
        let raw = store.get("t/a/k").unwrap().unwrap();
        let mut previous = raw.clone();
        let cut = (0..raw.len()).map(|length| raw[..length].to_vec());
        let flipped = (0..raw.len() * 8).map(|bit| {
            let mut changed = raw.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            changed
        });
        for changed in flipped.chain(cut) {
            assert!(store.swap("t/a/k", Some(&previous), Some(&changed)).unwrap());
            assert!(matches!(sealed.get("t/a/k"), Err(StoreError::Damaged(_))));
            // Nor is a damaged value taken for an absent one, and overwritten.
            assert!(sealed.swap("t/a/k", Some(b"value"), Some(b"x")).is_err());
            assert!(!sealed.swap("t/a/k", None, Some(b"x")).unwrap());
            previous = changed;
        }
    }

    #[test]
    fn a_value_moved_to_another_key_does_not_open() {
        let (store, _, sealed) = fresh();
        sealed.swap("t/a/k", None, Some(b"value")).unwrap();
        let raw = store.get("t/a/k").unwrap().unwrap();
        store.swap("t/b/k", None, Some(&raw)).unwrap();
        assert!(matches!(sealed.get("t/b/k"), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn another_master_key_is_refused_and_changes_nothing() {
        let (store, master, sealed) = fresh();
        sealed.swap("t/a/k", None, Some(b"value")).unwrap();
        let before = store.get(names::DATA_KEY).unwrap();
        let other = MasterKey::ephemeral(&SystemRandomness::default()).unwrap();
        let refused = open(&store, &other).unwrap_err();
        assert!(matches!(refused, OpenError::WrongMasterKey));
        let passphrase = MasterKey::passphrase(Secret::new(b"a long passphrase".to_vec()));
        let refused = open(&store, &passphrase.unwrap()).unwrap_err();
        assert!(matches!(refused, OpenError::WrongMasterKey));
        assert_eq!(store.get(names::DATA_KEY).unwrap(), before);
        assert!(open(&store, &master).is_ok());
    }

    #[test]
    fn a_lost_master_key_file_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        open(&store, &MasterKey::file(&path)).unwrap();
        open(&store, &MasterKey::file(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let refused = open(&store, &MasterKey::file(&path)).unwrap_err();
        assert!(matches!(refused, OpenError::MasterKey(MasterKeyError::Missing(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_store_opens_with_its_passphrase_and_with_no_other() {
        let passphrase =
            |text: &str| MasterKey::passphrase(Secret::new(text.as_bytes().to_vec())).unwrap();
        let store: Arc<dyn Store> = Arc::new(Embedded::in_memory().unwrap());
        let sealed = open(&store, &passphrase("correct horse battery")).unwrap();
        sealed.swap("t/a/k", None, Some(b"value")).unwrap();
        let refused = open(&store, &passphrase("correct horse staple")).unwrap_err();
        assert!(matches!(refused, OpenError::WrongMasterKey));
        let sealed = open(&store, &passphrase("correct horse battery")).unwrap();
        assert!(sealed.get("t/a/k").unwrap().unwrap().matches(b"value"));
    }

    #[test]
    fn a_lost_data_key_is_not_replaced_whatever_it_sealed() {
        for key in ["chip/snp/00", "host/token-keys", "t/a/k"] {
            let (store, master, sealed) = fresh();
            sealed.swap(key, None, Some(b"value")).unwrap();
            let record = store.get(names::DATA_KEY).unwrap().unwrap();
            assert!(store.swap(names::DATA_KEY, Some(&record), None).unwrap());
            assert!(matches!(open(&store, &master), Err(OpenError::DataKeyLost)), "{key}");
        }
    }

    #[test]
    fn a_data_key_of_another_layout_is_not_replaced() {
        let (store, master, _) = fresh();
        let record = store.get(names::DATA_KEY).unwrap().unwrap();
        let foreign = [&[2], &record[1..]].concat();
        assert!(store.swap(names::DATA_KEY, Some(&record), Some(&foreign)).unwrap());
        assert!(matches!(open(&store, &master), Err(OpenError::DataKeyUnreadable)));
    }

    #[test]
    fn of_a_hundred_parallel_sealed_swaps_exactly_one_wins_each_round() {
        let (_, _, sealed) = fresh();
        let won = AtomicUsize::new(0);
        for expected in [None, Some(b"value".as_slice())] {
            std::thread::scope(|scope| {
                for number in 0..100_u8 {
                    let (sealed, won) = (&sealed, &won);
                    scope.spawn(move || {
                        let value = [number];
                        let value = if expected.is_none() { b"value" } else { &value[..] };
                        if sealed.swap("t/a/k", expected, Some(value)).unwrap() {
                            won.fetch_add(1, Ordering::SeqCst);
                        }
                    });
                }
            });
        }
        assert_eq!(won.into_inner(), 2);
    }
}
