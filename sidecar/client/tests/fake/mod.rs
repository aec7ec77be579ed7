//! A fake host: TLS on loopback, and a list of answers given one after the other, whatever is asked.
//! It checks nothing and releases nothing; the real host stands in `tests/tests/sidecar.rs`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use claviger_client::{Client, Evidence, Gathering, Platform, ReportData, Retry, Settings, Trust};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Status, headers, body.
pub type Canned = (u16, &'static str, Value);

pub struct FakeHost {
    pub url: String,
    pub authority: String,
    pub pin: [u8; 32],
    /// Requests as they came, first line and body.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl FakeHost {
    pub async fn start(answers: Vec<Canned>) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut pin = [0; 32];
        let spki = key.subject_public_key_info();
        pin.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &spki).as_ref());
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::clone(&seen);
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !whole(&request) {
                    let mut part = [0; 4096];
                    match stream.read(&mut part).await {
                        Ok(0) | Err(_) => break,
                        Ok(length) => request.extend_from_slice(&part[..length]),
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                requests.lock().unwrap().push(text);
                let next = answers.lock().unwrap().pop_front();
                let (status, headers, body) = next.unwrap_or((500, "", json!({})));
                let body = body.to_string();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\n\r\n{body}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, authority: certificate.pem(), pin, seen }
    }

    pub fn client(&self) -> Client {
        self.client_with(Trust::roots(self.authority.as_bytes()))
    }

    pub fn client_with(&self, trust: Trust) -> Client {
        let mut settings = Settings::new(&self.url, trust);
        settings.retry = Retry { first: std::time::Duration::from_millis(1), ..Retry::default() };
        Client::new(settings, Arc::new(Nothing)).unwrap()
    }

    pub fn asked(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| request.starts_with(&format!("POST {path} "))).count()
    }
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// Evidence of nothing.
struct Nothing;

impl Platform for Nothing {
    fn name(&self) -> &str {
        "nothing"
    }

    fn evidence<'a>(&'a self, report_data: &'a ReportData) -> Gathering<'a> {
        Box::pin(async { Ok(Evidence::new("snp", "x", report_data.sha512().to_vec())) })
    }
}

pub fn challenge() -> Canned {
    let nonce = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let body = json!({"challenge": "c", "nonce": nonce, "expires": "", "host": "h",
        "purpose": "release:disk"});
    (200, "", body)
}

pub fn problem(status: u16, headers: &'static str, code: &str) -> Canned {
    let body = json!({"type": "x", "title": "t", "status": status, "code": code,
        "request_id": "r"});
    (status, headers, body)
}
