//! How many of something are open, in all and for each client: connections of a listener, requests
//! in flight. Everything kept is bounded by the number of places.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::client_network;

/// Counts in.
pub(super) struct Admission {
    all: Arc<Semaphore>,
    clients: Arc<DashMap<IpAddr, usize>>,
    per_client: usize,
}

/// One place; free again when dropped.
pub(super) struct Place {
    clients: Arc<DashMap<IpAddr, usize>>,
    client: IpAddr,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Full {
    /// All are taken.
    All,
    /// This client has as many as one may have.
    Client,
}

impl Admission {
    pub(super) fn new(places: usize, per_client: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(places)), clients: Arc::default(), per_client }
    }

    /// A place for this client, if there is one.
    pub(super) fn enter(&self, client: IpAddr) -> Result<Place, Full> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Full::All)?;
        let client = client_network(client);
        let mut open = self.clients.entry(client).or_default();
        if *open >= self.per_client {
            return Err(Full::Client);
        }
        *open += 1;
        Ok(Place { clients: Arc::clone(&self.clients), client, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clients.remove_if_mut(&self.client, |_, open| {
            *open = open.saturating_sub(1);
            *open == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_take_every_place_and_places_come_back() {
        // attack 38
        let admission = Admission::new(3, 2);
        let (greedy, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = admission.enter(greedy).unwrap();
        let second = admission.enter(greedy).unwrap();
        assert_eq!(admission.enter(greedy).err(), Some(Full::Client));
        let third = admission.enter(other).unwrap();
        assert_eq!(admission.enter([192, 0, 2, 3].into()).err(), Some(Full::All));
        drop((first, second));
        assert!(admission.enter(greedy).is_ok());
        drop(third);
        assert!(admission.clients.is_empty());
    }
}
