//! The section `[azure]`: the front door that speaks as Azure Key Vault, Managed HSM and Azure
//! Attestation do. Without the section it is closed.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

mod attestation;
mod vault;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use attestation::{Attestation, UvmEndorsement};
pub use vault::{TokenIssuer, Vault, VaultPrincipal};

use super::ConfigError;
use super::sections::sections;
use crate::http::azure::AzureSettings;
use crate::tenant::Tenant;

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static &'static str> {
    NAMES.iter().chain(attestation::NAMES).chain(vault::NAMES)
}

sections! {
    pub struct Azure {
        pub url: String,
        #[serde(default)]
        pub names: BTreeMap<String, Tenant>,
        pub vault: Option<Vault>,
        pub attestation: Option<Attestation>,
    }
}

impl Azure {
    pub(super) fn each_path(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        self.vault.iter_mut().for_each(|vault| vault.each_path(&mut change));
        self.attestation.iter_mut().for_each(|attestation| attestation.each_path(&mut change));
    }
}

/// What the section asks for.
pub(super) fn plan(azure: Azure) -> Result<AzureSettings, ConfigError> {
    let Azure { url, names, vault, attestation } = azure;
    let mut settings =
        AzureSettings::new(Some(&url), names).map_err(|why| ConfigError::value("azure", why))?;
    settings.vault = match vault {
        Some(vault) => Some(vault::plan(vault, settings.hosts())?),
        None => None,
    };
    settings.attestation = attestation.map(attestation::plan).transpose()?;
    if settings.vault.is_none() && settings.attestation.is_none() {
        let reason = "one of `azure.vault` and `azure.attestation`, or both";
        return Err(ConfigError::value("azure", reason));
    }
    Ok(settings)
}
