//! Requests to a registry: one connection for each, TLS but to this machine, credentials only to the
//! registry and to whom it names for tokens.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, HOST, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::{Reference, RegistryError};
use crate::escape::Escaped;
use crate::http::tls;
use crate::secret::Secret;

/// From the connection to the last byte.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer of a token service, in bytes.
const LARGEST_TOKEN: usize = 64 << 10;

/// The most redirections that are followed: registries keep blobs elsewhere.
const REDIRECTIONS: usize = 3;

/// How a registry is reached.
#[derive(Debug, Default)]
pub struct Access {
    /// The certificate authorities that are trusted, PEM; a registry on this machine needs none.
    pub authorities: Option<Vec<u8>>,
    /// Who asks.
    pub credentials: Option<(String, Secret)>,
}

/// A registry cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {reason}")]
pub struct TransportError {
    host: String,
    reason: String,
}

/// An answer, whatever it is.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
    what: String,
}

#[derive(Debug)]
pub(super) struct Transport {
    base: String,
    registry: String,
    tls: Option<Arc<ClientConfig>>,
    credentials: Option<(String, Secret)>,
    token: Mutex<Option<Zeroizing<String>>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The same, if its status is one of these.
    pub(super) fn expect(self, what: &str, wanted: &[u16]) -> Result<Self, RegistryError> {
        if wanted.contains(&self.status) {
            return Ok(self);
        }
        let words = String::from_utf8_lossy(self.body.get(..300).unwrap_or(&self.body));
        let words = match words.trim() {
            "" => String::new(),
            words => format!(": {}", Escaped(words)),
        };
        let what = format!("{what} ({})", self.what);
        Err(RegistryError::Status { status: self.status, what, words })
    }
}

impl Transport {
    pub(super) fn new(reference: &Reference, access: Access) -> Result<Self, TransportError> {
        let registry = reference.registry.clone();
        let wrong = |reason: String| TransportError { host: registry.clone(), reason };
        let tls = match (&access.authorities, reference.is_local()) {
            (Some(authorities), _) => {
                let roots = tls::roots(authorities).map_err(|error| wrong(error.to_string()))?;
                let config = ClientConfig::builder_with_provider(tls::provider())
                    .with_safe_default_protocol_versions()
                    .map_err(|error| wrong(error.to_string()))?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Some(Arc::new(config))
            }
            (None, true) => None,
            (None, false) => return Err(wrong("no certificate authorities are given".into())),
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self {
            base: format!("{scheme}://{registry}"),
            registry,
            tls,
            credentials: access.credentials,
            token: Mutex::default(),
        })
    }

    /// Sends a request to a path of the registry, or to the place that it named.
    pub(super) async fn send(
        &self,
        method: &str,
        place: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        largest: usize,
    ) -> Result<Answer, TransportError> {
        let mut url = self.absolute(place);
        let body = Bytes::from(body);
        for _ in 0..=REDIRECTIONS {
            let authorization = self.authorization(&url).await;
            let mut answer =
                self.exchange(method, &url, headers, &body, largest, authorization).await?;
            if answer.status == 401 && self.log_in(&answer).await? {
                let authorization = self.authorization(&url).await;
                answer =
                    self.exchange(method, &url, headers, &body, largest, authorization).await?;
            }
            let elsewhere = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
            match answer.headers.get(LOCATION).and_then(|place| place.to_str().ok()) {
                Some(place) if elsewhere && method == "GET" => url = self.absolute(place),
                _ => return Ok(answer),
            }
        }
        Err(self.failed("it redirects too often"))
    }

    fn absolute(&self, place: &str) -> String {
        match place.starts_with('/') {
            true => format!("{}{place}", self.base),
            false => place.to_owned(),
        }
    }

    /// Only to the registry itself: where it redirects to gets nothing.
    async fn authorization(&self, url: &str) -> Option<Zeroizing<String>> {
        let own = url.strip_prefix(&self.base).is_some_and(|rest| rest.starts_with('/'));
        if !own {
            return None;
        }
        self.token.lock().await.clone()
    }

