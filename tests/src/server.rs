//! A server of somebody else's, on loopback over TLS, that a test writes as a function from request to
//! answer. It can also break off: send less than it announced.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use claviger::clock::{Clock, SystemClock};
use claviger::http::DevelopmentCertificates;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::service::Reply;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(present, _)| present == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

type Answers = dyn Fn(&Asked) -> Reply + Send + Sync;

/// The running server; it ends when dropped.
pub struct Server {
    /// `https://localhost:port`.
    pub url: String,
    /// Its port.
    pub port: u16,
    /// The authority of its certificate, PEM.
    pub ca: Vec<u8>,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Mutex<usize>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts on a port of the system's choice, with its certificate in `folder`.
    ///
    /// # Panics
    /// Where it cannot.
    pub async fn start(
        folder: &Path,
        answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
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
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (acceptor, answers): (_, Arc<Answers>) =
            (TlsAcceptor::from(Arc::new(config)), Arc::new(answers));
        let (log, count) = (Arc::clone(&asked), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let served = serve(acceptor.clone(), stream, Arc::clone(&answers), log.clone());
                tokio::spawn(served);
            }
        });
        let ca = std::fs::read(folder.join("ca.pem")).unwrap();
        Self { url: format!("https://localhost:{port}"), port, ca, asked, connections, task }
    }

    /// What it was asked, in order.
    ///
    /// # Panics
    /// Where an answer did.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections were made to it.
    ///
    /// # Panics
    /// Never in earnest.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, one request after the other. The protocol is written by hand, so that an answer may
/// break it: a `content-length` among a reply's headers is sent as it is, and where it is not the
/// body's length the connection ends behind the body.
async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    answers: Arc<Answers>,
    log: Arc<Mutex<Vec<Asked>>>,
) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(acceptor.accept(stream).await.ok()?);
    loop {
        let asked = read(&mut stream).await?;
        log.lock().unwrap().push(asked.clone());
        let reply = answers(&asked);
        tokio::time::sleep(reply.after).await;
        let mut head = format!("HTTP/1.1 {} x\r\n", reply.status);
        let announced = reply.headers.iter().find(|(name, _)| *name == "content-length");
        let announced = announced.map(|(_, length)| length.clone());
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if announced.is_none() {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&reply.body).await.ok()?;
        stream.flush().await.ok()?;
        if announced.is_some_and(|length| length != reply.body.len().to_string()) {
            let _ = stream.shutdown().await;
            return None;
        }
    }
}

async fn read<S: AsyncBufReadExt + Unpin>(stream: &mut S) -> Option<Asked> {
    let mut asked = Asked::default();
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace();
    asked.method = words.next()?.to_owned();
    asked.target = words.next()?.to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok());
    asked.body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut asked.body).await.ok()?;
    Some(asked)
}
