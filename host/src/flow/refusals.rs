//! What somebody known was refused for want of a permission, in the audit log. Not each time: a principal
//! who asks again and again must not fill the disk. What is left out is counted in the next record. Who is
//! not known leaves nothing here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::host::Host;
use super::record;
use super::release::append;
use super::request::Caller;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::Refusal;

/// So many records of one principal at once.
const BURST: u64 = 20;

/// Then one in so many seconds.
const SECONDS: u64 = 30;

/// More principals than any configuration lists.
const MOST: usize = 10_000;

/// What is still to be written of each principal.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<String, Bucket>>);

#[derive(Debug)]
struct Bucket {
    left: u64,
    /// Until when it was filled.
    filled: Timestamp,
    left_out: u64,
}

impl Refusals {
    /// Whether this one is recorded; then how many before it were not.
    fn take(&self, principal: &str, now: Timestamp) -> Option<u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(principal) {
            return None;
        }
        let fresh = || Bucket { left: BURST, filled: now, left_out: 0 };
        let bucket = buckets.entry(principal.to_owned()).or_insert_with(fresh);
        let earned = now.0.saturating_sub(bucket.filled.0) / SECONDS;
        if earned > 0 {
            bucket.left = bucket.left.saturating_add(earned).min(BURST);
            bucket.filled = bucket.filled.plus(earned.saturating_mul(SECONDS));
        }
        match bucket.left.checked_sub(1) {
            None => {
                bucket.left_out = bucket.left_out.saturating_add(1);
                None
            }
            Some(left) => {
                bucket.left = left;
                Some(std::mem::take(&mut bucket.left_out))
            }
        }
    }
}

impl Host {
    /// Records that somebody was refused for want of a permission, as often as that is recorded.
    ///
    /// # Errors
    /// The record could not be written. The request is refused all the same.
    pub async fn record_forbidden(
        &self,
        caller: &Caller,
        principal: &str,
        refusal: &Refusal,
    ) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        let Some(left_out) = self.refusals.take(principal, now) else { return Ok(()) };
        let mut entry =
            record::plain(Event::Refused, caller, now).principal(principal).refusal(refusal);
        if left_out > 0 {
            entry = entry.detail(format!("{left_out} more before it were not recorded"));
        }
        append(&self.parts.audit, &entry).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 7
    #[test]
    fn a_principal_who_asks_without_end_is_recorded_at_a_bounded_rate() {
        let refusals = Refusals::default();
        let recorded = |now: u64, times: usize| {
            (0..times).filter(|_| refusals.take("m", Timestamp(now)).is_some()).count()
        };
        assert_eq!(recorded(1_000, 1_000), 20);
        assert_eq!(recorded(1_029, 1_000), 0);
        // Two half minutes on: two more, and what was left out is told once.
        assert_eq!(refusals.take("m", Timestamp(1_060)), Some(1_980));
        assert_eq!(refusals.take("m", Timestamp(1_060)), Some(0));
        assert_eq!(refusals.take("m", Timestamp(1_060)), None);
        // Somebody else is not made to wait, and a clock that goes back gives nothing.
        assert_eq!(refusals.take("n", Timestamp(1_060)), Some(0));
        assert_eq!(recorded(10, 100), 0);
        assert_eq!(recorded(1_000_000, 1_000), 20);
    }
}
