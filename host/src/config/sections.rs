//! The sections of a configuration. What each option means stands in `full.toml`.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::remote::HttpTarget;
use super::values::{Digest256, Hex};
use crate::appraisal::{MilanRule, SnpPolicy};
use crate::endorsements::SourceKind;
use crate::flow::vault::Recoverable;
use crate::http::HttpSettings;
use crate::keys::TokenAlgorithm;
use crate::permission::Allowance;
use crate::quote::snp::Tcb;
use crate::tenant::Tenant;

/// Declares a section, and collects the names of all options for the test of `full.toml`.
macro_rules! sections {
    ($($(#[$meta:meta])* pub struct $name:ident { $($(#[$field:meta])* pub $option:ident: $kind:ty,)* })*) => {
        $(
            #[derive(Clone, Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            $(#[$meta])*
            pub struct $name { $($(#[$field])* pub $option: $kind,)* }
        )*

        #[cfg(test)]
        pub(in crate::config) const NAMES: &[&str] = &[$($(stringify!($option),)*)*];
    };
}

pub(super) use sections;

sections! {
    pub struct Host {
        pub id: String,
        pub issuer: String,
        pub state: PathBuf,
        pub threads: Option<usize>,
        pub bundled_plugins: Option<BTreeSet<String>>,
    }

    pub struct Api {
        #[serde(default = "any_8443")]
        pub listen: SocketAddr,
        pub certificate: PathBuf,
        pub key: PathBuf,
    }

    pub struct Admin {
        #[serde(default = "local_8444")]
        pub listen: SocketAddr,
        pub certificate: Option<PathBuf>,
        pub key: Option<PathBuf>,
        pub client_authority: Option<PathBuf>,
        #[serde(default)]
        pub administrators: Vec<Administrator>,
    }

    pub struct Administrator {
        pub name: String,
        pub tenant: Option<Tenant>,
        pub may: Option<BTreeSet<Allowance>>,
        pub token_sha256: Option<Hex<32>>,
        pub certificate_sha256: Option<Hex<32>>,
    }

    #[derive(Default)]
    pub struct Audit {
        pub directory: Option<PathBuf>,
        pub checkpoint_seconds: Option<u64>,
        pub checkpoint_records: Option<u64>,
    }

    #[serde(default)]
    pub struct Challenge {
        pub lifetime_seconds: u64,
        pub remembered: usize,
    }

    #[serde(default)]
    pub struct Token {
        pub lifetime_seconds: u64,
        pub algorithm: TokenAlgorithm,
        pub rotation_days: u64,
        pub trust_path: bool,
    }

    #[serde(default)]
    pub struct Limits {
        pub body_bytes: usize,
        pub json_depth: usize,
        pub request_seconds: u64,
        pub body_seconds: u64,
        pub drain_seconds: u64,
        pub requests_at_once: usize,
        pub requests_per_client: usize,
        pub connections: usize,
        pub connections_per_client: usize,
        pub requests_per_second: u32,
        pub burst: u32,
    }

    #[serde(default)]
    pub struct Snp {
        pub policy: Vec<PathBuf>,
        pub measurements: Vec<Hex<48>>,
        pub vmpl: Vec<u64>,
        pub milan: MilanRule,
        pub allow_debug: bool,
        pub allow_migration_agent: bool,
        pub allow_smt: bool,
        pub allow_cxl: bool,
        pub allow_vlek: bool,
        pub require_alias_check: bool,
        pub require_ciphertext_hiding: bool,
        pub minimum_tcb: Floors,
        pub chip_ids: Option<Vec<String>>,
        pub rollback_protection: bool,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct Appraisal {
        pub policy: Vec<PathBuf>,
        pub settings: serde_json::Map<String, serde_json::Value>,
        pub reference: BTreeMap<String, Vec<String>>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct Reference {
        pub allow_unsigned: bool,
        pub signer: Vec<Signer>,
    }

    pub struct Authority {
        pub issuer: String,
        pub audience: Option<String>,
        pub ca: Option<PathBuf>,
        pub jwks: Option<PathBuf>,
        pub jwks_host: Option<String>,
        #[serde(default = "five_minutes")]
        pub max_token_age: u64,
    }

    pub struct Signer {
        pub name: String,
        pub key: Option<PathBuf>,
        pub root: Option<String>,
        pub tees: Vec<String>,
        pub claims: Option<Vec<String>>,
        pub tenant: Option<Tenant>,
        pub builders: Option<Vec<String>>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct Floors {
        pub milan: TcbFloor,
        pub genoa: TcbFloor,
        pub turin: TcbFloor,
    }

    #[derive(Copy, Default)]
    #[serde(default)]
    pub struct TcbFloor {
        pub fmc: Option<u8>,
        pub bootloader: u8,
        pub tee: u8,
        pub snp: u8,
        pub microcode: u8,
    }

    pub struct Anchor {
        pub set: String,
        pub file: Option<PathBuf>,
        pub public_key: Option<PathBuf>,
        pub key_id: Option<String>,
        #[serde(default)]
        pub revocation: AnchorRevocation,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct Endorsements {
        pub files: Vec<PathBuf>,
        pub waive_revocation: bool,
        pub waive_qe_identity: bool,
        pub sources: Vec<EndorsementSource>,
    }

    pub struct EndorsementSource {
        pub kind: SourceKind,
        pub url: String,
        #[serde(default = "system_authorities")]
        pub ca: PathBuf,
    }

    #[serde(default)]
    pub struct Kms {
        pub connector: String,
        pub recoverable_days: u64,
        pub recoverable_days_of: BTreeMap<Tenant, u64>,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct Catalogue {
        pub verification: Option<PathBuf>,
        pub directory: Option<PathBuf>,
    }

    pub struct Plugin {
        pub name: String,
        pub path: Option<PathBuf>,
        pub digest: Option<Digest256>,
        pub anchors: Option<BTreeSet<String>>,
        #[serde(default)]
        pub reads_key_material: bool,
        #[serde(default)]
        pub wraps_for_recipient: bool,
        #[serde(default)]
        pub host_is_recipient: bool,
        #[serde(default)]
        pub settings: BTreeMap<String, String>,
        pub imports: Option<BTreeSet<String>>,
        #[serde(default)]
        pub secrets: BTreeMap<String, PathBuf>,
        #[serde(default)]
        pub http: Vec<HttpTarget>,
        #[serde(default)]
        pub limits: PluginLimits,
    }

    #[derive(Default)]
    #[serde(default)]
    pub struct PluginLimits {
        pub memory_bytes: Option<usize>,
        pub deadline_milliseconds: Option<u64>,
        pub host_calls: Option<u32>,
        pub handles: Option<usize>,
        pub connect_milliseconds: Option<u64>,
        pub first_byte_milliseconds: Option<u64>,
        pub idle_milliseconds: Option<u64>,
        pub answer_bytes: Option<usize>,
        pub requests_at_once: Option<usize>,
    }
}

/// Where the master key comes from: exactly one of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum MasterKey {
    Environment { variable: String },
    File { path: PathBuf },
    Passphrase { path: PathBuf },
}

/// Whether the issuers below an operator's anchor publish revocation lists.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AnchorRevocation {
    #[default]
    Required,
    Unpublished,
}

/// Where Debian and its kin keep the authorities that they trust.
pub(super) fn system_authorities() -> PathBuf {
    "/etc/ssl/certs/ca-certificates.crt".into()
}

fn any_8443() -> SocketAddr {
    ([0, 0, 0, 0], 8443).into()
}

fn five_minutes() -> u64 {
    300
}

fn local_8444() -> SocketAddr {
    ([127, 0, 0, 1], 8444).into()
}

impl Default for Challenge {
    fn default() -> Self {
        Self { lifetime_seconds: 300, remembered: 1_000_000 }
    }
}

impl Default for Token {
    fn default() -> Self {
        Self {
            lifetime_seconds: 300,
            algorithm: TokenAlgorithm::default(),
            rotation_days: 30,
            trust_path: false,
        }
    }
}

impl Default for Kms {
    fn default() -> Self {
        Self {
            connector: "kms-local".to_owned(),
            recoverable_days: Recoverable::default().days,
            recoverable_days_of: BTreeMap::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let settings = HttpSettings::default();
        Self {
            body_bytes: settings.body_bytes,
            json_depth: settings.json_depth,
            request_seconds: settings.request_timeout.as_secs(),
            body_seconds: settings.body_timeout.as_secs(),
            drain_seconds: settings.drain_deadline.as_secs(),
            requests_at_once: settings.requests_at_once,
            requests_per_client: settings.requests_per_client,
            connections: settings.connections,
            connections_per_client: settings.connections_per_client,
            requests_per_second: 100,
            burst: 200,
        }
    }
}

impl Default for Snp {
    fn default() -> Self {
        let policy = SnpPolicy::default();
        Self {
            policy: Vec::new(),
            measurements: Vec::new(),
            vmpl: policy.vmpl,
            milan: policy.milan,
            allow_debug: policy.allow_debug,
            allow_migration_agent: policy.allow_migration_agent,
            allow_smt: policy.allow_smt,
            allow_cxl: policy.allow_cxl,
            allow_vlek: policy.allow_vlek,
            require_alias_check: policy.require_alias_check,
            require_ciphertext_hiding: policy.require_ciphertext_hiding,
            minimum_tcb: Floors::default(),
            chip_ids: None,
            rollback_protection: true,
        }
    }
}

impl From<TcbFloor> for Tcb {
    fn from(floor: TcbFloor) -> Self {
        let TcbFloor { fmc, bootloader, tee, snp, microcode } = floor;
        Self { fmc, bootloader, tee, snp, microcode }
    }
}
