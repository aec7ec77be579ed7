//! One connection: TLS handshake, then HTTP/1.1 or HTTP/2, until it is closed, idle for too long,
//! or drained.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::Body;
use http::{Request, Response, Version};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::gate::Peer;
use super::settings::HttpSettings;
use super::unread::Unread;

/// The largest HTTP/1.1 head, and how much of a body is buffered.
const HTTP1_BUFFER: usize = 64 * 1024;
/// How long a peer may take to read its last answers and close.
const LINGER: Duration = Duration::from_secs(2);

const HTTP1_HEADERS: usize = 64;
const HTTP2_STREAM_WINDOW: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 256 * 1024;

/// Serves one connection to its end. `drain` turns true when the host stops: requests in flight
/// are finished, new ones are refused.
pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    tls: TlsAcceptor,
    router: Router,
    settings: Arc<HttpSettings>,
    drain: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(settings.handshake_timeout, tls.accept(stream)).await;
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%address, "TLS handshake took too long"),
    };
    let peer = Peer { address, certificate: certificate(&stream) };
    let builder = builder(&settings, stream.get_ref().1.alpn_protocol() == Some(b"h2"));
    let activity = Arc::new(Activity::new());
    let service = service_fn({
        let activity = Arc::clone(&activity);
        move |request| answer(request, peer, router.clone(), Arc::clone(&activity).enter())
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return report(address, ended),
        () = activity.end(settings.head_timeout, drain) => connection.as_mut().graceful_shutdown(),
    }
    // Nothing new is begun, and what is in flight has its own time limit. A peer that then neither
    // closes nor reads its answers is cut off.
    tokio::select! {
        ended = connection => report(address, ended),
        () = activity.idle(LINGER) => tracing::debug!(%address, "connection cut off"),
    }
}

/// Returns once the host stops (or its handle is gone).
pub(super) async fn told_to_stop(drain: &mut watch::Receiver<bool>) {
    let _ = drain.wait_for(|drain| *drain).await;
}

fn report(address: SocketAddr, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%address, error, "connection ended");
    }
}

fn builder(settings: &HttpSettings, http2: bool) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_buf_size(HTTP1_BUFFER)
        .max_headers(HTTP1_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.http2.streams_at_once)
        .max_pending_accept_reset_streams(settings.http2.pending_resets)
        .max_local_error_reset_streams(settings.http2.pending_resets)
        .max_header_list_size(settings.http2.header_bytes)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_send_buf_size(HTTP1_BUFFER);
    if http2 { builder.http2_only() } else { builder.http1_only() }
}

async fn answer(
    request: Request<Incoming>,
    peer: Peer,
    router: Router,
    _in_flight: InFlight,
) -> Result<Response<Body>, Infallible> {
    if request.version() != Version::HTTP_2 {
        return router.oneshot(prepared(request, peer)).await;
    }
    let request = request.map(Unread::new);
    let unread = request.body().clone();
    let response = router.oneshot(prepared(request, peer)).await;
    unread.discard().await;
    response
}

fn prepared<B>(request: Request<B>, peer: Peer) -> Request<Body>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    request
}

/// SHA-256 of the certificate that the client showed; the handshake checked that it leads to the
/// operators' CA.
fn certificate(stream: &TlsStream<TcpStream>) -> Option<[u8; 32]> {
    let leaf = stream.get_ref().1.peer_certificates()?.first()?;
    digest(&SHA256, leaf).as_ref().try_into().ok()
}

/// When a connection was of use last. Nobody is told of a request that comes or goes, which would have the
/// whole connection looked at once more: whoever waits for idleness looks when it could be there.
struct Activity {
    in_flight: AtomicUsize,
    since: Instant,
    /// When the last request was answered, in milliseconds since then.
    last: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { in_flight: AtomicUsize::new(0), since: Instant::now(), last: AtomicU64::new(0) }
    }

    fn enter(self: Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Returns once the host drains or nothing was in flight for `idle`.
    async fn end(&self, idle: Duration, mut drain: watch::Receiver<bool>) {
        tokio::select! {
            () = self.idle(idle) => {}
            () = told_to_stop(&mut drain) => {}
        }
    }

    /// Returns once nothing was in flight for `time`, counted from now on.
    async fn idle(&self, time: Duration) {
        let mut from = Instant::now();
        loop {
            tokio::time::sleep_until(from + time).await;
            if self.in_flight.load(Ordering::Acquire) > 0 {
                from = Instant::now();
                continue;
            }
            let last = self.since + Duration::from_millis(self.last.load(Ordering::Acquire));
            if last <= from {
                return;
            }
            from = last;
        }
    }
}

struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let Activity { in_flight, since, last } = &*self.0;
        // Rounded up, for what is in flight until then is not idle.
        let now = since.elapsed().as_millis().saturating_add(1);
        last.fetch_max(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Release);
        in_flight.fetch_sub(1, Ordering::Release);
    }
}