    /// Gets what a registry asks for in its challenge; whether it is worth asking again.
    async fn log_in(&self, refused: &Answer) -> Result<bool, TransportError> {
        let challenge = refused.headers.get(WWW_AUTHENTICATE).and_then(|text| text.to_str().ok());
        let Some((scheme, parameters)) = challenge.and_then(|text| text.split_once(' ')) else {
            return Ok(false);
        };
        let basic = self.credentials.as_ref().map(|(user, password)| {
            let pair = Zeroizing::new([user.as_bytes(), b":", password.expose()].concat());
            Zeroizing::new(format!("Basic {}", BASE64.encode(&pair)))
        });
        if scheme.eq_ignore_ascii_case("basic") {
            let known = basic.is_some();
            *self.token.lock().await = basic;
            return Ok(known);
        }
        let parameter = |name: &str| {
            let begin = parameters.find(&format!("{name}=\""))? + name.len() + 2;
            let rest = parameters.get(begin..)?;
            rest.get(..rest.find('"')?)
        };
        let Some(realm) = parameter("realm") else { return Ok(false) };
        let mut url = format!("{realm}?");
        for name in ["service", "scope"] {
            if let Some(value) = parameter(name) {
                url.push_str(&format!("{name}={}&", value.replace(' ', "%20")));
            }
        }
        let answer = self.exchange("GET", &url, &[], &Bytes::new(), LARGEST_TOKEN, basic).await?;
        if answer.status != 200 {
            return Ok(false);
        }
        let token: Token = serde_json::from_slice(&answer.body)
            .map_err(|error| self.failed(&format!("its token service: {error}")))?;
        let Some(token) = token.token.or(token.access_token) else { return Ok(false) };
        *self.token.lock().await = Some(Zeroizing::new(format!("Bearer {token}")));
        Ok(true)
    }

    async fn exchange(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &Bytes,
        largest: usize,
        authorization: Option<Zeroizing<String>>,
    ) -> Result<Answer, TransportError> {
        let uri: Uri = url.parse().map_err(|_| self.failed("it names a place that is none"))?;
        let authority = uri.authority().ok_or_else(|| self.failed("a place without a host"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| self.failed("a method that is none"))?;
        let what = format!("{method} {}", uri.path());
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, authority.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &authorization {
            request = request.header(AUTHORIZATION, authorization.as_str());
        }
        let request = request
            .body(Full::new(body.clone()))
            .map_err(|error| self.failed(&error.to_string()))?;
        let exchange = async {
            let response = self.connect_and_send(&uri, request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, largest.max(1 << 10)).collect().await;
            let body = body.map_err(|error| self.failed(&error.to_string()))?;
            let (status, headers) = (head.status.as_u16(), head.headers);
            Ok(Answer { status, headers, body: body.to_bytes().to_vec(), what })
        };
        let in_time = tokio::time::timeout(TIMEOUT, exchange).await;
        in_time.map_err(|_| self.failed("no answer in time"))?
    }

    async fn connect_and_send(
        &self,
        uri: &Uri,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, TransportError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let secure = uri.scheme_str() == Some("https");
        if !secure && self.tls.is_some() {
            return Err(self.failed("it leads away from TLS"));
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let failed = |error: &dyn std::fmt::Display| self.failed(&error.to_string());
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|e| failed(&e))?;
        match (&self.tls, secure) {
            (Some(tls), true) => {
                let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
                let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
                self.send_on(stream.map_err(|error| failed(&error))?, request).await
            }
            (None, true) => Err(self.failed("it leads to TLS, and no authorities are given")),
            (_, false) => self.send_on(stream, request).await,
        }
    }

    async fn send_on(
        &self,
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
        request: Request<Full<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, TransportError> {
        let failed = |error: hyper::Error| self.failed(&error.to_string());
        let (mut sender, driver) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // It ends with the answer's last byte, or with the runtime.
        tokio::spawn(async move {
            let _ = driver.await;
        });
        sender.send_request(request).await.map_err(failed)
    }

    fn failed(&self, reason: &str) -> TransportError {
        TransportError { host: self.registry.clone(), reason: Escaped(reason).to_string() }
    }
}
