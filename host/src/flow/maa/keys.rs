//! The service's signing keys, in memory and in the sealed store.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::keys::{CertifiedKeys, TokenKeyError};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError};

/// Where the keys stand in the store.
const PLACE: &str = "host/attestation-keys";

/// Who took a key in hand just before it was replaced has signed by then, in seconds.
const IN_HAND: u64 = 60;

/// The keys, made when they are first asked for.
pub(in crate::flow) struct Keys {
    store: Arc<SealedStore>,
    keys: ArcSwapOption<CertifiedKeys>,
}

/// From what age on a key is replaced, and how long a token is good, both in seconds.
type Lifetimes = (u64, u64);

impl Keys {
    pub(super) fn new(store: Arc<SealedStore>) -> Self {
        Self { store, keys: ArcSwapOption::empty() }
    }

    /// The keys, where they are in memory and the one that signs is young enough.
    pub(super) fn at_hand(
        &self,
        now: Timestamp,
        (age, _): Lifetimes,
    ) -> Option<Arc<CertifiedKeys>> {
        self.keys.load_full().filter(|keys| now.since(keys.created()) < age)
    }

    /// The keys of the store, whose signing key is made or replaced where it must be. Waits.
    pub(super) fn open(
        &self,
        issuer: &str,
        now: Timestamp,
        lifetimes: Lifetimes,
    ) -> Result<Arc<CertifiedKeys>, Refusal> {
        let (age, token) = lifetimes;
        for _ in 0..8 {
            let kept = self.store.get(PLACE).map_err(unavailable)?;
            let keys = kept.as_ref().map(CertifiedKeys::from_stored).transpose().map_err(failed)?;
            let made = match keys {
                Some(keys) if now.since(keys.created()) < age => {
                    let keys = Arc::new(keys);
                    self.keys.store(Some(Arc::clone(&keys)));
                    return Ok(keys);
                }
                Some(keys) => keys.rotated(issuer, now, now.plus(token).plus(IN_HAND)),
                None => CertifiedKeys::generate(issuer, now),
            };
            let stored = made.and_then(|made| made.to_stored()).map_err(failed)?;
            let old = kept.as_ref().map(Secret::expose);
            // Whether ours or another replica's won, the store has them.
            self.store.swap(PLACE, old, Some(stored.expose())).map_err(unavailable)?;
        }
        Err(Refusal::new(Code::StoreUnavailable, "the attestation keys keep changing"))
    }
}

fn failed(error: TokenKeyError) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
