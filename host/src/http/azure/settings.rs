//! What the face is told by the configuration.

use std::collections::BTreeMap;

use super::authority::Authority;
use super::{AttestationSettings, Face, VaultSettings};
use crate::tenant::Tenant;

/// How the face is reached, and which services it plays.
#[derive(Debug)]
pub struct AzureSettings {
    /// Where it is reached from outside; none: at `localhost` and the listener's port, as a
    /// development host is.
    authority: Option<Authority>,
    names: BTreeMap<String, Tenant>,
    /// Key Vault; none: its paths are not there.
    pub vault: Option<VaultSettings>,
    /// Attestation; none: its paths are not there.
    pub attestation: Option<AttestationSettings>,
}

/// The text is not the address of a face.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAnAuthority {
    /// Not `https://host[:port]`.
    #[error("`url`: wanted is https://host or https://host:port, nothing behind it")]
    Url,
    /// A development host has no certificate to sign releases with.
    #[error("the certificate for releases: {0}")]
    Signing(String),
    /// Not a name that can stand before the host's.
    #[error("`names`: {0:?} is not a label of a host name")]
    Label(String),
}

impl AzureSettings {
    /// A face at `url`, and at each of `names` before its host name, which has a tenant of its own.
    ///
    /// # Errors
    /// [`NotAnAuthority`].
    pub fn new(url: Option<&str>, names: BTreeMap<String, Tenant>) -> Result<Self, NotAnAuthority> {
        let authority = url.map(|url| Authority::new(url, names.clone())).transpose()?;
        if authority.is_none() {
            Authority::new("https://localhost", names.clone())?;
        }
        Ok(Self { authority, names, vault: None, attestation: None })
    }

    /// The host names that the face is reached under, without a port.
    pub fn hosts(&self) -> Vec<String> {
        let Some(authority) = &self.authority else { return vec!["localhost".to_owned()] };
        let host = |name: String| match name.rsplit_once(':') {
            Some((host, _)) => host.to_owned(),
            None => name,
        };
        authority.all().map(host).collect()
    }

    /// The face behind a listener on `port`.
    pub(in crate::http) fn face(self, port: u16) -> Result<Face, NotAnAuthority> {
        let Self { authority, names, vault, attestation } = self;
        let authority = match authority {
            Some(authority) => authority,
            None => Authority::new(&format!("https://localhost:{port}"), names)?,
        };
        let vault = match vault {
            None => None,
            Some(mut vault) => {
                let authorities: Vec<_> = authority.all().collect();
                vault.signing =
                    vault.signing.ready(&authorities).map_err(NotAnAuthority::Signing)?;
                Some(vault)
            }
        };
        Ok(Face { authority, vault, attestation })
    }
}
