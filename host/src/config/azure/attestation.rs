//! The section `[azure.attestation]`.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::ConfigError;
use crate::config::sections::sections;
use crate::http::azure::AttestationSettings;

sections! {
    pub struct Attestation {}
}

impl Attestation {
    pub(super) fn each_path(&mut self, _change: impl FnMut(&mut PathBuf)) {}
}

/// What the section asks for.
pub(super) fn plan(_attestation: Attestation) -> Result<AttestationSettings, ConfigError> {
    Ok(AttestationSettings::default())
}
