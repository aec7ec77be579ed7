//! When to try again: exponential back-off with full jitter, never sooner than the host said.

use std::time::Duration;

/// How often and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts in all; at least one is made.
    pub attempts: u32,
    /// The bound of the first wait; it doubles with each.
    pub first: Duration,
    /// The bound of every wait. A host that asks for more than that is not tried again.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(250), longest: Duration::from_secs(30) }
    }
}

impl Retry {
    /// How long to wait after so many failed attempts (from 1); none: no more attempts.
    pub(crate) fn wait(&self, failed: u32, retry_after: Option<Duration>) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let told = retry_after.unwrap_or_default();
        if told > self.longest {
            return None;
        }
        let doubled = 1_u32.checked_shl(failed.saturating_sub(1).min(16)).unwrap_or(u32::MAX);
        let bound = self.first.saturating_mul(doubled).min(self.longest);
        Some(told.saturating_add(bound.mul_f64(fraction())))
    }
}

/// A random number in [0, 1). Without randomness the longest wait is as good.
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bound_and_end() {
        let retry = Retry::default();
        for _ in 0..100 {
            assert!(retry.wait(1, None).unwrap() <= Duration::from_millis(250));
            assert!(retry.wait(4, None).unwrap() <= Duration::from_secs(2));
        }
        assert_eq!(retry.wait(5, None), None);
    }

    #[test]
    fn the_host_is_not_asked_sooner_than_it_said() {
        let retry = Retry::default();
        assert!(retry.wait(1, Some(Duration::from_secs(7))).unwrap() >= Duration::from_secs(7));
        assert_eq!(retry.wait(1, Some(Duration::from_secs(31))), None);
    }
}
