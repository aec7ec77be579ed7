//! The protocol of Azure Key Vault and Managed HSM: keys, secrets, and the release of keys.

mod byok;
mod client;
mod deleted;
mod import;
mod keys;
mod operations;
mod paging;
mod principal;
mod release;
mod rotation;
mod secrets;
mod signer;
mod wire;
mod words;

pub(super) use client::Client;
pub use principal::{Principal, Principals, Proof};
pub use signer::{ReleaseSigner, SignerError};

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;

use crate::clock::Timestamp;
use crate::http::ReleaseSigning;
use crate::http::door::Door;

/// How the service is played.
#[derive(Debug)]
pub struct VaultSettings {
    /// Where clients get tokens: the `authorization` of the challenge.
    pub authorization: String,
    /// What tokens are to be for: the `resource` of the challenge; none: the face's own URL.
    pub resource: Option<String>,
    /// Who may do what.
    pub principals: Principals,
    /// What signs releases.
    pub signing: Signing,
}

/// Where the key comes from that signs releases.
#[derive(Clone, Debug)]
pub enum Signing {
    /// Issued in a development host's folder, once it is known where the host listens.
    Development {
        /// The folder with `ca.pem`.
        folder: PathBuf,
        /// The present moment.
        now: Timestamp,
    },
    /// The operator's.
    Ready(Arc<ReleaseSigner>),
}

impl Signing {
    /// The signer for a face that is reached under these `host[:port]`.
    pub(super) fn ready(self, authorities: &[String]) -> Result<Self, String> {
        let Self::Development { folder, now } = self else { return Ok(self) };
        let hosts = authorities.iter().map(|authority| {
            authority.rsplit_once(':').map_or(authority.clone(), |(host, _)| host.to_owned())
        });
        let made = ReleaseSigning::open(&folder, authorities, now);
        let made = made.map_err(|error| error.to_string())?;
        let signer = ReleaseSigner::from_pem(made.chain.as_bytes(), made.key.expose(), hosts, now);
        Ok(Self::Ready(Arc::new(signer.map_err(|error| error.to_string())?)))
    }
}

/// The service's routes.
pub(super) fn routes() -> Router<Door> {
    Router::new().merge(keys::routes()).merge(deleted::routes()).merge(secrets::routes())
}
