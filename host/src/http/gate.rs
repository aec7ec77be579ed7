//! The gate that every request passes: it gets an identifier, is let in or not, has its time
//! measured, and leaves with the same headers whatever the answer is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_NOPAD;
use http::Method;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use super::door::Door;
use super::path::require_plain;
use super::problem::{Escaped, Refused, render, take_refusal};
use crate::error::{Code, Refusal};
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

/// Lets one request through.
pub(super) async fn gate(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let (id, response) = match RequestId::fresh(&*door.random) {
        Ok(id) => {
            request.extensions_mut().insert(id.clone());
            let response = pass(&door, request, route.as_ref(), next).await;
            (id, response.unwrap_or_else(|refusal| Refused::from(refusal).into_response()))
        }
        Err(refusal) => (RequestId("none".into()), Refused::from(refusal).into_response()),
    };
    leave(response, &id, &method, route.as_ref(), started)
}

async fn pass(
    door: &Door,
    request: Request,
    route: Option<&MatchedPath>,
    next: Next,
) -> Result<Response, Refusal> {
    let peer = request.extensions().get::<Peer>().copied();
    let peer = peer.ok_or_else(|| Refusal::new(Code::Internal, "a request without a peer"))?;
    let client = peer.address.ip();
    door.take_from_rate(client)?;
    // Whoever watches the host must learn that it is busy, not be taken for one request too many.
    let watching = route.is_some_and(|route| route.as_str().ends_with(HEALTH));
    let _place = if watching { None } else { Some(door.enter(client)?) };
    require_plain(request.uri().path())?;
    let limit = door.settings.request_timeout;
    tokio::time::timeout(limit, next.run(request))
        .await
        .map_err(|_| Refusal::new(Code::AnswerTimeout, format!("no answer within {limit:?}")))
}

fn leave(
    mut response: Response,
    id: &RequestId,
    method: &Method,
    route: Option<&MatchedPath>,
    started: Instant,
) -> Response {
    let refusal = take_refusal(&mut response);
    if let Some(refusal) = &refusal {
        render(&mut response, refusal, &id.0);
    }
    log(refusal.as_ref(), id, method, route, started);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// One line a request. Of the request itself only what the host knows beforehand stands in it:
/// the route's template, never the path.
fn log(
    refusal: Option<&Refusal>,
    id: &RequestId,
    method: &Method,
    route: Option<&MatchedPath>,
    started: Instant,
) {
    let request_id = &*id.0;
    let route = route.map_or("(none)", MatchedPath::as_str);
    let method = known(method);
    let microseconds = started.elapsed().as_micros();
    match refusal {
        None => tracing::debug!(request_id, method, route, microseconds, "answered"),
        Some(refusal) => {
            let code = refusal.code.as_str();
            let reason = Escaped(&refusal.reason);
            if refusal.code.status() >= 500 {
                tracing::error!(request_id, method, route, microseconds, code, %reason, "failed");
            } else {
                tracing::info!(request_id, method, route, microseconds, code, %reason, "refused");
            }
        }
    }
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}
