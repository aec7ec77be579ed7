//! From a configuration to what a host is built from. Files are read here; nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::sections::{
    Admin, Anchor, AnchorRevocation, Appraisal, Authority, Catalogue, Kms, Limits, MasterKey,
    Plugin, Reference, Signer, Snp,
};
use super::{Config, ConfigError, administrators, azure, remote};
use crate::appraisal::{Appraiser, KINDS, MinimumTcb, SnpPolicy, TeePolicy, kind};
use crate::assemble::{AnchorPlan, AuditPlan, Plan, PluginPlan};
use crate::audit;
use crate::credentials::CredentialPlan;
use crate::egress::SystemResolver;
use crate::endorsements::{Archive, SourcePlan};
use crate::files;
use crate::flow::TokenSettings;
use crate::flow::vault::Recoverable;
use crate::foreign::{IssuerPlan, Issuers};
use crate::http::{AdminListener, HttpSettings, Listener, Listeners, Rate, ServerCertificate};
use crate::plugin::verification::Verification;
use crate::plugin::{self, LifePlan};
use crate::policy::{LONGEST_SOURCE, Module};
use crate::quote::Revocation;
use crate::reference::{Group, ReferencePlan, SignerPlan, Signers};
use crate::secret::Secret;
use crate::store::{self, Store, private_file};

/// The longest passphrase file, in bytes.
const LONGEST_PASSPHRASE: u64 = 4096;

/// The largest file with a signer's public key, in bytes.
const LARGEST_SIGNER_KEY: u64 = 16 << 10;

/// How long a call may last of a connector whose service is far away, where nothing else is said.
const REMOTE: Duration = Duration::from_secs(10);

/// The largest file of certificates or revocation lists, in bytes.
const LARGEST_ENDORSEMENT: u64 = 16 << 20;

/// What a configuration asks for.
pub struct Planned {
    /// The host.
    pub plan: Plan,
    /// The bounds of its doors.
    pub settings: HttpSettings,
    /// Its doors.
    pub listeners: Listeners,
}

