//! How a host proves over TLS that it is the one that was meant: by a chain to roots that are trusted,
//! by a pinned key, or by both.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::ClientError;

/// Where a Linux system keeps its roots; `SSL_CERT_FILE` names another file.
const SYSTEM_ROOTS: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is believed about a server.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificate authorities, PEM; none: no chain is asked for, which only pins allow.
    pub roots: Option<Vec<u8>>,
    /// SHA-256 of SubjectPublicKeyInfos (RFC 7469, section 2.4); where there are any, the server's key
    /// is one of them.
    pub pins: Vec<[u8; 32]>,
}

impl Trust {
    /// The system's own roots.
    ///
    /// # Errors
    /// [`ClientError::Configuration`] where there are none to be found.
    pub fn system() -> Result<Self, ClientError> {
        let named = std::env::var("SSL_CERT_FILE").ok();
        let files = named.iter().map(String::as_str).chain(SYSTEM_ROOTS.iter().copied());
        let roots = files.into_iter().find_map(|file| std::fs::read(file).ok());
        match roots {
            Some(roots) => Ok(Self::roots(roots)),
            None => Err(ClientError::Configuration("the system has no trusted roots".to_owned())),
        }
    }

    /// These roots, PEM.
    #[must_use]
    pub fn roots(pem: impl Into<Vec<u8>>) -> Self {
        Self { roots: Some(pem.into()), pins: Vec::new() }
    }

    /// The same, and the server's key is the one with this digest (or another that was given).
    #[must_use]
    pub fn pinned(mut self, spki_sha256: [u8; 32]) -> Self {
        self.pins.push(spki_sha256);
        self
    }

    /// The roots, decoded.
    ///
    /// # Errors
    /// [`ClientError::Configuration`].
    pub fn anchors(&self) -> Result<Vec<CertificateDer<'static>>, ClientError> {
        let Some(pem) = &self.roots else { return Ok(Vec::new()) };
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match read {
            Ok(roots) if !roots.is_empty() => Ok(roots),
            _ => Err(ClientError::Configuration("the trusted roots are not PEM".to_owned())),
        }
    }

    /// TLS as it follows from this: 1.2 or 1.3.
    ///
    /// # Errors
    /// [`ClientError::Configuration`].
    pub fn tls(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let wrong = |error: &dyn std::fmt::Display| ClientError::Configuration(error.to_string());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = match self.roots {
            None if self.pins.is_empty() => {
                return Err(wrong(&"neither roots nor a pin: no host could be believed"));
            }
            None => None,
            Some(_) => {
                let mut roots = RootCertStore::empty();
                // The system's bundle may hold some that are of no use; one that is must be there.
                let (added, _) = roots.add_parsable_certificates(self.anchors()?);
                if added == 0 {
                    return Err(wrong(&"none of the trusted roots is a certificate"));
                }
                let verifier = WebPkiServerVerifier::builder_with_provider(
                    Arc::new(roots),
                    Arc::clone(&provider),
                );
                Some(verifier.build().map_err(|error| wrong(&error))?)
            }
        };
        let verifier = Verifier { chain, pins: self.pins.clone(), provider: Arc::clone(&provider) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

/// Chain and pin, each where it is asked for; one of them always is.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        if self.chain.is_some() && self.pins.is_empty() {
            return Ok(ServerCertVerified::assertion());
        }
        let (_, certificate) = X509Certificate::from_der(end_entity)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let key = digest(&SHA256, certificate.public_key().raw);
        match self.pins.iter().any(|pin| pin.as_slice() == key.as_ref()) {
            true => Ok(ServerCertVerified::assertion()),
            false => {
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
