//! A service of somebody else's, on loopback over TLS: it answers each path as the test says, and
//! remembers what it was asked.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use claviger::clock::{Clock, SystemClock};
use claviger::http::DevelopmentCertificates;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it takes.
    pub after: Duration,
}

impl Reply {
    /// This body, at once.
    #[must_use]
    pub fn ok(body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/octet-stream".to_owned())];
        Self { status: 200, headers, body, after: Duration::ZERO }
    }

    /// A status, and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), after: Duration::ZERO }
    }
}

type Answers = dyn Fn(&str) -> Reply + Send + Sync;

/// The running service; it ends when dropped.
pub struct Service {
    /// `https://localhost:port`.
    pub url: String,
    /// The authority of its certificate, PEM.
    pub ca: Vec<u8>,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Service {
    /// Starts on a port of the system's choice, with its certificate in `folder`.
    ///
    /// # Panics
    /// Where it cannot.
    pub async fn start(
        folder: &Path,
        answers: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let certificates = DevelopmentCertificates::open(folder, SystemClock.now()).unwrap();
        let chain = CertificateDer::pem_slice_iter(certificates.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificates.key.expose()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (acceptor, answers): (_, Arc<Answers>) =
            (TlsAcceptor::from(Arc::new(config)), Arc::new(answers));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = serve(acceptor.clone(), stream, Arc::clone(&answers), log.clone());
                tokio::spawn(served);
            }
        });
        let ca = std::fs::read(folder.join("ca.pem")).unwrap();
        Self { url, ca, asked, task }
    }

    /// The paths that it was asked for, in order.
    ///
    /// # Panics
    /// Where an answer did.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answers: Arc<Answers>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let path = request.uri().to_string();
        let reply = answers(&path);
        asked.lock().unwrap().push(path);
        async move {
            tokio::time::sleep(reply.after).await;
            let mut response = Response::builder().status(reply.status);
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            let response = response.body(Full::new(Bytes::from(reply.body))).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    // A client that breaks off ends its connection, and that is all.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