/// Reads the files that a configuration names, and puts together what it asks for, over `store`.
pub fn plan(config: Config, store: Arc<dyn Store>) -> Result<Planned, ConfigError> {
    let state = &config.host.state;
    let Kms { connector: kms, recoverable_days: days, recoverable_days_of: of } = config.kms;
    let recoverable = Recoverable { days, of };
    for (key, days) in std::iter::once(("kms.recoverable_days".to_owned(), &recoverable.days))
        .chain(
            recoverable
                .of
                .iter()
                .map(|(tenant, days)| (format!("kms.recoverable_days_of.{tenant}"), days)),
        )
    {
        if !Recoverable::RANGE.contains(days) {
            return Err(ConfigError::value(key, "from 7 to 90 days"));
        }
    }
    let lifetimes = [
        ("challenge.lifetime_seconds", config.challenge.lifetime_seconds),
        ("token.lifetime_seconds", config.token.lifetime_seconds),
    ];
    for (key, seconds) in lifetimes {
        if !(1..=86_400).contains(&seconds) {
            return Err(ConfigError::value(key, "from 1 second to a day (86400)"));
        }
    }
    if config.challenge.remembered == 0 {
        return Err(ConfigError::value("challenge.remembered", "at least 1"));
    }
    // It names the audit log.
    if !audit::key::is_name(&config.host.id) {
        return Err(ConfigError::value("host.id", audit::key::NAME_RULE));
    }
    if !config.host.issuer.starts_with("https://") {
        return Err(ConfigError::value("host.issuer", "an https URL"));
    }
    let rollback_protection = config.snp.rollback_protection;
    let defaults = audit::Settings::default();
    let audit = AuditPlan {
        directory: config.audit.directory.unwrap_or_else(|| state.join("audit")),
        settings: audit::Settings {
            checkpoint_interval: config
                .audit
                .checkpoint_seconds
                .map_or(defaults.checkpoint_interval, Duration::from_secs),
            checkpoint_records: config
                .audit
                .checkpoint_records
                .unwrap_or(defaults.checkpoint_records),
            ..defaults
        },
    };
    folder("host.state", state)?;
    folder("audit.directory", &audit.directory)?;
    if let Some(admin) = config.admin.as_ref().filter(|it| clash(it.listen, config.api.listen)) {
        let reason = format!("{} is where workloads are served (api.listen)", admin.listen);
        return Err(ConfigError::value("admin.listen", reason));
    }
    let authorities = authorities(config.authority, &config.host.issuer)?;
    let appraisal = appraisal(config.appraisal)?;
    let mut endorsements = Vec::new();
    for path in &config.endorsements.files {
        let file = files::read_bounded(path, LARGEST_ENDORSEMENT)
            .map_err(|error| unreadable("endorsements.files", path, &error))?;
        let opened = Archive::open(file).map_err(|why| {
            ConfigError::value("endorsements.files", format!("{}: {why}", path.display()))
        })?;
        endorsements.extend(opened);
    }
    let sources = config.endorsements.sources.iter().map(|source| {
        let ca = files::read_bounded(&source.ca, LARGEST_ENDORSEMENT)
            .map_err(|error| unreadable("endorsements.sources", &source.ca, &error))?;
        let plan = SourcePlan { kind: source.kind, url: source.url.clone(), ca };
        plan.check().map_err(|why| ConfigError::value("endorsements.sources", why))?;
        Ok(plan)
    });
    let endorsement_sources = sources.collect::<Result<_, ConfigError>>()?;
    let plan = Plan {
        endorsement_sources,
        id: config.host.id,
        issuer: config.host.issuer,
        development: false,
        challenge_seconds: config.challenge.lifetime_seconds,
        spent_capacity: config.challenge.remembered,
        token_seconds: config.token.lifetime_seconds,
        token: TokenSettings {
            algorithm: config.token.algorithm,
            trust_path: config.token.trust_path,
            rotation: (config.token.rotation_days > 0)
                .then(|| config.token.rotation_days.saturating_mul(86_400)),
        },
        snp: snp(config.snp)?,
        appraisal: appraisal.policies,
        configured: appraisal.groups,
        reference: reference(config.reference)?,
        authorities,
        rollback_protection,
        revocation: match config.endorsements.waive_revocation {
            true => Revocation::Waived,
            false => Revocation::Required,
        },
        waive_qe_identity: config.endorsements.waive_qe_identity,
        endorsements,
        unpublished_revocation: unpublished(&config.anchors),
        anchors: config.anchors.into_iter().map(anchor).collect::<Result<_, _>>()?,
        simulated_roots: Vec::new(),
        bundled: config.host.bundled_plugins,
        life: life(&config.catalogue, state)?,
        plugins: plugins(
            config.plugins,
            &remote::credentials(config.credentials)?,
            config.catalogue.verification.is_some(),
        )?,
        kms,
        recoverable,
        store,
        master_key: master_key(config.master_key)?,
        audit,
        plugin_cache: Some(state.join("plugin-cache")),
        on_progress: None,
        resolver: Arc::new(SystemResolver),
    };
    let certificate = certificate("api", &config.api.certificate, &config.api.key)?;
    let admin = config.admin.map(|admin| self::admin(admin, &certificate)).transpose()?;
    let api = Listener { address: config.api.listen, certificate };
    let azure = config.azure.map(azure::plan).transpose()?;
    let listeners = Listeners { api, admin, azure };
    Ok(Planned { plan, settings: settings(&config.limits)?, listeners })
}

/// A folder that is there, or can be made: whatever is there of its path is a folder.
fn folder(key: &str, path: &Path) -> Result<(), ConfigError> {
    let there = path.ancestors().find_map(|part| Some((part, part.metadata().ok()?)));
    match there {
        Some((part, metadata)) if !metadata.is_dir() => {
            Err(ConfigError::value(key, format!("{} is no folder", part.display())))
        }
        _ => Ok(()),
    }
}

/// Whether the second of two listeners would find its address taken. The system chooses another port
/// for each where none is named.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || everywhere && one.is_ipv4() == other.is_ipv4())
}

fn unreadable(key: &str, path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::value(key, format!("{}: {error}", path.display()))
}

fn certificate(
    section: &str,
    certificate: &Path,
    key: &Path,
) -> Result<Arc<ServerCertificate>, ConfigError> {
    ServerCertificate::open(certificate, key).map_err(|error| ConfigError::value(section, error))
}

fn admin(admin: Admin, of_api: &Arc<ServerCertificate>) -> Result<AdminListener, ConfigError> {
    let certificate = match (&admin.certificate, &admin.key) {
        (Some(certificate), Some(key)) => self::certificate("admin", certificate, key)?,
        (None, None) => Arc::clone(of_api),
        _ => return Err(ConfigError::value("admin", "`certificate` and `key` go together")),
    };
    let client_authority = match &admin.client_authority {
        None => None,
        Some(path) => {
            let pem = files::read_bounded(path, LARGEST_ENDORSEMENT);
            Some(pem.map_err(|error| unreadable("admin.client_authority", path, &error))?)
        }
    };
    let administrators = administrators::plan(admin.administrators, client_authority.is_some())?;
    let listener = Listener { address: admin.listen, certificate };
    Ok(AdminListener { listener, client_authority, administrators })
}

