//! The configuration file of a production host: plain structs, read whole before anything is done.
//! A key that is unknown is refused with its place (a misspelt one would otherwise leave a check at
//! its default), and there is no key for anything that only a development host may do.

mod administrators;
mod azure;
mod plan;
mod remote;
mod sections;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::appraisal::SnpPolicy;
use crate::files;
use crate::misread::Misread;
use crate::reference::ReferencePlan;

pub use azure::{
    Attestation as AzureAttestation, Azure, TokenIssuer, UvmEndorsement, Vault as AzureVault,
    VaultPrincipal,
};
pub use plan::{AppraisalPlan, Planned, plan};
pub use remote::{Credential, HttpTarget};
pub use sections::{
    Admin, Administrator, Anchor, Api, Appraisal, Audit, Authority, Catalogue, Challenge,
    EndorsementSource, Endorsements, Host, Kms, Limits, MasterKey, Plugin, PluginLimits, Reference,
    Signer, Snp, TcbFloor, Token,
};
pub use values::{Digest256, Hex};

/// Every option, commented; the tests read it.
pub const FULL: &str = include_str!("full.toml");

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// A whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The host itself.
    pub host: Host,
    /// Where workloads are served.
    pub api: Api,
    /// Where administration is served; none: there is no administration.
    pub admin: Option<Admin>,
    /// Where the master key comes from.
    pub master_key: MasterKey,
    /// The audit log.
    #[serde(default)]
    pub audit: Audit,
    /// Challenges.
    #[serde(default)]
    pub challenge: Challenge,
    /// Attestation tokens.
    #[serde(default)]
    pub token: Token,
    /// Bounds on what clients may cost.
    #[serde(default)]
    pub limits: Limits,
    /// What SEV-SNP evidence must be.
    #[serde(default)]
    pub snp: Snp,
    /// What evidence of other kinds must be.
    #[serde(default)]
    pub appraisal: BTreeMap<String, Appraisal>,
    /// Who may sign reference values.
    #[serde(default)]
    pub reference: Reference,
    /// Other services whose tokens are looked at.
    #[serde(default)]
    pub authority: Vec<Authority>,
    /// The front door that speaks as Microsoft's services do; none: it is closed.
    pub azure: Option<Azure>,
    /// Certificates and revocation lists.
    #[serde(default)]
    pub endorsements: Endorsements,
    /// Trust anchors of the operator's own.
    #[serde(default)]
    pub anchors: Vec<Anchor>,
    /// Which connector holds the keys.
    #[serde(default)]
    pub kms: Kms,
    /// How plugins come in after the configuration was written.
    #[serde(default)]
    pub catalogue: Catalogue,
    /// Credentials that the host attaches to connectors' requests, by name.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// Plugins beside, or instead of, the bundled ones.
    #[serde(default)]
    pub plugins: Vec<Plugin>,
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or a key is unknown, missing, or of the wrong kind.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Text {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It is TOML of the right shape, and a value in it cannot be used.
    #[error("{key}: {reason}")]
    Value {
        /// The key, from the top: `admin.administrators`.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    fn value(key: impl Into<String>, reason: impl ToString) -> Self {
        Self::Value { key: key.into(), reason: reason.to_string() }
    }
}

/// What a configuration says of SEV-SNP evidence, whatever else stands in it.
///
/// # Errors
/// As [`Config::read`], and where a policy cannot be compiled.
pub fn snp_policy(path: &Path) -> Result<SnpPolicy, ConfigError> {
    plan::snp(Config::read(path)?.snp)
}

/// What a configuration says of other kinds of evidence, whatever else stands in it.
///
/// # Errors
/// As [`Config::read`], and where a policy cannot be compiled.
pub fn appraisal_plan(path: &Path) -> Result<AppraisalPlan, ConfigError> {
    plan::appraisal(Config::read(path)?.appraisal)
}

