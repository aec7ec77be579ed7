//! A circuit breaker for each target: a service that does not answer is left alone for a while, so
//! that requests fail at once instead of filling the host; then one is let through to see.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures one behind the other open the circuit.
const FAILURES: u32 = 5;

/// How long it stays open.
const PAUSE: Duration = Duration::from_secs(5);

/// The longest pause that a service may ask for by Retry-After.
const LONGEST: Duration = Duration::from_secs(30);

/// What is known of a service's health.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a request may go out; how long not, where it may not.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            Some(until) if now < until => Err(until.saturating_duration_since(now)),
            Some(_) => {
                // One goes out to see; until it is back the others are still refused.
                state.open_until = (state.failures >= FAILURES).then(|| now + PAUSE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The service answered.
    pub(super) fn succeeded(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::default();
    }

    /// It did not, or said that it cannot.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.open_until = Some(now + PAUSE);
        }
    }

    /// It asked to be left alone (RFC 9110, section 10.2.3).
    pub(super) fn pause(&self, now: Instant, asked: Duration) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now + asked.min(LONGEST);
        state.open_until = Some(state.open_until.map_or(until, |before| before.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_keeps_failing_is_left_alone_and_then_tried_once() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            assert!(breaker.admit(now).is_ok());
            breaker.failed(now);
        }
        assert_eq!(breaker.admit(now), Err(PAUSE));
        let later = now + PAUSE;
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "only one");
        breaker.succeeded();
        assert!(breaker.admit(later).is_ok());
    }

    #[test]
    fn a_service_is_left_alone_as_long_as_it_asks_within_reason() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        breaker.pause(now, Duration::from_secs(2));
        assert!(breaker.admit(now).is_err());
        assert!(breaker.admit(now + Duration::from_secs(2)).is_ok());
        breaker.pause(now, Duration::from_secs(1 << 40));
        assert_eq!(breaker.admit(now), Err(LONGEST));
    }
}
