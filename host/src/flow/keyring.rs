//! The token signing keys, in memory and in the sealed store. A rotation breaks no token that is
//! out: the key before is believed until the last token that it can have signed is over.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::keys::{TokenAlgorithm, TokenKeyError, TokenKeys};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError};

/// Where the keys stand in the store.
const PLACE: &str = "host/token-keys";

/// Who took a key in hand just before it was replaced has signed by then, in seconds.
const IN_HAND: u64 = 60;

/// So many old keys may be believed at the same time.
const OLD_KEYS: usize = 32;

/// The keys of this host.
pub struct Keyring {
    store: Arc<SealedStore>,
    keys: ArcSwap<TokenKeys>,
    algorithm: TokenAlgorithm,
    lifetime: u64,
}

impl Keyring {
    /// Takes the keys out of the store, or makes the first one. `lifetime`: for how many seconds at
    /// most a token will be good. Where the algorithm is another one now, a key of it takes over.
    pub fn open(
        store: Arc<SealedStore>,
        algorithm: TokenAlgorithm,
        lifetime: u64,
        at: Timestamp,
    ) -> Result<Self, Refusal> {
        let keys = change(&store, |kept| {
            let keys = match kept {
                None => TokenKeys::generate(algorithm, at).map_err(failed)?,
                Some(keys) if keys.algorithm() == algorithm => keys,
                Some(keys) => {
                    let until = last_token(&keys, lifetime, at);
                    keys.rotated(algorithm, at, until).map_err(failed)?
                }
            };
            Ok(keys.promising(lifetime))
        })?;
        Ok(Self { store, keys: ArcSwap::from_pointee(keys), algorithm, lifetime })
    }

    /// The keys now.
    pub(super) fn keys(&self) -> Guard<Arc<TokenKeys>> {
        self.keys.load()
    }

    /// Whether a token may be signed now that is good for so many seconds.
    pub(super) fn promises(&self, seconds: u64) -> bool {
        self.keys().promised() >= seconds
    }

    /// From now on the present key is believed for so long behind the moment at which another takes over,
    /// as a token of this length needs it. Waits for the disk.
    pub(super) fn promise(&self, seconds: u64) -> Result<(), Refusal> {
        let keys = change(&self.store, |kept| {
            let none = || Refusal::new(Code::StoreUnavailable, "the token signing keys are gone");
            Ok(kept.ok_or_else(none)?.promising(seconds))
        })?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// A fresh key signs from now on. With `revoke` no token that any other key signed is believed
    /// any more. Waits for the disk.
    pub(super) fn rotate(&self, at: Timestamp, revoke: bool) -> Result<(), Refusal> {
        let keys = change(&self.store, |kept| {
            let fresh = match kept {
                Some(keys) if !revoke => {
                    if keys.summaries(at).len() > OLD_KEYS {
                        let reason = format!("{OLD_KEYS} old keys are still believed");
                        return Err(Refusal::new(Code::Conflict, reason));
                    }
                    let until = last_token(&keys, self.lifetime, at);
                    keys.rotated(self.algorithm, at, until)
                }
                _ => TokenKeys::generate(self.algorithm, at),
            };
            Ok(fresh.map_err(failed)?.promising(self.lifetime))
        })?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }
}

/// From this moment the last token that the present key can have signed is over.
fn last_token(keys: &TokenKeys, lifetime: u64, at: Timestamp) -> Timestamp {
    at.plus(keys.promised().max(lifetime)).plus(IN_HAND)
}

/// Changes what is kept, in one step.
fn change(
    store: &SealedStore,
    change: impl Fn(Option<TokenKeys>) -> Result<TokenKeys, Refusal>,
) -> Result<TokenKeys, Refusal> {
    for _ in 0..8 {
        let kept = store.get(PLACE).map_err(unavailable)?;
        let keys = kept.as_ref().map(TokenKeys::from_stored).transpose().map_err(failed)?;
        let keys = change(keys)?;
        let (old, new) = (kept.as_ref().map(Secret::expose), keys.to_stored().map_err(failed)?);
        if old == Some(new.expose())
            || store.swap(PLACE, old, Some(new.expose())).map_err(unavailable)?
        {
            return Ok(keys);
        }
    }
    Err(Refusal::new(Code::StoreUnavailable, "the token signing keys keep changing"))
}

fn failed(error: TokenKeyError) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
