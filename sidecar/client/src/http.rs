//! One HTTP exchange, bounded in size and time: no redirections, no proxies, nothing kept.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How much is read and waited for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of an answer's body.
    pub answer: usize,
    /// From the first byte sent to the last one read, connecting included.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { answer: 1 << 20, time: Duration::from_secs(30) }
    }
}

/// A connection with or without TLS; behind a pointer, so that the protocol is compiled once.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No connection, or it broke, or took too long.
    #[error("{host}: {reason}")]
    Connection {
        /// Who was to be reached.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The address is not usable.
    #[error("{0:?} is no address of a service")]
    Address(String),
    /// The answer is larger than is read.
    #[error("{host}: the answer is too large")]
    TooLarge {
        /// Who answered.
        host: String,
    },
    /// The peer is not the one that was meant.
    #[error("{host}: {reason}")]
    Untrusted {
        /// Who was to be reached.
        host: String,
        /// What is wrong with its certificate.
        reason: String,
    },
}

impl TransportError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Connection { .. })
    }
}

/// A service: where it is, and how it proves that it is the one.
#[derive(Clone)]
pub struct Service {
    authority: String,
    host: String,
    port: u16,
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    bounds: Bounds,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.authority)
    }
}

impl Service {
    /// `https://host[:port]`, without a path.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn https(url: &str, tls: Arc<ClientConfig>) -> Result<Self, TransportError> {
        let wrong = || TransportError::Address(url.to_owned());
        let mut service = Self::read(url, "https", 443).ok_or_else(wrong)?;
        let name = ServerName::try_from(service.host.clone()).map_err(|_| wrong())?;
        service.tls = Some((name, tls));
        Ok(service)
    }

    /// `http://host[:port]`: only for what a machine offers to itself, such as a cloud's metadata
    /// service.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn plain(url: &str) -> Result<Self, TransportError> {
        Self::read(url, "http", 80).ok_or_else(|| TransportError::Address(url.to_owned()))
    }

    fn read(url: &str, scheme: &str, port: u16) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let clean = uri.scheme_str() == Some(scheme) && uri.path() == "/" && uri.query().is_none();
        if !clean || authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Some(Self {
            authority: authority.to_string(),
            host,
            port: authority.port_u16().unwrap_or(port),
            tls: None,
            bounds: Bounds::default(),
        })
    }

    /// The same with other bounds.
    #[must_use]
    pub fn bounded(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// `host[:port]`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A request to it.
    ///
    /// # Errors
    /// [`TransportError::Address`] where the path is none.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, TransportError> {
        let wrong = || TransportError::Address(path.to_owned());
        let uri: Uri = path.parse().map_err(|_| wrong())?;
        let host = HeaderValue::from_str(&self.authority).map_err(|_| wrong())?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, host);
        Ok(request)
    }

    /// Sends a request and reads the answer, whatever it is.
    ///
    /// # Errors
    /// [`TransportError`].
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, TransportError> {
        tokio::time::timeout(self.bounds.time, self.exchange(request))
            .await
            .map_err(|_| self.broken("no answer in time"))?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, TransportError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| self.broken(error))?;
        match &self.tls {
            None => self.over(Box::new(stream), request).await,
            Some((name, tls)) => {
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(name.clone(), stream).await;
                let stream = stream.map_err(|error| self.untrusted(error))?;
                self.over(Box::new(stream), request).await
            }
        }
    }

    async fn over(
        &self,
        stream: Box<dyn Stream>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, TransportError> {
        let (mut sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        let driver = tokio::spawn(driver);
        let answer = async {
            let response =
                sender.send_request(request).await.map_err(|error| self.broken(error))?;
            let (head, body) = response.into_parts();
            match Limited::new(body, self.bounds.answer).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    Err(TransportError::TooLarge { host: self.authority.clone() })
                }
                Err(error) => Err(self.broken(error)),
            }
        }
        .await;
        driver.abort();
        answer
    }

    fn broken(&self, reason: impl std::fmt::Display) -> TransportError {
        TransportError::Connection { host: self.authority.clone(), reason: reason.to_string() }
    }

    /// A handshake that failed: by its certificate, or as any connection may.
    fn untrusted(&self, error: std::io::Error) -> TransportError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::InvalidCertificate(reason)) => TransportError::Untrusted {
                host: self.authority.clone(),
                reason: format!("its certificate is not trusted: {reason}"),
            },
            _ => self.broken(error),
        }
    }
}