fn settings(limits: &Limits) -> Result<HttpSettings, ConfigError> {
    let counts = [
        ("body_bytes", limits.body_bytes),
        ("json_depth", limits.json_depth),
        ("requests_at_once", limits.requests_at_once),
        ("requests_per_client", limits.requests_per_client),
        ("connections", limits.connections),
        ("connections_per_client", limits.connections_per_client),
    ];
    for (name, count) in counts {
        if count == 0 || count > 1 << 26 {
            return Err(ConfigError::value(format!("limits.{name}"), "from 1 to 67108864"));
        }
    }
    for (name, seconds) in
        [("request_seconds", limits.request_seconds), ("drain_seconds", limits.drain_seconds)]
    {
        if !(1..=3600).contains(&seconds) {
            return Err(ConfigError::value(format!("limits.{name}"), "from 1 to 3600"));
        }
    }
    if !(1..limits.request_seconds).contains(&limits.body_seconds) {
        let reason = "at least 1, and less than limits.request_seconds";
        return Err(ConfigError::value("limits.body_seconds", reason));
    }
    let rate = (limits.requests_per_second > 0).then(|| Rate {
        burst: limits.burst.max(1),
        interval: Duration::from_secs(1) / limits.requests_per_second,
    });
    Ok(HttpSettings {
        body_bytes: limits.body_bytes,
        json_depth: limits.json_depth,
        request_timeout: Duration::from_secs(limits.request_seconds),
        drain_deadline: Duration::from_secs(limits.drain_seconds),
        body_timeout: Duration::from_secs(limits.body_seconds),
        requests_at_once: limits.requests_at_once,
        requests_per_client: limits.requests_per_client,
        connections: limits.connections,
        connections_per_client: limits.connections_per_client,
        rate,
        ..HttpSettings::default()
    })
}

pub(super) fn snp(snp: Snp) -> Result<SnpPolicy, ConfigError> {
    let chip_id = |text: String| {
        let id = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        id.filter(|id| matches!(id.len(), 8 | 64))
            .ok_or_else(|| ConfigError::value("snp.chip_ids", "8 or 64 bytes in hexadecimal"))
    };
    let policy = SnpPolicy {
        policy: modules("snp.policy", snp.policy)?,
        measurements: snp.measurements.iter().map(|hex| hex.0.to_vec()).collect(),
        vmpl: snp.vmpl,
        allow_smt: snp.allow_smt,
        allow_debug: snp.allow_debug,
        allow_migration_agent: snp.allow_migration_agent,
        allow_cxl: snp.allow_cxl,
        milan: snp.milan,
        require_alias_check: snp.require_alias_check,
        require_ciphertext_hiding: snp.require_ciphertext_hiding,
        minimum_tcb: MinimumTcb {
            milan: snp.minimum_tcb.milan.into(),
            genoa: snp.minimum_tcb.genoa.into(),
            turin: snp.minimum_tcb.turin.into(),
        },
        chip_ids: snp
            .chip_ids
            .map(|ids| ids.into_iter().map(chip_id).collect::<Result<_, _>>())
            .transpose()?,
        allow_vlek: snp.allow_vlek,
    };
    // Compiled once here, where a policy that is none is a fault of the configuration.
    Appraiser::new(&policy, None).map_err(|error| ConfigError::value("snp.policy", error))?;
    Ok(policy)
}

/// What a configuration says of kinds of evidence other than SEV-SNP.
#[derive(Debug, Default)]
pub struct AppraisalPlan {
    /// Policies and their settings.
    pub policies: BTreeMap<String, TeePolicy>,
    /// Reference values.
    pub groups: Vec<Group>,
}