impl Config {
    /// Reads a file. Paths in it are taken from the file's own folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let read = files::read_bounded(path, LARGEST).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into())
        });
        let text = read.map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of the file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| {
            let Misread { line, column, message } = Misread::of(text, &error);
            ConfigError::Text { path: path.to_owned(), line, column, message }
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        config.each_path(|path| *path = folder.join(&*path));
        Ok(config)
    }

    /// Who may sign reference values: what checking a document offline needs.
    pub fn reference_plan(self) -> Result<ReferencePlan, ConfigError> {
        plan::reference(self.reference)
    }

    /// The embedded store's file.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.host.state.join("store.redb")
    }

    fn each_path(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        change(&mut self.host.state);
        change(&mut self.api.certificate);
        change(&mut self.api.key);
        if let Some(admin) = &mut self.admin {
            let files = [&mut admin.certificate, &mut admin.key, &mut admin.client_authority];
            files.into_iter().flatten().for_each(&mut change);
        }
        self.audit.directory.iter_mut().for_each(&mut change);
        self.endorsements.files.iter_mut().for_each(&mut change);
        self.reference
            .signer
            .iter_mut()
            .filter_map(|signer| signer.key.as_mut())
            .for_each(&mut change);
        for authority in &mut self.authority {
            authority.ca.iter_mut().chain(&mut authority.jwks).for_each(&mut change);
        }
        self.azure.iter_mut().for_each(|azure| azure.each_path(&mut change));
        self.snp.policy.iter_mut().for_each(&mut change);
        for appraisal in self.appraisal.values_mut() {
            appraisal.policy.iter_mut().for_each(&mut change);
        }
        for anchor in &mut self.anchors {
            anchor.file.iter_mut().chain(&mut anchor.public_key).for_each(&mut change);
        }
        self.endorsements.sources.iter_mut().for_each(|source| change(&mut source.ca));
        match &mut self.master_key {
            MasterKey::Environment { .. } => {}
            MasterKey::File { path } | MasterKey::Passphrase { path } => change(path),
        }
        let Catalogue { verification, directory } = &mut self.catalogue;
        verification.iter_mut().chain(directory).for_each(&mut change);
        for plugin in &mut self.plugins {
            plugin.path.iter_mut().chain(plugin.secrets.values_mut()).for_each(&mut change);
            plugin.http.iter_mut().for_each(|target| target.each_path(&mut change));
        }
        self.credentials.values_mut().for_each(|credential| credential.each_path(&mut change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"
        [host]
        id = "claviger.example"
        issuer = "https://claviger.example"
        state = "state"
        [api]
        certificate = "server.pem"
        key = "server.key"
        [master_key]
        file = { path = "master.key" }
    "#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/claviger/claviger.toml"))
    }

    #[test]
    fn a_few_lines_are_enough_and_paths_are_taken_from_the_files_folder() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.host.state, Path::new("/etc/claviger/state"));
        assert_eq!(config.api.listen.port(), 8443);
        assert!(config.admin.is_none());
        let more = r#"
            [appraisal.nitro]
            policy = ["nitro.rego"]
            [[anchors]]
            set = "tpm"
            file = "ca.pem"
            [[anchors]]
            set = "tpm"
            public_key = "ak.pem"
            [[endorsements.sources]]
            kind = "amd-kds"
            url = "https://kds.example"
            ca = "kds.pem"
        "#;
        let config = parse(&[LEAST, more].concat()).unwrap();
        let anchors = config.anchors.iter().flat_map(|one| one.file.iter().chain(&one.public_key));
        let paths = config.appraisal.values().flat_map(|one| &one.policy).chain(anchors);
        let paths: Vec<_> =
            paths.chain(config.endorsements.sources.iter().map(|one| &one.ca)).collect();
        assert_eq!(paths.len(), 4);
        assert!(paths.iter().all(|path| path.starts_with("/etc/claviger")), "{paths:?}");
    }

    // attack 63
    #[test]
    fn an_unknown_key_is_refused_at_every_level_with_its_place() {
        let cases = [
            ("[host]", "[host]\nidd = 1", "idd"),
            ("[host]", "[snp]\nmilian = \"refuse\"\n[host]", "milian"),
            ("[host]", "[snp.minimum_tcb.genoa]\nboot = 1\n[host]", "boot"),
            ("[host]", "[[plugins]]\nname = \"x\"\nsha256 = \"y\"\n[host]", "sha256"),
            ("[host]", "[nothing]\n[host]", "nothing"),
        ];
        for (old, new, name) in cases {
            let error = parse(&LEAST.replacen(old, new, 1)).unwrap_err();
            let ConfigError::Text { line, message, .. } = &error else { panic!("{error}") };
            assert!(message.contains(&format!("unknown field `{name}`")), "{error}");
            assert!(*line > 1, "{error}");
        }
    }

    // attacks 34 and 61
    #[test]
    fn a_production_configuration_cannot_accept_simulated_hardware() {
        for switch in [
            "development = true",
            "dev = true",
            "simulated = true",
            "simulated_roots = [\"ark.pem\"]",
        ] {
            for table in ["[host]", "[endorsements]", "[snp]", "[api]"] {
                let text = match LEAST.contains(table) {
                    true => LEAST.replacen(table, &format!("{table}\n{switch}"), 1),
                    false => format!("{LEAST}\n{table}\n{switch}"),
                };
                assert!(matches!(parse(&text), Err(ConfigError::Text { .. })), "{text}");
            }
        }
    }

    #[test]
    fn a_host_is_called_what_its_audit_log_may_be_called() {
        for id in ["", "claviger example", "claviger+example", "clävïger", &"x".repeat(201)] {
            let text = LEAST.replacen("claviger.example", id, 1);
            let store = std::sync::Arc::new(crate::store::Embedded::in_memory().unwrap());
            let refused = plan(parse(&text).unwrap(), store).err();
            assert!(
                matches!(&refused, Some(ConfigError::Value { key, .. }) if key == "host.id"),
                "{id}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_a_host_could_not_start_with_is_a_fault_of_its_configuration() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, length: usize, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![7; length]).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        put("short.key", 31, 0o600);
        put("open.key", 32, 0o640);
        put("good.key", 32, 0o600);
        let before = |table: &str| format!("{table}\n[api]");
        let refused = |old: &str, new: &str| {
            let text = LEAST.replacen(old, new, 1);
            let config = Config::parse(&text, &folder.path().join("claviger.toml")).unwrap();
            let store = std::sync::Arc::new(crate::store::Embedded::in_memory().unwrap());
            plan(config, store).err().unwrap().to_string()
        };
        let source = "[[endorsements.sources]]\nkind = \"amd-kds\"\nca = \"good.key\"\n";
        for (old, new, wanted) in [
            ("\"state\"", "\"good.key\"", "host.state: "),
            ("\"state\"", "\"good.key/state\"", "host.state: "),
            ("[api]", &before("[audit]\ndirectory = \"good.key\""), "audit.directory: "),
            ("[api]", &before("[admin]\nlisten = \"0.0.0.0:8443\""), "admin.listen: "),
            ("[api]", &before("[admin]\nlisten = \"127.0.0.1:8443\""), "admin.listen: "),
            ("master.key", "short.key", "master_key.file: "),
            ("master.key", "open.key", "master_key.file: "),
            (
                "[api]",
                &before(&format!("{source}url = \"http://kds.example\"")),
                "endorsements.sources: http://kds.example: not https",
            ),
            ("[api]", &before("[appraisal.foo]"), "appraisal.foo: "),
        ] {
            let refused = refused(old, new);
            assert!(refused.starts_with(wanted), "{new}: {refused}");
        }
        assert!(refused("[api]", &before("[appraisal.foo]")).contains("az-snp, az-tdx"));
        // What comes last, the certificate, is missing here.
        for (old, new) in [
            ("\"state\"", "\"not/yet/there\""),
            ("[api]", &*before("[admin]\nlisten = \"127.0.0.1:8444\"")),
            ("master.key", "good.key"),
            ("master.key", "none.key"),
        ] {
            let refused = refused(old, new);
            assert!(refused.starts_with("api: "), "{new}: {refused}");
        }
    }

    #[test]
    fn what_is_deleted_can_be_recovered_for_7_to_90_days() {
        let planned = |kms: &str| {
            let text = LEAST.replacen("[master_key]", &format!("[kms]\n{kms}\n[master_key]"), 1);
            let store = std::sync::Arc::new(crate::store::Embedded::in_memory().unwrap());
            plan(parse(&text).unwrap(), store).err().map(|error| error.to_string())
        };
        for (kms, key) in [
            ("recoverable_days = 6", "kms.recoverable_days:"),
            ("recoverable_days = 91", "kms.recoverable_days:"),
            ("recoverable_days_of = { hr = 0 }", "kms.recoverable_days_of.hr:"),
        ] {
            let refused = planned(kms).unwrap();
            assert!(refused.starts_with(key), "{kms}: {refused}");
        }
        for kms in ["recoverable_days = 7", "recoverable_days_of = { hr = 7, it = 90 }"] {
            let refused = planned(kms).unwrap_or_default();
            assert!(!refused.contains("recoverable"), "{kms}: {refused}");
        }
    }

    #[test]
    fn the_full_example_has_every_option_and_its_comments_tell_the_defaults() {
        let full = parse(FULL).unwrap();
        assert!(full.admin.is_some() && !full.plugins.is_empty());
        // What is approved is for the operator to say.
        assert!(full.snp.measurements.is_empty());
        assert!(full.appraisal.values().all(|section| section.reference.is_empty()));
        // An option that is not in the example would not be found by anybody.
        for name in sections::NAMES.iter().chain(azure::names()) {
            let named = |line: &str| {
                let line = line.trim_start_matches("# ");
                line.split(['=', ' ', ']', '.']).any(|word| word.trim_start_matches('[') == *name)
            };
            assert!(FULL.lines().any(named), "{name} is not in full.toml");
        }
    }
}
