//! The certificate that a listener shows, which can be renewed on disk while it serves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, files, provider};

/// A certificate chain with its key. A new pair takes effect with the next handshake; a pair that
/// is not right leaves the old one standing.
#[derive(Debug)]
pub struct ServerCertificate {
    current: ArcSwap<CertifiedKey>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// As they were when they were last looked at, whether or not they were right.
    seen: Mutex<[Option<Stamp>; 2]>,
}

/// What tells that a file is another one, or is open to others than before: a key that was refused
/// for its mode is looked at again once that is mended.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    /// When content, owner or mode last changed (ctime): seconds and nanoseconds.
    changed: (i64, i64),
    /// Of its own, because two changes may fall into one tick of the file system's clock.
    mode: u32,
    length: u64,
    inode: u64,
}

impl ServerCertificate {
    /// Reads a pair from PEM files, which [`Self::reload`] will look at again.
    ///
    /// # Errors
    /// Where a file is missing, the key may be read by everybody, or the two are not a pair.
    pub fn open(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            seen: Mutex::default(),
        };
        files.changed();
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(files.read()?), files: Some(files) }))
    }

    /// A pair from PEM that stays as it is.
    ///
    /// # Errors
    /// Where the two are not a pair.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Arc<Self>, TlsError> {
        Ok(Arc::new(Self { current: ArcSwap::from_pointee(pair(certificate, key)?), files: None }))
    }

    /// Looks at the files again; `true` where another pair is shown from now on.
    ///
    /// # Errors
    /// Where the files changed and are not right; the old pair stands.
    pub fn reload(&self) -> Result<bool, TlsError> {
        match &self.files {
            Some(files) if files.changed() => {
                self.current.store(Arc::new(files.read()?));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Looks at the files every `interval` until nothing else holds the certificate.
    pub(crate) async fn watch(certificate: std::sync::Weak<Self>, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            let Some(certificate) = certificate.upgrade() else {
                return;
            };
            let reloaded = tokio::task::spawn_blocking(move || certificate.reload()).await;
            match reloaded {
                Ok(Ok(true)) => tracing::info!("the TLS certificate was renewed"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the new TLS certificate is not used; the old one stands");
                }
                Err(error) => tracing::error!(%error, "looking at the TLS certificate failed"),
            }
        }
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Files {
    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let certificate = files::read(&self.certificate)?;
        let key = files::read_private(&self.key)?;
        pair(&certificate, key.expose())
    }

    /// Whether the files are others than when this was last asked. The stamps are taken before the
    /// files are read: one that changes in between is read again the next time.
    fn changed(&self) -> bool {
        let now = [stamp(&self.certificate), stamp(&self.key)];
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return false;
        }
        *seen = now;
        true
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        mode: metadata.mode(),
        length: metadata.len(),
        inode: metadata.ino(),
    })
}

fn pair(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let invalid = |error: rustls::pki_types::pem::Error| TlsError::Invalid(error.to_string());
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    if chain.is_empty() {
        return Err(TlsError::Invalid("no certificate in the PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(invalid)?;
    Ok(CertifiedKey::from_der(chain, key, &provider())?)
}