pub(super) fn appraisal(
    sections: BTreeMap<String, Appraisal>,
) -> Result<AppraisalPlan, ConfigError> {
    let (mut policies, mut groups) = (BTreeMap::new(), Vec::new());
    for (tee, section) in sections {
        let key = format!("appraisal.{tee}");
        if tee == "snp" {
            return Err(ConfigError::value(key, "SEV-SNP has the section `snp`"));
        }
        for (claim, values) in section.reference {
            for value in values {
                let values = [(claim.clone(), value.into())].into();
                let group = Group { tee: tee.clone(), values };
                group.check().map_err(|why| ConfigError::value(format!("{key}.reference"), why))?;
                groups.push(group);
            }
        }
        let policy = modules(&format!("{key}.policy"), section.policy)?;
        // A verifier of the operator's may be of another kind, and then the policy is his as well.
        if policy.is_empty() && kind(&tee).is_none() {
            let known = KINDS.iter().map(|kind| kind.tee).filter(|tee| *tee != "snp");
            let known = known.collect::<Vec<_>>().join(", ");
            let reason = format!(
                "no built-in policy judges this kind, and none is given; there are: {known}"
            );
            return Err(ConfigError::value(key, reason));
        }
        policies.insert(tee, TeePolicy { policy, settings: section.settings });
    }
    // Compiled once here, where a policy that is none is a fault of the configuration.
    Appraiser::with(&SnpPolicy::default(), &policies, None)
        .map_err(|error| ConfigError::value("appraisal", error))?;
    Ok(AppraisalPlan { policies, groups })
}

fn modules(key: &str, paths: Vec<PathBuf>) -> Result<Vec<Module>, ConfigError> {
    let module = |path: PathBuf| {
        let source = files::read_bounded(&path, LONGEST_SOURCE as u64)
            .map_err(|error| unreadable(key, &path, &error))?;
        let source = String::from_utf8(source)
            .map_err(|_| ConfigError::value(key, format!("{}: not UTF-8", path.display())))?;
        Ok(Module::new(path.display().to_string(), source))
    };
    paths.into_iter().map(module).collect()
}

pub(super) fn reference(reference: Reference) -> Result<ReferencePlan, ConfigError> {
    let read = |signer: Signer| {
        let read = |path: &PathBuf| {
            files::read_bounded(path, LARGEST_SIGNER_KEY)
                .map_err(|error| unreadable("reference.signer", path, &error))
        };
        let key = signer.key.as_ref().map(read).transpose()?.unwrap_or_default();
        let Signer { name, root, tees, claims, tenant, builders, .. } = signer;
        Ok(SignerPlan { name, key, root, tees, claims, tenant, builders })
    };
    let signers = reference.signer.into_iter().map(read).collect::<Result<_, ConfigError>>()?;
    let plan = ReferencePlan { allow_unsigned: reference.allow_unsigned, signers };
    // Read once here, where a key that is none is a fault of the configuration.
    Signers::new(plan.clone()).map_err(|reason| ConfigError::value("reference", reason))?;
    Ok(plan)
}

fn anchor(anchor: Anchor) -> Result<AnchorPlan, ConfigError> {
    const KEY: &str = "anchors";
    let Anchor { set, file, public_key, key_id, .. } = anchor;
    let (path, key_id) = match (file, public_key, key_id) {
        (Some(file), None, None) => (file, None),
        (None, Some(key), None) => (key, Some(Vec::new())),
        (None, Some(key), Some(id)) => {
            let id = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes()).ok();
            let id = id.filter(|id| !id.is_empty());
            let reason = "`key_id` is bytes in hexadecimal";
            (key, Some(id.ok_or_else(|| ConfigError::value(KEY, reason))?))
        }
        _ => {
            let reason = "one of `file` and `public_key`, and `key_id` with the latter only";
            return Err(ConfigError::value(KEY, reason));
        }
    };
    let bytes = files::read_bounded(&path, LARGEST_ENDORSEMENT)
        .map_err(|error| unreadable(KEY, &path, &error))?;
    Ok(AnchorPlan { set, key_id, bytes })
}

fn unpublished(anchors: &[Anchor]) -> BTreeSet<String> {
    let without = anchors.iter().filter(|one| one.revocation == AnchorRevocation::Unpublished);
    without.map(|anchor| anchor.set.clone()).collect()
}

fn authorities(sections: Vec<Authority>, own: &str) -> Result<Vec<IssuerPlan>, ConfigError> {
    let read = |path: Option<PathBuf>| {
        let read = |path: PathBuf| {
            files::read_bounded(&path, LARGEST_ENDORSEMENT)
                .map_err(|error| unreadable("authority", &path, &error))
        };
        path.map(read).transpose()
    };
    let plan = |authority: Authority| {
        let Authority { issuer, audience, ca, jwks, jwks_host, max_token_age } = authority;
        if !(1..=86_400).contains(&max_token_age) {
            let reason = "from 1 second to a day (86400)";
            return Err(ConfigError::value("authority.max_token_age", reason));
        }
        let (ca, jwks) = (read(ca)?, read(jwks)?);
        Ok(IssuerPlan { issuer, audience, ca, jwks, jwks_host, max_token_age })
    };
    let plans = sections.into_iter().map(plan).collect::<Result<Vec<_>, ConfigError>>()?;
    // Read once here, where what cannot be used is a fault of the configuration.
    Issuers::new(plans.clone(), own).map_err(|reason| ConfigError::value("authority", reason))?;
    Ok(plans)
}

