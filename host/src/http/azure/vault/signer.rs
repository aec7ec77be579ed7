//! The signature under which keys are released: a JWS (RFC 7515), RS256, with its certificates
//! (`x5c`), as Managed HSM writes it. Clients verify the chain to roots that they trust, for the name
//! of the vault that they asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::http::tls::{self, TlsError};

/// The smallest modulus, in bytes: 2048 bits.
const SMALLEST: usize = 256;

/// Why a key and its certificates cannot sign releases.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The certificates do not lead from the first to the last, for a server of this name, now.
    #[error("the chain is not one of a server called {0}, leaf first and root last: {1}")]
    Chain(String, rustls::Error),
    /// Not RSA of 2048 bits or more.
    #[error("the key is not an RSA key of 2048 bits or more, which is all that clients verify")]
    Kind,
    /// The key is another than the first certificate's.
    #[error("the key is not that of the first certificate")]
    Pair,
    /// Not PEM.
    #[error("not PEM: {0}")]
    Pem(String),
    /// A file cannot be read, or the key may be read by everybody.
    #[error(transparent)]
    File(#[from] TlsError),
    /// Clients take the last certificate for a root that they do not look at.
    #[error("wanted are at least two certificates, the last one a root")]
    Short,
}

/// Signs what is released.
pub struct ReleaseSigner {
    key: RsaKeyPair,
    header: String,
}

impl std::fmt::Debug for ReleaseSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReleaseSigner")
    }
}

impl ReleaseSigner {
    /// From PEM: the chain, leaf first and root last, and the leaf's key. Each of `hosts` must be one
    /// of its names, at the moment `now`.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        hosts: impl IntoIterator<Item = String>,
        now: Timestamp,
    ) -> Result<Self, SignerError> {
        let pem = |error: rustls::pki_types::pem::Error| SignerError::Pem(error.to_string());
        let chain =
            CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>().map_err(pem)?;
        let [leaf, between @ .., root] = chain.as_slice() else { return Err(SignerError::Short) };
        let key = match PrivateKeyDer::from_pem_slice(key).map_err(pem)? {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            _ => return Err(SignerError::Kind),
        };
        let key = key.map_err(|_| SignerError::Kind)?;
        if key.public_modulus_len() < SMALLEST {
            return Err(SignerError::Kind);
        }
        let (_, parsed) =
            X509Certificate::from_der(leaf).map_err(|error| SignerError::Pem(error.to_string()))?;
        if *parsed.public_key().subject_public_key.data != *key.public_key().as_ref() {
            return Err(SignerError::Pair);
        }
        for host in hosts {
            check_chain(leaf, between, root, &host, now)
                .map_err(|error| SignerError::Chain(host, error))?;
        }
        let thumbprint = BASE64URL_NOPAD.encode(digest(&SHA256, leaf).as_ref());
        let certificates: Vec<_> = chain.iter().map(|der| BASE64.encode(der)).collect();
        let header = json!({
            "alg": "RS256", "kid": thumbprint, "x5c": certificates, "x5t#S256": thumbprint,
        });
        Ok(Self { key, header: BASE64URL_NOPAD.encode(header.to_string().as_bytes()) })
    }

    /// The same from files; the key must not be readable by everybody.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn open(
        chain: &Path,
        key: &Path,
        hosts: impl IntoIterator<Item = String>,
        now: Timestamp,
    ) -> Result<Self, SignerError> {
        let (chain, key) = (tls::files::read(chain)?, tls::files::read_private(key)?);
        Self::from_pem(&chain, key.expose(), hosts, now)
    }

    /// The compact JWS of a payload.
    pub(super) fn sign(&self, payload: &Value) -> Result<String, Refusal> {
        let payload = BASE64URL_NOPAD.encode(payload.to_string().as_bytes());
        let signed = format!("{}.{payload}", self.header);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Refusal::new(Code::Internal, "a release could not be signed"))?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

/// The chain as a client of this host checks it: names, purpose, dates, signatures.
fn check_chain(
    leaf: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    root: &CertificateDer<'_>,
    host: &str,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone().into_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), tls::provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.0));
    verifier.verify_server_cert(leaf, between, &name, &[], now).map(drop)
}
