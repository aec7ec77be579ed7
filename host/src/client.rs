//! A small HTTPS client of Claviger's API, for the command line, the demo, benchmarks and tests.
//!
//! It keeps one HTTP/1.1 connection alive and makes a new one where that was closed. One request
//! at a time: whoever wants more makes more clients.

mod connection;
mod requests;
mod vault;

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::http::{Problem, tls};
use crate::secret::Secret;
use crate::tenant::Tenant;
use connection::Connection;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// From the first byte sent to the last one read, connecting included.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host's address, the CA or the client's certificate is not usable.
    #[error("{0}")]
    Configuration(String),
    /// No connection, or it broke.
    #[error("{host}: {reason}")]
    Connection {
        /// Who was to be reached.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The host refused.
    #[error("{code} ({status}): {title}{detail} [request {request_id}]", code = .0.code, status = .0.status, title = .0.title, detail = Detail(.0.detail.as_deref()), request_id = .0.request_id)]
    Problem(Box<Problem>),
    /// The answer is not one of this API.
    #[error("unexpected answer ({status}): {reason}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a problem tells besides, if anything.
struct Detail<'a>(Option<&'a str>);

impl std::fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl ClientError {
    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

/// Where a host is and how to prove it, and who asks.
#[derive(Debug)]
pub struct ClientSettings {
    /// `https://host:port`, without a path.
    pub url: String,
    /// The certificate authorities that are trusted, PEM.
    pub authority: Vec<u8>,
    /// An administrator's token.
    pub token: Option<Secret>,
    /// A client certificate with its key, both PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
    /// The tenant; none: the default one.
    pub tenant: Option<Tenant>,
}

impl ClientSettings {
    /// A client without credentials.
    #[must_use]
    pub fn new(url: impl Into<String>, authority: impl Into<Vec<u8>>) -> Self {
        Self {
            url: url.into(),
            authority: authority.into(),
            token: None,
            identity: None,
            tenant: None,
        }
    }

    /// The same with an administrator's token.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Secret::new(token.into().into_bytes()));
        self
    }
}

/// A client of one host.
pub struct Client {
    authority: String,
    address: (String, u16),
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    authorization: Option<HeaderValue>,
    prefix: String,
    connection: Mutex<Option<Connection>>,
}

impl Client {
    /// A client; connects with the first request.
    ///
    /// # Errors
    /// [`ClientError::Configuration`].
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        let wrong = |what: &str| ClientError::Configuration(format!("{}: {what}", settings.url));
        let url: Uri = settings.url.parse().map_err(|_| wrong("not a URL"))?;
        if url.scheme_str() != Some("https") || url.path() != "/" || url.query().is_some() {
            return Err(wrong("wanted is https://host:port"));
        }
        let host = url.host().ok_or_else(|| wrong("no host"))?;
        let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(plain.clone()).map_err(|_| wrong("not a host name"))?;
        let authorization = settings.token.as_ref().map(bearer).transpose()?;
        let prefix = match &settings.tenant {
            Some(tenant) => format!("/t/{tenant}"),
            None => String::new(),
        };
        Ok(Self {
            authority: url.authority().map_or_else(String::new, ToString::to_string),
            address: (plain, url.port_u16().unwrap_or(443)),
            name,
            tls: Arc::new(tls_config(&settings)?),
            authorization,
            prefix,
            connection: Mutex::new(None),
        })
    }

    /// Sends a request below `/v1` of the tenant and reads a JSON answer.
    async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, ClientError> {
        let path = format!("{}{path}", self.prefix);
        let (status, answer) = self.succeed(method, &path, body).await?;
        parse(status, &answer)
    }

    /// Sends a request and reads an answer of success; a refusal is an error.
    async fn succeed<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (status, answer) = self.exchange(method, path, body).await?;
        success(status, answer)
    }

    /// Sends a request and reads the answer, whatever it is.
    async fn exchange<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let body = match body {
            None => None,
            Some(body) => {
                let body = serde_json::to_vec(body);
                let body = body.map_err(|error| ClientError::Configuration(error.to_string()))?;
                Some(("application/json", body))
            }
        };
        self.exchange_bytes(method, path, body).await
    }

    /// The same with a body as it is, and its media type.
    async fn exchange_bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let request = self.request(method, path, body)?;
        let exchange = async {
            let response = self.send(request).await?;
            let status = response.status();
            let limited = Limited::new(response.into_body(), ANSWER_BYTES);
            let answer = limited.collect().await.map_err(|error| self.broken(error))?;
            Ok((status, answer.to_bytes()))
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| self.broken("no answer in time"))?
    }

    /// Gets what stands at a path, whatever it is, within bounds.
    pub(crate) async fn get(
        &self,
        path: &str,
        largest: usize,
        timeout: Duration,
    ) -> Result<Response<Bytes>, ClientError> {
        self.fetch(self.request(Method::GET, path, None)?, largest, timeout).await
    }

    /// The same with a header that is asked for.
    pub(crate) async fn get_with(
        &self,
        path: &str,
        (name, value): (&'static str, &'static str),
        largest: usize,
        timeout: Duration,
    ) -> Result<Response<Bytes>, ClientError> {
        let mut request = self.request(Method::GET, path, None)?;
        request.headers_mut().insert(name, HeaderValue::from_static(value));
        self.fetch(request, largest, timeout).await
    }

    /// The same for an answer to what is posted there.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: (&str, Vec<u8>),
        largest: usize,
        timeout: Duration,
    ) -> Result<Response<Bytes>, ClientError> {
        self.fetch(self.request(Method::POST, path, Some(body))?, largest, timeout).await
    }

    async fn fetch(
        &self,
        request: Request<Full<Bytes>>,
        largest: usize,
        timeout: Duration,
    ) -> Result<Response<Bytes>, ClientError> {
        let exchange = async {
            let (head, body) = self.send(request).await?.into_parts();
            let body = Limited::new(body, largest).collect().await;
            let body = body.map_err(|error| self.broken(error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| self.broken("no answer in time"))?
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| ClientError::Configuration(error.to_string());
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = match body {
            None => Bytes::new(),
            Some((media_type, body)) => {
                request = request.header(CONTENT_TYPE, media_type);
                body.into()
            }
        };
        request.body(Full::new(body)).map_err(|error| wrong(&error))
    }

    fn broken(&self, reason: impl std::fmt::Display) -> ClientError {
        ClientError::Connection { host: self.authority.clone(), reason: reason.to_string() }
    }
}

fn success(status: StatusCode, answer: Bytes) -> Result<(StatusCode, Bytes), ClientError> {
    if status.is_success() {
        return Ok((status, answer));
    }
    Err(ClientError::Problem(Box::new(parse(status, &answer)?)))
}

fn parse<T: DeserializeOwned>(status: StatusCode, answer: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(answer).map_err(|error| ClientError::Unexpected {
        status: status.as_u16(),
        reason: error.to_string(),
    })
}

fn bearer(token: &Secret) -> Result<HeaderValue, ClientError> {
    let mut header = b"Bearer ".to_vec();
    header.extend_from_slice(token.expose());
    let mut value = HeaderValue::from_bytes(&header).map_err(|_| {
        ClientError::Configuration("the token has impossible characters".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn tls_config(settings: &ClientSettings) -> Result<ClientConfig, ClientError> {
    let wrong = |error: &dyn std::fmt::Display| ClientError::Configuration(error.to_string());
    let roots: RootCertStore = tls::roots(&settings.authority).map_err(|error| wrong(&error))?;
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots);
    match &settings.identity {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong(&error))?;
            let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong(&error))
        }
    }
}
