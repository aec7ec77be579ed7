//! Where the host keeps what must survive a restart: a small trait over keys and values.

mod aead;
mod data_key;
pub mod embedded;
pub mod master_key;
pub mod names;
pub mod private_file;
pub mod sealed;

pub use embedded::Embedded;
pub use master_key::{MasterKey, MasterKeyError};
pub use sealed::{OpenError, SealedStore};

use std::path::PathBuf;

/// The longest store key, in bytes.
pub const LONGEST_KEY: usize = 1024;

/// The largest stored value, in bytes.
pub const LARGEST_VALUE: usize = 1 << 20;

/// Keys and values. Keys are UTF-8 paths made by [`names`]; their order is the order of their bytes.
///
/// Calls are synchronous and lock inside; a call may wait for the disk, so what serves requests
/// makes it on a blocking thread unless it is a [`Store::get`] of a small value.
pub trait Store: Send + Sync + 'static {
    /// The value of `key`, or none.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The keys that begin with `prefix`, in order, from the first one behind `after` (a whole key),
    /// at most `limit` of them.
    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError>;

    /// Compare and swap, in one step: where the value of `key` is still `expected` (none: there is
    /// none), it becomes `value` (none: it is removed). Answers whether it did; after `true` the
    /// change is durable.
    fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError>;
}

/// Why the store could not do as asked. Holds names and paths, never a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is stored is not what was written: a broken disk, or somebody's hand.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Another process holds the store.
    #[error("{} is in use by another process; one store serves one host", .0.display())]
    InUse(PathBuf),
    /// A file that holds secrets can be reached by others, or is not what it should be.
    #[error(transparent)]
    NotPrivate(#[from] private_file::NotPrivate),
    /// The key or the value is longer than the store takes.
    #[error("a store key is 1 to {LONGEST_KEY} bytes and a value at most {LARGEST_VALUE}")]
    TooLong,
    /// The disk, or the source of randomness, failed; nothing was changed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

impl StoreError {
    /// Refuses what no store takes, before it costs anything.
    pub(crate) fn check(key: &str, value: Option<&[u8]>) -> Result<(), Self> {
        let fits = value.is_none_or(|value| value.len() <= LARGEST_VALUE);
        if key.is_empty() || key.len() > LONGEST_KEY || !fits {
            return Err(Self::TooLong);
        }
        Ok(())
    }
}
