//! The keys of a service by OpenID Connect Discovery 1.0 (section 4), kept for a while.
//!
//! One request fetches, others wait for it or go on with what is there. Keys are fetched anew from
//! half their lifetime on, and for an unknown `kid`, at most once a minute; what was fetched last is
//! believed to the end of its lifetime and no longer, so that a key that was withdrawn is forgotten.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Uri;
use rustls::ClientConfig;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::ForeignError;
use super::fetch::fetch;
use super::jwks::{KeySet, LIMITS};
use crate::clock::Timestamp;
use crate::http::tls;
use crate::json;

/// How long fetched keys are believed, from when they are fetched anew, and how long one waits
/// between two tries, in seconds.
pub(super) const LIFETIME: u64 = 3600;
const REFRESH: u64 = LIFETIME / 2;
pub(super) const AGAIN: u64 = 60;

/// Where a service's keys are looked up, and what was found.
pub(super) struct Discovery {
    issuer: String,
    url: Uri,
    jwks_host: Option<String>,
    tls: Arc<ClientConfig>,
    held: ArcSwapOption<Held>,
    /// When was tried last; held by whoever tries.
    tried: Arc<Mutex<Option<Timestamp>>>,
}

struct Held {
    keys: Arc<KeySet>,
    at: Timestamp,
}

impl Discovery {
    pub(super) fn new(issuer: &str, ca: &[u8], jwks_host: Option<String>) -> Result<Self, String> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = https(&format!("{base}/.well-known/openid-configuration"))?;
        let roots = tls::roots(ca).map_err(|error| error.to_string())?;
        let tls = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            issuer: issuer.to_owned(),
            url,
            jwks_host,
            tls: Arc::new(tls),
            held: ArcSwapOption::empty(),
            tried: Arc::default(),
        })
    }

    /// Keys of which `kid` is one, or the newest there are.
    pub(super) async fn keys(
        self: &Arc<Self>,
        kid: &str,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, ForeignError> {
        let good = self.good(now);
        let known = good.as_ref().filter(|held| held.keys.get(kid).is_some());
        if let Some(held) = known
            && now.since(held.at) < REFRESH
        {
            return Ok(Arc::clone(&held.keys));
        }
        let turn = match (known, Arc::clone(&self.tried).try_lock_owned()) {
            (_, Ok(turn)) => turn,
            (Some(held), Err(_)) => return Ok(Arc::clone(&held.keys)),
            (None, Err(_)) => Arc::clone(&self.tried).lock_owned().await,
        };
        let failure = match *turn {
            Some(tried) if tried <= now && now.since(tried) < AGAIN => {
                "they were asked for just now".to_owned()
            }
            _ => {
                // A caller that goes away does not take the answer along.
                let fetched = tokio::spawn(Arc::clone(self).refresh(turn, now)).await;
                let fetched = fetched.map_err(|error| error.to_string()).and_then(|done| done);
                fetched.err().unwrap_or_default()
            }
        };
        match self.good(now) {
            Some(held) => Ok(Arc::clone(&held.keys)),
            None => Err(ForeignError::Unavailable(failure)),
        }
    }

    /// What is within its lifetime.
    fn good(&self, now: Timestamp) -> Option<Arc<Held>> {
        self.held.load_full().filter(|held| now.since(held.at) < LIFETIME)
    }

    async fn refresh(
        self: Arc<Self>,
        mut turn: OwnedMutexGuard<Option<Timestamp>>,
        now: Timestamp,
    ) -> Result<(), String> {
        *turn = Some(now);
        match self.discover().await {
            Ok(keys) => {
                self.held.store(Some(Arc::new(Held { keys: Arc::new(keys), at: now })));
                Ok(())
            }
            Err(reason) => {
                tracing::warn!(issuer = self.issuer, reason, "no keys of an authority");
                Err(reason)
            }
        }
    }

    async fn discover(&self) -> Result<KeySet, String> {
        let document = fetch(&self.url, &self.tls).await?;
        let document: Map<String, Value> =
            json::parse(&document, LIMITS).map_err(|error| format!("{}: {error}", self.url))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let plain = |url: &str| url.strip_suffix('/').unwrap_or(url).to_owned();
        // OpenID Connect Discovery 1.0, section 4.3.
        if text("issuer").map(plain) != Some(plain(&self.issuer)) {
            return Err(format!("{}: is of another issuer", self.url));
        }
        let keys = https(text("jwks_uri").ok_or("the discovery document has no `jwks_uri`")?)?;
        let host = keys.authority().map(|host| host.as_str());
        let allowed = [self.url.authority().map(|host| host.as_str()), self.jwks_host.as_deref()];
        if host.is_none() || !allowed.contains(&host) {
            return Err(format!("{}: `jwks_uri` leads to another host", self.url));
        }
        KeySet::read(&fetch(&keys, &self.tls).await?)
    }
}

/// An https URL without user and without query.
pub(super) fn https(url: &str) -> Result<Uri, String> {
    let wrong = || format!("{url:?}: wanted is an https URL without user, query and fragment");
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    let plain = parsed.scheme_str() == Some("https")
        && parsed.query().is_none()
        && !url.contains(['#', '@', '\\'])
        && parsed.host().is_some_and(|host| !host.is_empty());
    plain.then_some(parsed).ok_or_else(wrong)
}