fn master_key(source: MasterKey) -> Result<store::MasterKey, ConfigError> {
    let failed = |error: store::MasterKeyError| ConfigError::value("master_key", error);
    match source {
        MasterKey::Environment { variable } => {
            store::MasterKey::environment(&variable).map_err(failed)
        }
        MasterKey::File { path } => {
            store::MasterKey::check_file(&path)
                .map_err(|error| ConfigError::value("master_key.file", error))?;
            Ok(store::MasterKey::file(path))
        }
        MasterKey::Passphrase { path } => {
            let read = private_file::read(&path, LONGEST_PASSPHRASE);
            let text = read
                .map_err(|error| ConfigError::value("master_key.passphrase", error))?
                .ok_or_else(|| {
                    let reason = format!("{} is missing", path.display());
                    ConfigError::value("master_key.passphrase", reason)
                })?;
            let line = text.expose().split(|byte| matches!(byte, b'\n' | b'\r')).next();
            let passphrase = Secret::new(line.unwrap_or_default().to_vec());
            store::MasterKey::passphrase(passphrase).map_err(failed)
        }
    }
}

fn life(section: &Catalogue, state: &Path) -> Result<LifePlan, ConfigError> {
    let read = |path: &PathBuf| {
        Verification::read(path)
            .map_err(|error| ConfigError::value("catalogue.verification", error))
    };
    let verification = section.verification.as_ref().map(read).transpose()?;
    if let Some(directory) = section.directory.as_ref().filter(|path| !path.is_dir()) {
        let reason = format!("{} is no folder", directory.display());
        return Err(ConfigError::value("catalogue.directory", reason));
    }
    if section.directory.is_some() && verification.is_none() {
        let reason = "needs `catalogue.verification`: who may sign what lies there";
        return Err(ConfigError::value("catalogue.directory", reason));
    }
    Ok(LifePlan {
        verification: verification.map(Arc::new),
        directory: section.directory.clone(),
        installed: Some(state.join("plugins")),
    })
}

fn plugins(
    plugins: Vec<Plugin>,
    credentials: &BTreeMap<String, CredentialPlan>,
    verified: bool,
) -> Result<Vec<PluginPlan>, ConfigError> {
    let mut names = BTreeSet::new();
    let mut plans = Vec::new();
    for plugin in plugins {
        let key = || format!("plugins: {}", plugin.name);
        if !names.insert(plugin.name.clone()) {
            return Err(ConfigError::value(key(), "this name is taken"));
        }
        if plugin.digest.is_some() && plugin.path.is_none() {
            return Err(ConfigError::value(key(), "`path` and `digest` go together"));
        }
        if plugin.limits.memory_bytes.is_some_and(|bytes| bytes > plugin::LARGEST_MEMORY) {
            let most = format!("limits.memory_bytes: at most {}", plugin::LARGEST_MEMORY);
            return Err(ConfigError::value(key(), most));
        }
        if plugin.path.is_some() && plugin.digest.is_none() && !verified {
            let reason = "`path` and `digest` go together, where no `catalogue.verification` says who may sign it";
            return Err(ConfigError::value(key(), reason));
        }
        let defaults = plugin::Limits::default();
        let limits = plugin::Limits {
            memory: plugin.limits.memory_bytes.unwrap_or(defaults.memory),
            handles: plugin.limits.handles.unwrap_or(defaults.handles),
            host_calls: plugin.limits.host_calls.unwrap_or(defaults.host_calls),
            deadline: plugin
                .limits
                .deadline_milliseconds
                .map(Duration::from_millis)
                // A service far away takes its time.
                .unwrap_or(if plugin.http.is_empty() { defaults.deadline } else { REMOTE }),
            ..defaults
        };
        plans.push(PluginPlan {
            name: plugin.name.clone(),
            path: plugin.path,
            digest: plugin.digest.map(|digest| digest.0),
            anchors: plugin.anchors.unwrap_or_else(|| PluginPlan::default().anchors),
            values: plugin.settings,
            imports: plugin.imports,
            egress: remote::egress(&plugin.limits),
            secrets: remote::secrets(&plugin.name, plugin.secrets)?,
            targets: remote::targets(&plugin.name, plugin.http, credentials)?,
            reads_key_material: plugin.reads_key_material,
            wraps_for_recipient: plugin.wraps_for_recipient,
            host_is_recipient: plugin.host_is_recipient,
            limits,
        });
    }
    Ok(plans)
}
