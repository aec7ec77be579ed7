//! Putting a host together from a plan: store, keys, plugins, anchors, policies, audit log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::appraisal::{Appraiser, LastSeen, SnpPolicy, TeePolicy};
use crate::audit::{self, AuditLog};
use crate::clock::{Clock, SystemClock};
use crate::egress::{EgressLimits, Resolver, SystemResolver, TargetPlan};
use crate::endorsements::{Endorsements, SourcePlan};
use crate::files;
use crate::flow::vault::{Recoverable, Vault};
use crate::flow::{
    Attestations, Challenges, Host, Keyring, Parts, ReleasePolicies, TokenSettings, Tokens,
};
use crate::foreign::{IssuerPlan, Issuers};
use crate::plugin::catalogue::{Plugins, Source};
use crate::plugin::import::settings::Values;
use crate::plugin::install::configured as configured_plugins;
use crate::plugin::{
    CacheSettings, Catalogue, Engine, EngineSettings, Installer, Kind, LifePlan, Limits, Loader,
    Manifest, OnProgress,
};
use crate::plugin::{admission, grants};
use crate::quote::{AMD, Authority, Revocation};
use crate::random::{Random, SystemRandomness};
use crate::reference::{Group, ReferencePlan, References, Signers};
use crate::secret::Secret;
use crate::store::{Embedded, MasterKey, SealedStore, Store};

/// The largest component that is read from a path, in bytes.
const LARGEST_COMPONENT: u64 = 64 << 20;

/// Everything that a host is made from.
pub struct Plan {
    /// The host's identifier: goes into report data and tokens.
    pub id: String,
    /// `iss` of tokens.
    pub issuer: String,
    /// Whether development switches are on.
    pub development: bool,
    /// How long a challenge is good, in seconds.
    pub challenge_seconds: u64,
    /// How many spent challenges are remembered at most.
    pub spent_capacity: usize,
    /// How long a token is good, in seconds.
    pub token_seconds: u64,
    /// What else is said of tokens.
    pub token: TokenSettings,
    /// What SEV-SNP evidence must be.
    pub snp: SnpPolicy,
    /// What evidence of other kinds must be, by their names.
    pub appraisal: BTreeMap<String, TeePolicy>,
    /// Reference values that stand in the configuration, beside SEV-SNP's measurements.
    pub configured: Vec<Group>,
    /// Who may sign reference values.
    pub reference: ReferencePlan,
    /// Other services whose tokens are looked at.
    pub authorities: Vec<IssuerPlan>,
    /// Whether firmware may not go back behind what its chip has shown.
    pub rollback_protection: bool,
    /// Whether revocation lists are demanded.
    pub revocation: Revocation,
    /// Whether Intel's evidence may do without the identity of the quoting enclave.
    pub waive_qe_identity: bool,
    /// Certificates and revocation lists that the operator has.
    pub endorsements: Vec<Vec<u8>>,
    /// Services that are asked for what evidence comes without.
    pub endorsement_sources: Vec<SourcePlan>,
    /// Trust anchors beside those that vendors publish.
    pub anchors: Vec<AnchorPlan>,
    /// Anchor sets whose issuers publish no revocation lists.
    pub unpublished_revocation: BTreeSet<String>,
    /// Roots of simulated hardware. Only with `development`.
    pub simulated_roots: Vec<Vec<u8>>,
    /// Which of the bundled plugins are loaded; none: all.
    pub bundled: Option<BTreeSet<String>>,
    /// Plugins beside, or instead of, the bundled ones.
    pub plugins: Vec<PluginPlan>,
    /// How plugins are let in and kept.
    pub life: LifePlan,
    /// The connector that holds the keys.
    pub kms: String,
    /// How long what was deleted can be recovered.
    pub recoverable: Recoverable,
    /// Where records are kept.
    pub store: Arc<dyn Store>,
    /// What the store's data key is wrapped under.
    pub master_key: MasterKey,
    /// The audit log.
    pub audit: AuditPlan,
    /// Where compiled plugins are kept; none: they are compiled at each start.
    pub plugin_cache: Option<PathBuf>,
    /// Told what takes time.
    pub on_progress: Option<OnProgress>,
    /// What names resolve to, for connectors' requests.
    pub resolver: Arc<dyn Resolver>,
}

