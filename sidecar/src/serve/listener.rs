//! Loopback or a Unix socket, and the connections that come in there.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

use super::router::Desk;
use crate::config::ConfigError;

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take.
const HEADER: Duration = Duration::from_secs(10);

/// Where to listen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`. No address that others reach: whoever asks here
    /// gets keys.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Tcp(address)),
            Ok(_) => Err(ConfigError(format!("listen.address: {text} is not loopback"))),
            Err(_) => Err(ConfigError(format!("listen.address: {text:?} is no address"))),
        }
    }
}

/// A bound address.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Binds. A Unix socket is for its owner and group; what a former run left there is taken away.
    pub(crate) async fn bind(address: &Address) -> std::io::Result<Self> {
        match address {
            Address::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Address::Unix(path) => {
                let left = std::os::unix::net::UnixStream::connect(path);
                if path.exists() && left.is_err() {
                    std::fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
                Ok(Self::Unix(listener))
            }
        }
    }

    /// The bound address, for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "?".to_owned(), |at| format!("http://{at}"))
            }
            Self::Unix(listener) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(|| "?".to_owned(), |path| format!("unix:{}", path.display()))
            }
        }
    }
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: Listener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let desk = Arc::clone(&desk);
        match &listener {
            Listener::Tcp(listener) => match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(async move {
                        connection(Box::new(stream), desk, true).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Listener::Unix(listener) => match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(async move {
                        connection(Box::new(stream), desk, false).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

/// A connection of either kind; behind a pointer, so that the protocols are compiled once.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// HTTP/1.1, or HTTP/2 as gRPC speaks it. `named`: the host name of requests is looked at.
async fn connection(stream: Box<dyn Stream>, desk: Arc<Desk>, named: bool) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, std::convert::Infallible>(desk.answer(request, named).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(16);
    // A connection that breaks is the neighbour's affair.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_to() {
        for good in ["127.0.0.1:8080", "[::1]:0", "127.9.9.9:1", "unix:/run/x.sock"] {
            assert!(Address::parse(good).is_ok(), "{good}");
        }
        for bad in ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "localhost:80", "unix:x", ""] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
