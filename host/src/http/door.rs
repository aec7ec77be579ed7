//! What every handler of one listener shares.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api::Api;
use super::auth::Authentication;
use super::rate::RateLimiter;
use super::settings::HttpSettings;
use crate::error::{Code, Refusal};
use crate::random::Random;
use std::time::Duration;

/// One listener's view of the host, with its limits.
#[derive(Clone)]
pub(super) struct Door(Arc<Shared>);

pub(super) struct Shared {
    pub(super) api: Arc<dyn Api>,
    pub(super) random: Arc<dyn Random>,
    pub(super) settings: Arc<HttpSettings>,
    pub(super) authentication: Authentication,
    at_once: Arc<Semaphore>,
    rate: Option<RateLimiter>,
}

impl std::ops::Deref for Door {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Door {
    pub(super) fn new(
        api: Arc<dyn Api>,
        random: Arc<dyn Random>,
        settings: Arc<HttpSettings>,
        authentication: Authentication,
    ) -> Self {
        Self(Arc::new(Shared {
            api,
            random,
            authentication,
            at_once: Arc::new(Semaphore::new(settings.requests_at_once)),
            rate: settings.rate.map(RateLimiter::new),
            settings,
        }))
    }
}

impl Shared {
    /// Lets a request of this client in, or says why not now. The place is free again when the
    /// permit is dropped.
    pub(super) fn enter(&self, client: IpAddr) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Some(rate) = &self.rate {
            rate.take(client).map_err(|wait| {
                Refusal::new(Code::RateLimited, "the client's rate is used up").retry_after(wait)
            })?;
        }
        Arc::clone(&self.at_once).try_acquire_owned().map_err(|_| {
            let reason = format!("{} requests are in flight", self.settings.requests_at_once);
            Refusal::new(Code::Overloaded, reason).retry_after(Duration::from_secs(1))
        })
    }
}
