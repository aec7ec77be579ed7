//! A TLS connection on which any request can be sent, right or wrong.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The connection.
pub struct Raw(TlsStream<TcpStream>);

/// An answer as it stood on the wire.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body, as it is.
    pub bytes: Vec<u8>,
    /// The body as text; what is none in it is marked.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The code of a refusal; empty where it is none.
    #[must_use]
    pub fn code(&self) -> String {
        self.body()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

impl Raw {
    /// Connects to a port of this machine and trusts this authority (PEM).
    pub async fn connect(port: u16, authority: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        Self(connector.connect(name, stream).await.unwrap())
    }

    /// Sends a JSON body.
    pub async fn post(&mut self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "content-type: application/json\r\n", body).await
    }

    /// A whole request with `headers` (each line ended with CR LF) and the answer to it.
    pub async fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n"
        );
        self.0.write_all((head + body).as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.receive().await
    }

    /// The same with a `host` of its own among the headers.
    pub async fn ask_as(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n");
        self.0.write_all((head + body).as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        self.receive().await
    }

    async fn receive(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = Answer { status, head, bytes: Vec::new(), text: String::new() };
        let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        answer.bytes = vec![0; length];
        self.0.read_exact(&mut answer.bytes).await.unwrap();
        answer.text = String::from_utf8_lossy(&answer.bytes).into_owned();
        answer
    }
}
