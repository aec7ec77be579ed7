//! How many connections are open, in all and for each client. Everything kept is bounded by the
//! number of connections.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::client_network;

/// Counts connections in.
pub(super) struct Admission {
    all: Arc<Semaphore>,
    clients: Arc<DashMap<IpAddr, usize>>,
    per_client: usize,
}

/// One connection's place; free again when dropped.
pub(super) struct Place {
    clients: Arc<DashMap<IpAddr, usize>>,
    client: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(connections: usize, per_client: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(connections)), clients: Arc::default(), per_client }
    }

    /// A place for a connection of this client, if there is one.
    pub(super) fn enter(&self, client: IpAddr) -> Option<Place> {
        let permit = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let client = client_network(client);
        let mut open = self.clients.entry(client).or_default();
        if *open >= self.per_client {
            return None;
        }
        *open += 1;
        Some(Place { clients: Arc::clone(&self.clients), client, _permit: permit })
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
        assert!(admission.enter(greedy).is_none());
        let third = admission.enter(other).unwrap();
        assert!(admission.enter(IpAddr::from([192, 0, 2, 3])).is_none());
        drop((first, second));
        assert!(admission.enter(greedy).is_some());
        drop(third);
        assert!(admission.clients.is_empty());
    }
}
