//! Connections: made to a checked address only, and kept for the next request to the same target.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::resolve::Resolver;
use super::target::Target;
use super::{EgressError, EgressLimits};

/// The most connections that are kept open to one target.
const KEPT: usize = 32;

/// How long one is kept without a request.
const IDLE: Duration = Duration::from_secs(30);

/// The most headers of an answer.
const HEADERS: usize = 64;

/// The most addresses of one name that are looked at.
const ADDRESSES: usize = 16;

/// A connection with the task that drives it; ends when dropped.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Open connections that wait for a request.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(Connection, Instant)>>);

impl Pool {
    /// The one that was used last, if it is still open.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(connection, since)| since.elapsed() < IDLE && !connection.sender.is_closed());
        kept.pop().map(|(connection, _)| connection)
    }

    pub(super) fn give_back(&self, connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push((connection, Instant::now()));
        }
    }
}

/// Looks the target's host up, checks every address, and connects to one of those.
pub(super) async fn connect(
    target: &Target,
    resolver: &dyn Resolver,
    limits: &EgressLimits,
) -> Result<Connection, EgressError> {
    let connecting = async {
        let addresses = addresses(target, resolver).await?;
        let stream = dial(target, &addresses).await?;
        let _ = stream.set_nodelay(true);
        match &target.tls {
            None => speak(stream, limits).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await.map_err(tls_error)?;
                speak(stream, limits).await
            }
        }
    };
    tokio::time::timeout(limits.connect, connecting).await.map_err(|_| EgressError::Timeout)?
}

/// Every address of the host, all of them such as may be reached: one that may not is no accident.
async fn addresses(
    target: &Target,
    resolver: &dyn Resolver,
) -> Result<Vec<SocketAddr>, EgressError> {
    let host = target.host();
    let found = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => resolver
            .look_up(host)
            .await
            .map_err(|_| EgressError::Unresolved(format!("{host} has no address")))?,
    };
    if found.is_empty() {
        return Err(EgressError::Unresolved(format!("{host} has no address")));
    }
    if let Some((address, why)) = found.iter().find_map(|address| {
        let why = target.refused(*address)?;
        Some((address, why))
    }) {
        return Err(EgressError::Denied(format!("{host} is {address}: {why}")));
    }
    let found = found.into_iter().take(ADDRESSES);
    Ok(found.map(|address| SocketAddr::new(address, target.port())).collect())
}

async fn dial(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, EgressError> {
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let why = last.map_or_else(|| "no address".to_owned(), |error| error.to_string());
    Err(EgressError::Unreachable(format!("{}: {why}", target.host())))
}

async fn speak<S>(stream: S, limits: &EgressLimits) -> Result<Connection, EgressError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = Builder::new()
        .max_headers(HEADERS)
        .max_buf_size(limits.head_bytes.max(8 << 10))
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| EgressError::Unreachable(error.to_string()))?;
    let driver = tokio::spawn(async move {
        // What ends a connection is seen by the request on it.
        let _ = connection.await;
    });
    Ok(Connection { sender, driver })
}

fn tls_error(error: io::Error) -> EgressError {
    match error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        true => EgressError::Tls(error.to_string()),
        false => EgressError::Unreachable(error.to_string()),
    }
}
