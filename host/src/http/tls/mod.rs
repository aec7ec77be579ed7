//! TLS 1.3 and 1.2 for the listeners: which certificate, which clients.

mod certificate;
mod development;
pub(in crate::http) mod files;
mod release_signing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

pub use certificate::ServerCertificate;
pub use development::DevelopmentCertificates;
pub use release_signing::ReleaseSigning;

/// Why a listener has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with a private key may be read by everybody.
    #[error("{}: everybody on this machine may read this private key; take that permission away (chmod o-rwx)", .0.display())]
    Exposed(PathBuf),
    /// The certificates or the key are not PEM, not a pair, or of an unknown kind.
    #[error("{0}")]
    Invalid(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// The one cryptographic provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of the operators' CA, from PEM.
pub(crate) fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsError::Invalid(error.to_string()))?;
        store.add(certificate)?;
    }
    if store.is_empty() {
        return Err(TlsError::Invalid("no certificate authority in the PEM".to_owned()));
    }
    Ok(store)
}

/// How a listener speaks TLS. With `client_authority` (PEM) a client may show a certificate, which
/// must then lead to it; whether it needs one is for authentication to say. A session is then not
/// resumed: that would take over a certificate that was checked once, and may have expired since.
pub(crate) fn server_config(
    certificate: Arc<ServerCertificate>,
    client_authority: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match client_authority {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(roots(pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                .allow_unauthenticated()
                .build()
                .map_err(|error| TlsError::Invalid(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(certificate);
    if client_authority.is_some() {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
