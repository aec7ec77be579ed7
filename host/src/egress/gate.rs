//! One plugin's gate: its targets, and each request through it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HOST, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::exchange::{Reply, exchange};
use super::target::{Target, TargetPlan};
use super::url::Url;
use super::{EgressError, EgressLimits, Resolver, headers, mask, signed, withhold};
use crate::clock::Clock;
use crate::credentials::{Attached, Credential, CredentialError, Outline};
use crate::keys::SignedRelease;
use crate::secret::Secret;

/// A plugin's request.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// `GET`.
    pub method: &'a str,
    /// Where to.
    pub url: &'a str,
    /// Headers.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: Vec<u8>,
    /// The credential that the plugin wants; none: the target's own.
    pub credential: Option<&'a str>,
    /// The tenant that the call is for.
    pub tenant: Option<&'a str>,
    /// When the answer must be there.
    pub ends: Instant,
}

/// An answer as the plugin may see it.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body, without what is withheld.
    pub body: Zeroizing<Vec<u8>>,
    /// What is withheld, by JSON pointer.
    pub withheld: Vec<(String, Secret)>,
    /// The release that the service signed, where its signature was checked.
    pub release: Option<SignedRelease>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointers: Vec<_> = self.withheld.iter().map(|(pointer, _)| pointer).collect();
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .field("withheld", &pointers)
            .finish_non_exhaustive()
    }
}

/// The targets of one plugin. Nothing is shared with another plugin's: neither connections nor
/// credentials.
pub struct Gate {
    targets: Vec<Target>,
    resolver: Arc<dyn Resolver>,
    clock: Arc<dyn Clock>,
    limits: EgressLimits,
    places: Semaphore,
}

impl Gate {
    /// A gate to these targets.
    ///
    /// # Errors
    /// Which grant cannot be used, and why.
    pub fn new(
        plans: Vec<TargetPlan>,
        limits: EgressLimits,
        resolver: &Arc<dyn Resolver>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        // Two targets with the same credential log in once.
        let mut credentials: BTreeMap<String, Arc<Credential>> = BTreeMap::new();
        let mut targets = Vec::new();
        for plan in plans {
            let credential = match &plan.credential {
                None => None,
                Some(wanted) => Some(match credentials.get(&wanted.name) {
                    Some(made) => Arc::clone(made),
                    None => {
                        let made = Arc::new(Credential::new(wanted, resolver, clock)?);
                        credentials.insert(wanted.name.clone(), Arc::clone(&made));
                        made
                    }
                }),
            };
            targets.push(Target::new(plan, credential)?);
        }
        let places = Semaphore::new(limits.at_once);
        let (resolver, clock) = (Arc::clone(resolver), Arc::clone(clock));
        Ok(Self { targets, resolver, clock, limits, places })
    }

    /// Whether a target's releases are checked for the service's signature.
    #[must_use]
    pub fn checks_releases(&self) -> bool {
        self.targets.iter().any(|target| target.signed_releases.is_some())
    }

    /// Sends a request that a grant covers, and reads the answer.
    ///
    /// # Errors
    /// [`EgressError`], each variant says which bound, grant or rule it was.
    pub async fn send(&self, outgoing: Outgoing<'_>) -> Result<Answer, EgressError> {
        self.send_with(outgoing, Vec::new()).await
    }

