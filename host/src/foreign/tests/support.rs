//! A service that signs anything, and its discovery server on this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::clock::Timestamp;
use crate::foreign::{Issuer, IssuerPlan, Issuers};
use crate::http::{DevelopmentCertificates, tls};
use crate::keys::{RecipientKind, RecipientPrivateKey};

/// By path: the media type and the body.
type Answers = Arc<Mutex<BTreeMap<String, (String, Vec<u8>)>>>;

pub(super) const NOW: Timestamp = Timestamp(1_767_225_600);
pub(super) const ISSUER: &str = "https://authority.example";

/// A signer of a service.
pub(super) struct Signer {
    pub(super) kid: &'static str,
    pub(super) key: EcdsaKeyPair,
}

impl Signer {
    pub(super) fn new(kid: &'static str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid, key }
    }

    pub(super) fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let coordinate = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig",
            "x": coordinate(&point[1..33]), "y": coordinate(&point[33..])})
    }

    pub(super) fn jwks(&self) -> Vec<u8> {
        json!({"keys": [self.jwk()]}).to_string().into_bytes()
    }

    pub(super) fn header(&self) -> Value {
        json!({"alg": "ES256", "kid": self.kid, "typ": "JWT"})
    }

    pub(super) fn sign(&self, header: &str, claims: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }
}

/// A recipient's public key.
pub(super) fn recipient() -> Value {
    let key = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
    key.jwk().clone()
}

/// Sound claims.
pub(super) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "us", "iat": NOW.0 - 10, "nbf": NOW.0 - 10, "exp": NOW.0 + 3600,
        "jti": "1", "cnf": {"jwk": recipient()}})
}

pub(super) fn with(mut of: Value, name: &str, value: Value) -> Value {
    of[name] = value;
    of
}

pub(super) fn without(mut of: Value, name: &str) -> Value {
    of.as_object_mut().unwrap().remove(name);
    of
}

pub(super) fn pinned(issuer: &str, jwks: Vec<u8>) -> IssuerPlan {
    IssuerPlan {
        issuer: issuer.to_owned(),
        audience: Some("us".to_owned()),
        ca: None,
        jwks: Some(jwks),
        jwks_host: None,
        max_token_age: 300,
    }
}

/// One listed service, found as a token of it would find it.
pub(super) struct Listed(Issuers, String);

impl Listed {
    pub(super) fn new(plan: IssuerPlan) -> Self {
        let issuer = plan.issuer.clone();
        Self(Issuers::new(vec![plan], "https://host.example").unwrap(), issuer)
    }

    pub(super) fn issuer(&self) -> &Issuer {
        let claims = json!({"iss": self.1}).to_string();
        let token = format!("e30.{}.", BASE64URL_NOPAD.encode(claims.as_bytes()));
        self.0.of_token(&token).unwrap()
    }
}

/// A discovery server on the loopback.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) ca: Vec<u8>,
    /// What is answered, by path: a status line's rest with further headers, and the body.
    pub(super) answers: Answers,
    pub(super) asked: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let minted = DevelopmentCertificates::mint(Timestamp(now.as_secs())).unwrap();
        let chain = CertificateDer::pem_slice_iter(minted.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(minted.key.expose()).unwrap();
        let config = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let answers: Answers = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (acceptor, told, count) =
            (TlsAcceptor::from(Arc::new(config)), Arc::clone(&answers), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, told, count) =
                    (acceptor.clone(), Arc::clone(&told), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        request.push(byte);
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap();
                    let answer = told.lock().unwrap().get(path).cloned();
                    let (head, body) = answer.unwrap_or_else(|| ("404 No".to_owned(), Vec::new()));
                    let length = body.len();
                    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
                    let _ = stream.write_all(&[head.as_bytes(), body.as_slice()].concat()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        let server = Self { url, ca: minted.authority.into_bytes(), answers, asked };
        let jwks_uri = format!("{}/certs", server.url);
        server.discovery(&json!({"issuer": server.url, "jwks_uri": jwks_uri}));
        server
    }

    pub(super) fn answer(&self, path: &str, head: &str, body: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (head.to_owned(), body));
    }

    pub(super) fn discovery(&self, document: &Value) {
        let body = document.to_string().into_bytes();
        self.answer("/.well-known/openid-configuration", "200 OK", body);
    }

    pub(super) fn keys(&self, signer: &Signer) {
        self.answer("/certs", "200 OK", signer.jwks());
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn listed(&self) -> Listed {
        Listed::new(IssuerPlan {
            ca: Some(self.ca.clone()),
            jwks: None,
            ..pinned(&self.url, vec![])
        })
    }

    pub(super) fn claims(&self) -> Value {
        with(claims(), "iss", json!(self.url))
    }
}
