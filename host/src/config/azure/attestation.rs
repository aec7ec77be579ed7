//! The section `[azure.attestation]`.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use crate::config::ConfigError;
use crate::config::sections::sections;
use crate::files;
use crate::flow::{AttestationRules, UvmRule};
use crate::http::azure::AttestationSettings;

sections! {
    pub struct Attestation {
        #[serde(default = "token_seconds")]
        pub token_seconds: u64,
        #[serde(default = "key_days")]
        pub key_days: u64,
        #[serde(default = "collateral_days")]
        pub max_collateral_days: u64,
        #[serde(default)]
        pub unsigned_policies: bool,
        #[serde(default)]
        pub policy_signers: Vec<PathBuf>,
        #[serde(default)]
        pub uvm: Vec<UvmEndorsement>,
        pub vm_status: Option<String>,
    }

    pub struct UvmEndorsement {
        pub anchors: String,
        pub issuer: String,
        pub feed: String,
        #[serde(default)]
        pub min_svn: u64,
        pub status: String,
    }
}

impl Attestation {
    pub(super) fn each_path(&mut self, change: impl FnMut(&mut PathBuf)) {
        self.policy_signers.iter_mut().for_each(change);
    }
}

/// The largest file of certificates, in bytes.
const LARGEST: u64 = 1 << 20;

const DAY: u64 = 86_400;

fn token_seconds() -> u64 {
    AttestationRules::default().token_seconds
}

fn key_days() -> u64 {
    AttestationRules::default().key_seconds / DAY
}

fn collateral_days() -> u64 {
    AttestationRules::default().collateral_seconds / DAY
}

/// What the section asks for.
pub(super) fn plan(attestation: Attestation) -> Result<AttestationSettings, ConfigError> {
    let Attestation {
        token_seconds,
        key_days,
        max_collateral_days,
        unsigned_policies,
        policy_signers,
        uvm,
        vm_status,
    } = attestation;
    for (key, value, range, reason) in [
        ("token_seconds", token_seconds, 1..=7 * DAY, "from 1 second to a week (604800)"),
        ("key_days", key_days, 1..=3650, "from 1 day to 3650"),
        ("max_collateral_days", max_collateral_days, 1..=3650, "from 1 day to 3650"),
    ] {
        if !range.contains(&value) {
            return Err(ConfigError::value(format!("azure.attestation.{key}"), reason));
        }
    }
    let mut signers = Vec::new();
    for path in policy_signers {
        let wrong = |reason: String| {
            let reason = format!("{}: {reason}", path.display());
            ConfigError::value("azure.attestation.policy_signers", reason)
        };
        let pem = files::read_bounded(&path, LARGEST).map_err(|error| wrong(error.to_string()))?;
        let mut found = 0;
        for der in CertificateDer::pem_slice_iter(&pem) {
            signers.push(der.map_err(|error| wrong(error.to_string()))?.to_vec());
            found += 1;
        }
        if found == 0 {
            return Err(wrong("no certificate (PEM)".to_owned()));
        }
    }
    let uvm = uvm.into_iter().map(|one| {
        let UvmEndorsement { anchors, issuer, feed, min_svn, status } = one;
        UvmRule { anchors, issuer, feed, min_svn, status }
    });
    let uvm = uvm.collect();
    let rules = AttestationRules {
        token_seconds,
        key_seconds: key_days.saturating_mul(DAY),
        collateral_seconds: max_collateral_days.saturating_mul(DAY),
        unsigned_policies,
        policy_signers: signers,
        uvm,
        vm_status,
    };
    Ok(AttestationSettings { rules })
}