/// One plugin of the operator's.
#[derive(Clone, Debug)]
pub struct PluginPlan {
    /// Its name; that of a bundled one replaces it.
    pub name: String,
    /// The component; none: the bundled one of this name.
    pub path: Option<PathBuf>,
    /// SHA-256 of the component at `path`: no other is loaded. None: any is (development).
    pub digest: Option<[u8; 32]>,
    /// Whether a connector may look inside key material.
    pub reads_key_material: bool,
    /// Whether a connector's service may wrap for the recipient itself.
    pub wraps_for_recipient: bool,
    /// Whether the host is the recipient that a connector's service wraps to, with a key made for the
    /// one release; a target of its must check the service's signature.
    pub host_is_recipient: bool,
    /// The sets of trust anchors on which the verdicts of a verifier given by path may rest.
    pub anchors: BTreeSet<String>,
    /// Its settings. In a connector's, `{tenant}` stands for the tenant of a call.
    pub values: Values,
    /// Interfaces that it may import; none: those of its kind, `http` where targets are granted, and
    /// `secrets` where secrets are.
    pub imports: Option<BTreeSet<String>>,
    /// Where a connector's requests may go.
    pub targets: Vec<TargetPlan>,
    /// Bounds on its requests.
    pub egress: EgressLimits,
    /// Secrets that a connector gets by value.
    pub secrets: BTreeMap<String, Secret>,
    /// Bounds on each of its calls.
    pub limits: Limits,
}

impl Default for PluginPlan {
    /// AMD's roots are the only anchors: others are granted by name.
    fn default() -> Self {
        Self {
            name: String::new(),
            path: None,
            digest: None,
            reads_key_material: false,
            wraps_for_recipient: false,
            host_is_recipient: false,
            anchors: BTreeSet::from([AMD.to_owned()]),
            values: Values::default(),
            imports: None,
            targets: Vec::new(),
            egress: EgressLimits::default(),
            secrets: BTreeMap::new(),
            limits: Limits::default(),
        }
    }
}

/// Anchors of the operator's own.
pub struct AnchorPlan {
    /// The set that they are added to.
    pub set: String,
    /// A public key under this identifier instead of a certificate; empty: under its digest.
    pub key_id: Option<Vec<u8>>,
    /// A certificate (PEM or DER), or the key (PEM, DER, JWK).
    pub bytes: Vec<u8>,
}

/// The audit log.
pub struct AuditPlan {
    /// Its directory.
    pub directory: PathBuf,
    /// How it is written.
    pub settings: audit::Settings,
}

