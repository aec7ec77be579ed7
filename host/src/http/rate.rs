//! Limits the requests of one client address, in memory that no flood can make grow.
//!
//! The generic cell rate algorithm over a fixed table: an address is hashed, under a key of this
//! process, to one of [`SLOTS`] times at which its bucket would be empty again. Two addresses
//! share a slot by chance only; a table that is never larger needs no sweeping.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::settings::Rate;

/// 128 KiB of buckets.
const SLOTS: usize = 16 * 1024;

/// One bucket for each client address.
pub(super) struct RateLimiter {
    /// Nanoseconds after `start` at which the bucket is full again.
    full_at: Box<[AtomicU64]>,
    hasher: RandomState,
    start: Instant,
    interval: u64,
    tolerance: u64,
}

impl RateLimiter {
    pub(super) fn new(rate: Rate) -> Self {
        let interval = nanoseconds(rate.interval).max(1);
        Self {
            full_at: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            start: Instant::now(),
            interval,
            tolerance: interval.saturating_mul(u64::from(rate.burst.max(1) - 1)),
        }
    }

    /// Takes one from the client's bucket, or says when there will be one.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), Duration> {
        self.take_at(client, Instant::now())
    }

    fn take_at(&self, client: IpAddr, at: Instant) -> Result<(), Duration> {
        let now = self.since_start(at);
        let Some(slot) = self.slot(client) else {
            return Ok(());
        };
        let mut full_at = slot.load(Ordering::Relaxed);
        loop {
            self.room(full_at, now)?;
            let next = full_at.max(now).saturating_add(self.interval);
            match slot.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(changed) => full_at = changed,
            }
        }
    }

    fn room(&self, full_at: u64, now: u64) -> Result<(), Duration> {
        match full_at.saturating_sub(now.saturating_add(self.tolerance)) {
            0 => Ok(()),
            wait => Err(Duration::from_nanos(wait)),
        }
    }

    fn since_start(&self, at: Instant) -> u64 {
        nanoseconds(at.saturating_duration_since(self.start))
    }

    fn slot(&self, client: IpAddr) -> Option<&AtomicU64> {
        let hash = self.hasher.hash_one(client_network(client));
        let index = usize::try_from(hash % SLOTS as u64).ok()?;
        self.full_at.get(index)
    }
}

/// What counts as one client: an IPv4 address (also where it is written as IPv6), or the /64 that
/// one IPv6 subscriber has to himself.
pub(super) fn client_network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, interval: Duration::from_secs(1) };

    #[test]
    fn a_burst_is_served_and_then_the_steady_rate() {
        let limiter = RateLimiter::new(RATE);
        let client: IpAddr = "192.0.2.1".parse().unwrap();
        let now = Instant::now();
        for _ in 0..3 {
            assert!(limiter.take_at(client, now).is_ok());
        }
        let wait = limiter.take_at(client, now).unwrap_err();
        assert!(wait > Duration::from_millis(900) && wait <= Duration::from_secs(1));
        assert!(limiter.take_at(client, now + Duration::from_secs(1)).is_ok());
        assert!(limiter.take_at(client, now + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn one_ipv6_subscriber_is_one_client_and_a_mapped_address_is_its_ipv4_address() {
        let network = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }

    #[test]
    fn a_flood_of_addresses_does_not_make_the_table_grow_and_honest_clients_are_served() {
        // attack 7
        let limiter = RateLimiter::new(RATE);
        for address in 0..100_000_u32 {
            let _ = limiter.take(IpAddr::V4((0x0a00_0000 + address % 4096).into()));
        }
        assert_eq!(limiter.full_at.len(), SLOTS);
        let honest = (0..100_u8).filter(|last| limiter.take([192, 0, 2, *last].into()).is_ok());
        assert!(honest.count() > 50);
    }
}
