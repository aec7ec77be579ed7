//! What every handler of one listener shares.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::admission::{Admission, Full, Place};
use super::api::Api;
use super::auth::Authentication;
use super::azure::Face;
use super::rate::RateLimiter;
use super::settings::HttpSettings;
use super::turned_away::TurnedAway;
use crate::error::{Code, Refusal};
use crate::random::Random;

/// One listener's view of the host, with its limits.
#[derive(Clone)]
pub(super) struct Door(Arc<Shared>);

pub(super) struct Shared {
    pub(super) api: Arc<dyn Api>,
    pub(super) random: Arc<dyn Random>,
    pub(super) settings: Arc<HttpSettings>,
    pub(super) authentication: Authentication,
    pub(super) turned_away: TurnedAway,
    /// What clients of Microsoft's services speak; none: it is closed.
    pub(super) azure: Option<Face>,
    at_once: Admission,
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
        azure: Option<Face>,
    ) -> Self {
        Self(Arc::new(Shared {
            api,
            random,
            authentication,
            azure,
            turned_away: TurnedAway::default(),
            at_once: Admission::new(settings.requests_at_once, settings.requests_per_client),
            rate: settings.rate.map(RateLimiter::new),
            settings,
        }))
    }
}

impl Shared {
    /// Takes one from the client's rate, or says when there will be one.
    pub(super) fn take_from_rate(&self, client: IpAddr) -> Result<(), Refusal> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.take(client).map_err(|wait| {
            Refusal::new(Code::RateLimited, "the client's rate is used up").retry_after(wait)
        })
    }

    /// A place for a request of this client while it is in flight, its body's reading included; or
    /// why there is none now. Nobody's slow bodies may keep another's requests out.
    pub(super) fn enter(&self, client: IpAddr) -> Result<Place, Refusal> {
        self.at_once.enter(client).map_err(|full| {
            let refusal = match full {
                Full::All => {
                    let reason =
                        format!("{} requests are in flight", self.settings.requests_at_once);
                    Refusal::new(Code::Overloaded, reason)
                }
                Full::Client => {
                    let limit = self.settings.requests_per_client;
                    let reason = format!("{limit} requests of this client are in flight");
                    Refusal::new(Code::RateLimited, reason)
                }
            };
            refusal.retry_after(Duration::from_secs(1))
        })
    }
}
