//! A connection on which a test says what and when, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Host;

/// TLS on loopback, HTTP by hand.
pub(crate) struct Raw(TlsStream<TcpStream>);

impl Raw {
    /// Connects to one of the host's addresses and speaks this protocol (ALPN).
    pub(crate) async fn connect(host: &Host, address: SocketAddr, protocol: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(&host.authority()).unwrap();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Self(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Reads until this has come.
    pub(crate) async fn read_until(&mut self, what: &[u8]) {
        let mut read = Vec::new();
        while !read.windows(what.len()).any(|window| window == what) {
            let byte = self.0.read_u8().await;
            let heard = String::from_utf8_lossy(&read).into_owned();
            read.push(byte.unwrap_or_else(|error| panic!("{error} after {heard:?}")));
        }
    }

    /// Reads to the end.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut read = String::new();
        self.0.read_to_string(&mut read).await.unwrap();
        read
    }

    /// The connection itself, for a protocol with a library of its own.
    pub(crate) fn into_stream(self) -> TlsStream<TcpStream> {
        self.0
    }
}
