//! Which challenges were spent: remembered until they would have expired anyway.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::clock::Timestamp;

/// How often what has expired is forgotten, in seconds.
const SWEEP: u64 = 30;

/// How often where there is no room.
const SWEEP_WHEN_FULL: u64 = 1;

/// Spent nonces, in memory. Bounded: where it is full, nothing more is spent.
pub(super) struct SpentChallenges {
    expiry: DashMap<[u8; 32], Timestamp>,
    count: AtomicUsize,
    capacity: usize,
    /// Challenges that expired at or before this moment are forgotten, so none of them is taken.
    forgotten: AtomicU64,
    last_sweep: AtomicU64,
}

/// Why a challenge was not spent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum SpendError {
    #[error("the clock went back to a time whose spent challenges are forgotten")]
    Forgotten,
    #[error("more challenges are spent at once than can be remembered")]
    Full,
    #[error("the challenge was spent before")]
    Spent,
}

impl SpentChallenges {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            expiry: DashMap::new(),
            count: AtomicUsize::new(0),
            capacity,
            forgotten: AtomicU64::new(0),
            last_sweep: AtomicU64::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn spend(
        &self,
        nonce: [u8; 32],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), SpendError> {
        let full = self.len() >= self.capacity;
        self.sweep(now, if full { SWEEP_WHEN_FULL } else { SWEEP });
        // The entry is locked before the watermark is read: a sweep that runs meanwhile either
        // raised the watermark first, or finds this entry and keeps it.
        match self.expiry.entry(nonce) {
            Entry::Occupied(_) => Err(SpendError::Spent),
            Entry::Vacant(_) if expires.0 <= self.forgotten.load(Ordering::SeqCst) => {
                Err(SpendError::Forgotten)
            }
            Entry::Vacant(vacant) => {
                self.reserve()?;
                vacant.insert(expires);
                Ok(())
            }
        }
    }

    fn reserve(&self) -> Result<(), SpendError> {
        let more = |count: usize| (count < self.capacity).then_some(count + 1);
        match self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(()),
            Err(_) => Err(SpendError::Full),
        }
    }

    fn sweep(&self, now: Timestamp, every: u64) {
        let last = self.last_sweep.load(Ordering::Acquire);
        let due = now.0 >= last.saturating_add(every);
        let taken = || {
            self.last_sweep
                .compare_exchange(last, now.0, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        };
        if !due || !taken() {
            return;
        }
        self.forgotten.fetch_max(now.0, Ordering::SeqCst);
        self.expiry.retain(|_, expires| {
            let keep = *expires > now;
            if !keep {
                self.count.fetch_sub(1, Ordering::AcqRel);
            }
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 7
    #[test]
    fn what_expired_is_forgotten_and_what_does_not_fit_is_refused() {
        let spent = SpentChallenges::new(2);
        let now = Timestamp(1_000);
        assert_eq!(spent.spend([1; 32], Timestamp(1_100), now), Ok(()));
        assert_eq!(spent.spend([2; 32], Timestamp(1_100), now), Ok(()));
        assert_eq!(spent.spend([3; 32], Timestamp(1_100), now), Err(SpendError::Full));
        assert_eq!(spent.len(), 2);
        let later = Timestamp(1_200);
        assert_eq!(spent.spend([3; 32], Timestamp(1_300), later), Ok(()));
        assert_eq!(spent.len(), 1);
        // Full, and one of them expires before the next regular sweep.
        assert_eq!(spent.spend([4; 32], Timestamp(1_202), later), Ok(()));
        assert_eq!(spent.spend([5; 32], Timestamp(1_300), later), Err(SpendError::Full));
        assert_eq!(spent.spend([5; 32], Timestamp(1_300), Timestamp(1_202)), Ok(()));
        assert_eq!(spent.spend([1; 32], Timestamp(1_100), now), Err(SpendError::Forgotten));
    }
}