    /// The same with key material in the body: only to a target that takes keys. What of it comes back
    /// does not reach the plugin.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn send_with(
        &self,
        outgoing: Outgoing<'_>,
        keys: Vec<Secret>,
    ) -> Result<Answer, EgressError> {
        let ends = tokio::time::Instant::from_std(outgoing.ends);
        let sent = tokio::time::timeout_at(ends, self.pass(outgoing, keys));
        sent.await.map_err(|_| EgressError::Timeout)?
    }

    async fn pass(&self, outgoing: Outgoing<'_>, keys: Vec<Secret>) -> Result<Answer, EgressError> {
        let denied = |why: &str| EgressError::Denied(why.to_owned());
        let url = Url::parse(outgoing.url).map_err(denied)?;
        let covering = |target: &&Target| target.covers(outgoing.method, &url, outgoing.tenant);
        let target = self.targets.iter().find(covering).ok_or_else(|| {
            let place = format!("{} {}", url.authority(), url.path);
            EgressError::Denied(format!("no grant covers {} {place}", outgoing.method))
        })?;
        let attached = target.credential.as_ref();
        if outgoing.credential.is_some_and(|name| attached.is_none_or(|it| it.name() != name)) {
            return Err(denied("the grant does not have that credential"));
        }
        if !keys.is_empty() && !target.takes_keys {
            return Err(denied("the grant does not let key material go there"));
        }
        if outgoing.body.len() > self.limits.request_bytes {
            return Err(EgressError::TooLarge);
        }
        let headers = headers::checked(outgoing.headers)?;
        let _place = self.places.acquire().await.map_err(|_| denied("the gate is closed"))?;
        let body = Bytes::from_owner(Zeroizing::new(outgoing.body));
        let (mut reply, mut secrets) =
            self.attempt(target, outgoing.method, &url, &headers, &body, outgoing.ends).await?;
        // Another may have taken the credential back: with a fresh one it is tried once more.
        if matches!(reply.status, 401 | 403) && attached.is_some_and(|it| it.refused()) {
            (reply, secrets) =
                self.attempt(target, outgoing.method, &url, &headers, &body, outgoing.ends).await?;
        }
        secrets.extend(keys);
        let success = (200..300).contains(&reply.status);
        let release = match target.signed_releases.as_deref().filter(|_| success) {
            None => None,
            Some(roots) => signed::release(&reply.body, &url.authority(), roots, self.clock.now())?,
        };
        let answered = answer(target, reply, secrets)?;
        Ok(Answer { release, ..answered })
    }

    async fn attempt(
        &self,
        target: &Target,
        method: &str,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
        ends: Instant,
    ) -> Result<(Reply, Vec<Secret>), EgressError> {
        target.breaker.admit(Instant::now()).map_err(|left| {
            let seconds = left.as_secs().saturating_add(1);
            let why = format!("{} is left alone for {seconds} seconds", url.authority());
            EgressError::Unreachable(why)
        })?;
        let Attached { headers: brought, secrets } = match &target.credential {
            None => Attached::default(),
            Some(credential) => {
                let outline = Outline { method, url, headers, body, ends };
                let attached = credential.attach(&outline).await;
                attached.map_err(|error| of_credential(credential.name(), error))?
            }
        };
        let mut headers = headers.clone();
        headers::attach(&mut headers, &brought)?;
        let authority = HeaderValue::from_str(&url.authority());
        let authority = authority.map_err(|error| EgressError::Denied(error.to_string()))?;
        headers.insert(HOST, authority);
        let request = Request::builder().method(method).uri(url.path_and_query());
        let request = request.body(Full::new(body.clone()));
        let mut request = request.map_err(|error| EgressError::Denied(error.to_string()))?;
        *request.headers_mut() = headers;
        let exchanged = exchange(target, &*self.resolver, &self.limits, request).await;
        watch(target, &exchanged);
        Ok((exchanged?, secrets))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("targets", &self.targets.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Tells the target's breaker how it went. What the service says about one request is no failure of
/// the service; that it cannot serve is.
fn watch(target: &Target, exchanged: &Result<Reply, EgressError>) {
    let now = Instant::now();
    match exchanged {
        Ok(reply) => {
            match reply.status {
                502..=504 => target.breaker.failed(now),
                _ => target.breaker.succeeded(),
            }
            if let (429 | 503, Some(pause)) = (reply.status, retry_after(&reply.headers)) {
                target.breaker.pause(now, pause);
            }
        }
        Err(EgressError::Denied(_) | EgressError::TooLarge) => {}
        Err(_) => target.breaker.failed(now),
    }
}

/// Retry-After in seconds (RFC 9110, section 10.2.3); a date is taken for none.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn answer(target: &Target, reply: Reply, secrets: Vec<Secret>) -> Result<Answer, EgressError> {
    let mut secrets = mask::credentials(secrets);
    let body = mask::mask(reply.body, &secrets);
    let success = (200..300).contains(&reply.status);
    // "No content" (RFC 9110, section 15.3.5) has nothing to withhold.
    let nothing = reply.status == 204 && body.is_empty();
    let pointers = if nothing { &[] } else { target.withhold.as_slice() };
    let (body, withheld) = match withhold::part(body, pointers) {
        Ok(parted) => parted,
        // What is wrong with an answer of failure is told by its status; its body may be anything.
        Err(_) if !success => (Zeroizing::new(Vec::new()), Vec::new()),
        Err(why) => {
            return Err(EgressError::Protocol(format!("{why}, and values of it are withheld")));
        }
    };
    // What is withheld in one place stands in no other.
    let values = mask::values(withheld.iter().map(|(_, secret)| secret));
    let body = mask::mask(body, &values);
    secrets.extend(values);
    let headers = headers::heard(&reply.headers, &secrets);
    Ok(Answer { status: reply.status, headers, body, withheld, release: None })
}

fn of_credential(name: &str, error: CredentialError) -> EgressError {
    let why = format!("the credential {name}: {error}");
    match error {
        CredentialError::Unavailable(_) => EgressError::Unreachable(why),
        CredentialError::Misconfigured(_) | CredentialError::Refused(_) => EgressError::Denied(why),
    }
}
