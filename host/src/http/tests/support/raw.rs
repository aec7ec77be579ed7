//! A raw client that may misbehave.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::tls;

/// A TLS connection on which any bytes can be sent.
pub(in crate::http::tests) struct Raw(pub(in crate::http::tests) TlsStream<TcpStream>);

/// An answer as it stood on the wire.
#[derive(Debug)]
pub(in crate::http::tests) struct Received {
    pub(in crate::http::tests) status: u16,
    pub(in crate::http::tests) head: String,
    pub(in crate::http::tests) body: Value,
}

impl Received {
    pub(in crate::http::tests) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The code of a problem, after a look at the rest of it.
    pub(in crate::http::tests) fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        let code = self.body["code"].as_str().unwrap();
        assert_eq!(self.body["type"], format!("urn:claviger:problem:{code}"));
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"));
        code
    }
}

impl Raw {
    pub(in crate::http::tests) async fn connect(
        port: u16,
        authority: &str,
        alpn: &[&[u8]],
    ) -> Self {
        Self::connect_from([127, 0, 0, 1], port, authority, alpn).await
    }

    /// From another address of the loopback network: another client.
    pub(in crate::http::tests) async fn connect_from(
        client: [u8; 4],
        port: u16,
        authority: &str,
        alpn: &[&[u8]],
    ) -> Self {
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(tls::roots(authority.as_bytes()).unwrap())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((client, 0).into()).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        Self(connector.connect(name, stream).await.unwrap())
    }

    pub(in crate::http::tests) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// A whole request with `headers` (each line ended with CR LF) and the answer to it.
    pub(in crate::http::tests) async fn ask(
        &mut self,
        line: &str,
        headers: &str,
        body: &str,
    ) -> Received {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}{length}\r\n");
        self.send(head + body).await;
        self.receive().await
    }

    pub(in crate::http::tests) async fn post(&mut self, path: &str, body: &str) -> Received {
        self.ask(&format!("POST {path}"), "content-type: application/json\r\n", body).await
    }

    /// A request whose body does not come. Returns once the host waits for it.
    pub(in crate::http::tests) async fn begin_body(&mut self, path: &str) {
        let head = "host: h\r\ncontent-type: application/json\r\ncontent-length: 900\r\n";
        self.send(format!("POST {path} HTTP/1.1\r\n{head}expect: 100-continue\r\n\r\n")).await;
        assert_eq!(self.receive().await.status, 100);
    }

    pub(in crate::http::tests) async fn receive(&mut self) -> Received {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut received =
            Received { status: head[9..12].parse().unwrap(), head, body: Value::Null };
        let length = received.header("content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        if length > 0 {
            received.body = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8(body).unwrap()));
        }
        received
    }

    /// Whether the host closes the connection within `limit`, whatever it says before.
    pub(in crate::http::tests) async fn closed_within(&mut self, limit: Duration) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(limit, self.0.read_to_end(&mut rest)).await.is_ok()
    }
}
