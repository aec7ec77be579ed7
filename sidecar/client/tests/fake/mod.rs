//! A fake host: TLS on loopback, and a list of answers given one after the other, whatever is asked.
//! It checks nothing, and wraps what the list says to whoever asks; the real host stands in
//! `sidecar/tests/process`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest::{SHA256, digest};
use claviger_client::{
    Client, Evidence, Gathering, Platform, RecipientKind, ReportData, Retry, Settings, Trust,
};
use data_encoding::BASE64URL_NOPAD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Status, headers, body.
pub(crate) type Canned = (u16, &'static str, Value);

pub(crate) struct FakeHost {
    pub(crate) url: String,
    pub(crate) authority: String,
    pub(crate) pin: [u8; 32],
    /// Requests as they came, first line and body.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl FakeHost {
    pub(crate) async fn start(answers: Vec<Canned>) -> Self {
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
                let (status, headers, mut body) = next.unwrap_or((500, "", json!({})));
                if let Some(header) = body.as_object_mut().and_then(|body| body.remove("wrap")) {
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let (_, asked) = text.split_once("\r\n\r\n").unwrap();
                    let asked: Value = serde_json::from_str(asked).unwrap();
                    body["jwe"] = json!(wrap(&asked["recipient"], &header));
                }
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

    pub(crate) fn client(&self) -> Client {
        self.client_with(Trust::roots(self.authority.as_bytes()))
    }

    pub(crate) fn client_with(&self, trust: Trust) -> Client {
        let mut settings = Settings::new(&self.url, trust);
        settings.recipient = RecipientKind::X25519;
        settings.retry = Retry { first: std::time::Duration::from_millis(1), ..Retry::default() };
        Client::new(settings, Arc::new(Nothing)).unwrap()
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
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

pub(crate) fn challenge() -> Canned {
    let nonce = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
    let body = json!({"challenge": "c", "nonce": nonce, "expires": "", "host": "h",
        "purpose": "release:disk"});
    (200, "", body)
}

pub(crate) fn problem(status: u16, headers: &'static str, code: &str) -> Canned {
    let body = json!({"type": "x", "title": "t", "status": status, "code": code,
        "request_id": "r"});
    (status, headers, body)
}

/// A release of version 1 of the key `disk` of the default tenant, in answer to [`challenge`]; `change`
/// makes another of it.
pub(crate) fn release(change: impl FnOnce(&mut Value)) -> Canned {
    let challenge = BASE64URL_NOPAD.encode(digest(&SHA256, &[7; 32]).as_ref());
    let mut body = json!({"type": "application/octet-stream", "version": "1", "status": "affirming",
        "simulated": false, "audit_index": 1,
        "wrap": {"tenant": "default", "key": "disk", "version": "1", "challenge": challenge}});
    change(&mut body);
    (200, "", body)
}

/// RFC 7518, section 4.6, for an X25519 key; the content is `key material`.
fn wrap(recipient: &Value, claviger: &Value) -> String {
    let x = BASE64URL_NOPAD.decode(recipient["x"].as_str().unwrap().as_bytes()).unwrap();
    let canonical =
        format!(r#"{{"crv":"X25519","kty":"OKP","x":"{}"}}"#, recipient["x"].as_str().unwrap());
    let kid = BASE64URL_NOPAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref());
    let ours = PrivateKey::generate(&X25519).unwrap();
    let epk = BASE64URL_NOPAD.encode(ours.compute_public_key().unwrap().as_ref());
    let key = agree(&ours, UnparsedPublicKey::new(&X25519, &x), (), |z| {
        let fields = [&b"A256GCM"[..], b"", b""];
        let mut input = [&[0, 0, 0, 1][..], z].concat();
        for field in fields {
            input.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
            input.extend(field);
        }
        input.extend([0, 0, 1, 0]);
        Ok(digest(&SHA256, &input))
    });
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": kid, "cty": "x",
        "epk": {"kty": "OKP", "crv": "X25519", "x": epk}, "claviger": claviger});
    let protected = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let mut content = b"key material".to_vec();
    let key = UnboundKey::new(&AES_256_GCM, key.unwrap().as_ref()).unwrap();
    let aad = Aad::from(protected.as_bytes());
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, aad, &mut content).unwrap();
    let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    format!("{protected}..{}.{}.{}", part(&[0; 12]), part(&content[..12]), part(&content[12..]))
}