/// Builds the host. Slow where plugins have to be compiled.
pub fn assemble(
    mut plan: Plan,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> anyhow::Result<Host> {
    if !plan.development && !plan.simulated_roots.is_empty() {
        bail!("simulated hardware is accepted by development hosts only");
    }
    let store = SealedStore::open(Arc::clone(&plan.store), &plan.master_key, Arc::clone(&random))
        .context("the sealed store")?;
    let store = Arc::new(store);
    let authority = authority(&plan)?;
    let cache = match &plan.plugin_cache {
        None => None,
        Some(directory) => {
            let key = kept(&store, "host/plugin-cache-key", || {
                let mut key = vec![0; 32];
                random.fill(&mut key).map(|()| Secret::new(key))
            })?;
            Some(CacheSettings { directory: directory.clone(), key })
        }
    };
    let plans = std::mem::take(&mut plan.plugins);
    let (catalogue, installer) = plugins(&plan, plans, cache, &store, &clock, &random)?;
    let last_seen = plan.rollback_protection.then(|| LastSeen::new(Arc::clone(&store)));
    let signers = signers(plan.reference)?;
    let mut groups = configured(&plan.snp);
    groups.extend(plan.configured);
    let references = References::new(Arc::clone(&store), signers, groups);
    let appraiser =
        Appraiser::with(&plan.snp, &plan.appraisal, last_seen).context("the appraisal policy")?;
    let (settings, lifetime) = (plan.token, plan.token_seconds);
    let keyring = Keyring::open(Arc::clone(&store), settings.algorithm, lifetime, clock.now())
        .context("the token signing keys")?;
    let issuers = issuers(plan.authorities, &plan.issuer)?;
    let tokens = Tokens { keyring, issuer: plan.issuer, lifetime, settings };
    let audit_key = kept(&store, "host/audit-key", audit::SigningKey::generate)?;
    let audit = AuditLog::open(
        &plan.audit.directory,
        &plan.id,
        &audit_key,
        Arc::clone(&clock),
        plan.audit.settings,
    )
    .context("the audit log")?;
    let endorsements = match plan.endorsement_sources.as_slice() {
        [] => None,
        sources => {
            let made = Endorsements::new(sources, Arc::clone(&store), Arc::clone(&clock));
            let made = made.map_err(|why| anyhow::anyhow!("endorsements: {why}"))?;
            made.recall(&authority);
            Some(Arc::new(made))
        }
    };
    let vault_random = Arc::clone(&random);
    let challenges =
        Challenges::new(plan.id, plan.challenge_seconds, plan.spent_capacity, Arc::clone(&random))?;
    Ok(Host::new(Parts {
        clock,
        random,
        challenges,
        catalogue,
        installer,
        authority: Arc::new(authority),
        endorsements,
        appraiser,
        references,
        issuers,
        tokens,
        release_policies: ReleasePolicies::new(Arc::clone(&store)),
        attestations: Attestations::new(Arc::clone(&store)),
        vault: Vault::new(store, vault_random, plan.recoverable),
        audit,
        development: plan.development,
    }))
}

/// Tries what a plan names, anchors, endorsements and plugins, over a store that is thrown away; answers
/// with the plugins, none of which serves anybody.
pub fn check(plan: &Plan) -> anyhow::Result<Arc<Plugins>> {
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    authority(plan)?;
    signers(plan.reference.clone())?;
    issuers(plan.authorities.clone(), &plan.issuer)?;
    let (plans, clock): (_, Arc<dyn Clock>) = (plan.plugins.clone(), Arc::new(SystemClock));
    let store = thrown_away(&random)?;
    let (catalogue, _) = plugins(plan, plans, None, &store, &clock, &random)?;
    Ok(catalogue.plugins())
}

/// A sealed store in memory, under a key that is gone with it.
pub(crate) fn thrown_away(random: &Arc<dyn Random>) -> anyhow::Result<Arc<SealedStore>> {
    let master_key = MasterKey::ephemeral(&**random)?;
    let store = Arc::new(Embedded::in_memory()?);
    Ok(Arc::new(SealedStore::open(store, &master_key, Arc::clone(random))?))
}

fn authority(plan: &Plan) -> anyhow::Result<Authority> {
    let mut builder = Authority::builder().revocation(plan.revocation);
    if plan.revocation == Revocation::Waived {
        tracing::warn!("revocation is waived: a revoked certificate would not be noticed");
    }
    if plan.waive_qe_identity {
        tracing::warn!(
            "the quoting enclave's identity is waived: another enclave could have signed"
        );
        builder = builder.waive_qe_identity();
    }
    for root in &plan.simulated_roots {
        builder = builder.simulated_root(root.as_slice());
    }
    for anchor in &plan.anchors {
        builder = match &anchor.key_id {
            Some(key_id) => builder.pin(&anchor.set, key_id, anchor.bytes.as_slice()),
            None => builder.anchor(&anchor.set, anchor.bytes.as_slice()),
        };
    }
    for set in &plan.unpublished_revocation {
        builder = builder.revocation_of(set, Revocation::Unpublished);
    }
    for endorsement in &plan.endorsements {
        // Intel's collateral is JSON, all else certificates and lists.
        builder = match endorsement.trim_ascii_start().starts_with(b"{") {
            true => builder.collateral(endorsement.as_slice()),
            false => builder.certificate(endorsement.as_slice()),
        };
    }
    builder.build().map_err(|fault| anyhow::anyhow!("trust anchors: {fault}"))
}

fn signers(plan: ReferencePlan) -> anyhow::Result<Signers> {
    Signers::new(plan).map_err(|reason| anyhow::anyhow!("reference values: {reason}"))
}

fn issuers(plans: Vec<IssuerPlan>, own: &str) -> anyhow::Result<Issuers> {
    Issuers::new(plans, own).map_err(|reason| anyhow::anyhow!("authority {reason}"))
}

/// The measurements that stand in the configuration, as reference values.
#[must_use]
pub fn configured(snp: &SnpPolicy) -> Vec<Group> {
    let group = |measurement: &Vec<u8>| Group {
        tee: "snp".to_owned(),
        values: [("measurement".to_owned(), HEXLOWER.encode(measurement).into())].into(),
    };
    snp.measurements.iter().map(group).collect()
}

/// Loads every plugin.
fn plugins(
    plan: &Plan,
    plans: Vec<PluginPlan>,
    cache: Option<CacheSettings>,
    store: &Arc<SealedStore>,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> anyhow::Result<(Catalogue, Installer)> {
    let engine = Engine::new(EngineSettings {
        cache,
        on_progress: plan.on_progress.clone(),
        ..EngineSettings::default()
    })?;
    let (store, clock, random) = (Arc::clone(store), Arc::clone(clock), Arc::clone(random));
    let resolver = Arc::clone(&plan.resolver);
    let loader = Loader { engine, store, clock, random, resolver };
    let verification = plan.life.verification.as_deref();
    let more_may_come = verification.is_some() || plan.development;
    let wanted =
        configured_plugins(plan.bundled.as_ref(), &plan.kms, &plans, verification, more_may_come)?;
    let (life, seconds) = (plan.life.clone(), plan.token_seconds);
    let installer = Installer::new(loader, plans, life, &plan.kms, plan.development, seconds);
    Ok((installer.begin(wanted)?, installer))
}

/// A component from a file, at most as large as the engine would compile.
pub fn read_component(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read_bounded(path, LARGEST_COMPONENT).with_context(|| path.display().to_string())
}

/// A secret of the host's own, made once and kept in the sealed store.
fn kept<E: Into<anyhow::Error>>(
    store: &SealedStore,
    key: &str,
    make: impl FnOnce() -> Result<Secret, E>,
) -> anyhow::Result<Secret> {
    if let Some(kept) = store.get(key)? {
        return Ok(kept);
    }
    let made = make().map_err(Into::into)?;
    if store.swap(key, None, Some(made.expose()))? {
        return Ok(made);
    }
    store.get(key)?.context("a secret that was just made is gone")
}

/// What a component is, and whether a host would admit it.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// Its name, by its manifest.
    pub name: String,
    /// `verifier` or `kms`.
    pub kind: Kind,
    /// Its version.
    pub version: String,
    /// What it says that it is for.
    pub description: String,
    /// SHA-256 of the component, lower-case hexadecimal.
    pub digest: String,
    /// Its size.
    pub bytes: usize,
    /// The version of the interfaces that it was built for; `none` where it has none of them.
    pub interface: String,
    /// How many signatures came along; whose they are is not looked at.
    pub signatures: usize,
    /// Who signed it, where a verification file was asked.
    pub signers: Option<Vec<String>>,
    /// What it wants to import from the host.
    pub imports: Vec<String>,
    /// The sets of trust anchors that it wants.
    pub anchors: Vec<String>,
    /// Its settings, each with what it means.
    pub settings: BTreeMap<String, String>,
    /// Why it would not be admitted; none: it would.
    pub refused: Option<String>,
}

/// Looks at a component as the host would, over a store that is thrown away.
pub fn inspect(component: &[u8]) -> anyhow::Result<Inspection> {
    let manifest = Manifest::read(component)?;
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = thrown_away(&random)?;
    let engine = Engine::new(EngineSettings { instances: 4, ..EngineSettings::default() })?;
    let interface = admission::interface_version(&engine, component);
    let resolver: Arc<dyn Resolver> = Arc::new(SystemResolver);
    let loader = Loader { engine, store, clock, random, resolver };
    // Whether it would be, once it is granted what it wants.
    let wanted = manifest.imports.iter().filter(|import| grants::exists(import)).cloned();
    let given = PluginPlan { imports: Some(wanted.collect()), ..PluginPlan::default() };
    let given = (manifest.kind == Kind::Kms).then_some(given);
    let loaded = loader.load(&manifest.name, component, Source::File, given.as_ref());
    let digest = digest::digest(&digest::SHA256, component);
    Ok(Inspection {
        name: manifest.name,
        kind: manifest.kind,
        version: manifest.version,
        description: manifest.description,
        digest: HEXLOWER.encode(digest.as_ref()),
        bytes: component.len(),
        interface: interface.unwrap_or_else(|| "none".to_owned()),
        signatures: 0,
        signers: None,
        imports: manifest.imports,
        anchors: manifest.anchors,
        settings: manifest
            .settings
            .iter()
            .map(|(name, setting)| (name.clone(), setting.help().to_owned()))
            .collect(),
        refused: loaded.err().map(|error| format!("{error:#}")),
    })
}
