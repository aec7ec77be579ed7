//! The gate that every request passes: it gets an identifier, is let in or not, has its time
//! measured, and leaves with the same headers whatever the answer is.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_NOPAD;
use http::Method;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::azure::{self, Visit};
use super::door::Door;
use super::path::require_plain;
use super::problem::{Reason, Refused, render, take_refusal};
use crate::error::{Code, Refusal};
use crate::flow::Caller;
use crate::random::Random;

/// The header that carries the request's identifier in the answer. In a request it is ignored:
/// a client could otherwise choose what stands in the log (CVE-2022-23949).
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How the templates of the health routes end.
const HEALTH: &str = "/v1/health";

/// Whose connection a request came on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// SHA-256 of the client's certificate, where one was shown and led to the operators' CA.
    pub(super) certificate: Option<[u8; 32]>,
}

/// A request's identifier: 128 random bits in lower-case base32.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) Arc<str>);

impl RequestId {
    fn fresh(random: &dyn Random) -> Result<Self, Refusal> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes).map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        Ok(Self(BASE32_NOPAD.encode(&bytes).to_lowercase().into()))
    }
}

/// Who asks, once a credential has proved it; permitted or not.
#[derive(Clone, Default)]
pub(super) struct Asking(Arc<OnceLock<(Caller, String)>>);

impl Asking {
    /// A credential was checked, of somebody of this name.
    pub(super) fn set(&self, caller: &Caller, name: &str) {
        let _ = self.0.set((caller.clone(), name.to_owned()));
    }

    /// Has it recorded that he was refused for want of a permission.
    async fn refused(&self, door: &Door, refusal: Option<Refusal>) {
        let refusal = refusal.filter(|refusal| refusal.code == Code::Forbidden);
        let (Some(refusal), Some((caller, name)), Some(host)) =
            (refusal, self.0.get(), door.api.azure())
        else {
            return;
        };
        if let Err(failure) = host.record_forbidden(caller, name, &refusal).await {
            tracing::error!(request_id = caller.request_id, %failure, "not recorded");
        }
    }
}

/// Whether the request has turned out to be an administrator's.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<AtomicBool>);

impl Known {
    /// A credential was checked, and permits the request.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets one request through.
pub(super) async fn gate(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let id = RequestId::fresh(&*door.random);
    let mut passing = Passing {
        id: id.as_ref().map_or_else(|_| "none".into(), |id| Arc::clone(&id.0)),
        peer: request.extensions().get::<Peer>().copied(),
        method: known(request.method()),
        route: request.extensions().get::<MatchedPath>().cloned(),
        visit: door.azure.as_ref().and_then(|azure| azure.visit(&mut request)),
        started: Instant::now(),
        administrator: Known::default(),
    };
    let asking = Asking::default();
    request.extensions_mut().insert(passing.administrator.clone());
    request.extensions_mut().insert(asking.clone());
    let response = match id {
        Ok(id) => {
            request.extensions_mut().insert(id);
            passing.pass(&door, request, next).await
        }
        Err(refusal) => Err(refusal),
    };
    let response = response.unwrap_or_else(|refusal| Refused::from(refusal).into_response());
    asking.refused(&door, response.extensions().get::<Refusal>().cloned()).await;
    if passing.route.is_none() {
        passing.route = response.extensions().get::<MatchedPath>().cloned();
    }
    passing.leave(&door, response)
}

/// A request on its way through, as far as the log knows it: who sent it and the route's template,
/// never the path.
struct Passing {
    id: Arc<str>,
    peer: Option<Peer>,
    method: &'static str,
    route: Option<MatchedPath>,
    /// Where it is for the face that speaks as Microsoft's services do.
    visit: Option<Visit>,
    started: Instant,
    administrator: Known,
}

impl Passing {
    async fn pass(&self, door: &Door, request: Request, next: Next) -> Result<Response, Refusal> {
        let peer = self.peer;
        let peer = peer.ok_or_else(|| Refusal::new(Code::Internal, "a request without a peer"))?;
        let client = peer.address.ip();
        door.take_from_rate(client)?;
        // Whoever watches must learn that the host is busy, not be taken for one request too many.
        let watching = self.route().ends_with(HEALTH);
        let _place = if watching { None } else { Some(door.enter(client)?) };
        match &self.visit {
            None => require_plain(request.uri().path())?,
            Some(visit) => visit.check()?,
        }
        let limit = door.settings.request_timeout;
        tokio::time::timeout(limit, next.run(request))
            .await
            .map_err(|_| Refusal::new(Code::AnswerTimeout, format!("no answer within {limit:?}")))
    }

    fn leave(&self, door: &Door, mut response: Response) -> Response {
        let refusal = take_refusal(&mut response);
        match (&refusal, &self.visit) {
            (refusal, Some(visit)) => {
                azure::render(&mut response, refusal.as_ref(), visit, &self.id);
            }
            (Some(refusal), None) => {
                render(&mut response, refusal, self.administrator.get(), &self.id);
            }
            (None, None) => {}
        }
        self.log(door, refusal.as_ref());
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, value);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn log(&self, door: &Door, refusal: Option<&Refusal>) {
        let Self { id, method, .. } = self;
        let request_id = &**id;
        let route = self.route();
        let microseconds = self.started.elapsed().as_micros();
        let Some(refusal) = refusal else {
            tracing::debug!(request_id, method, route, microseconds, "answered");
            return;
        };
        let client = self.peer.map(|peer| tracing::field::display(peer.address.ip()));
        let code = refusal.code.as_str();
        let reason = Reason(&refusal.reason);
        if door.turned_away.count(refusal.code) {
            tracing::debug!(request_id, client, method, route, code, %reason, "turned away");
        } else if refusal.code.status() >= 500 {
            tracing::error!(request_id, client, method, route, microseconds, code, %reason, "failed");
        } else {
            tracing::info!(request_id, client, method, route, microseconds, code, %reason, "refused");
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or("(none)", MatchedPath::as_str)
    }
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}
