//! A host for a laptop: simulated hardware, a certificate of its own, everything in one folder.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::guest::{HARDWARE, hardware};
use super::out::note;
use super::reserved::Reserved;
use super::serve::{Service, administrator, new_token};
use crate::appraisal::SnpPolicy;
use crate::assemble::{AuditPlan, Plan};
use crate::audit;
use crate::audit::Digest;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::flow::vault::Recoverable;
use crate::flow::{AttestationRules, TokenSettings};
use crate::foreign::{IssuerPlan, Issuers};
use crate::http::azure::{
    AttestationSettings, AzureSettings, Principal, Principals, Proof, Signing, VaultSettings,
};
use crate::http::{
    AdminListener, DevelopmentCertificates, HttpSettings, Listener, Listeners, ServerCertificate,
};
use crate::permission::Permissions;
use crate::plugin::{LifePlan, ProgressEvent};
use crate::quote::Revocation;
use crate::quote::snp::Product;
use crate::random::SystemRandomness;
use crate::reference::ReferencePlan;
use crate::simulated::Family;
use crate::simulated::report::ReportTemplate;
use crate::store::{Embedded, MasterKey, Store};
use crate::tenant::Tenant;

/// What `serve --dev` was told.
pub(super) struct Development {
    /// The folder for state; it is there.
    pub(super) folder: PathBuf,
    /// Whether keys are kept in it, or in memory.
    pub(super) kept: bool,
    /// The administrator's token; none: a new one, printed once.
    pub(super) token: Option<String>,
    pub(super) api: SocketAddr,
    pub(super) admin: SocketAddr,
    /// Who may sign plugins, and where they are dropped in.
    pub(super) life: LifePlan,
    /// Other attestation services whose tokens are believed.
    pub(super) authorities: Vec<IssuerPlan>,
}

impl Development {
    /// What is to be served. Takes its time where hardware is to be minted.
    pub(super) fn service(self) -> anyhow::Result<Service> {
        let Self { folder, kept, token, api, admin, life, authorities } = self;
        let (clock, random) = (SystemClock, SystemRandomness::default());
        note!(
            "\n  DEVELOPMENT HOST, NOT FOR PRODUCTION: simulated hardware is accepted as if it were \
             genuine.\n"
        );
        // First of all: where another host serves from this folder, nothing in it changes, and no token is
        // printed that would not be its own.
        let (store, master_key): (Arc<dyn Store>, _) = if kept {
            let store = Embedded::open(&folder.join("store.redb"))?;
            (Arc::new(store), MasterKey::file(folder.join("master.key")))
        } else {
            (Arc::new(Embedded::in_memory()?), MasterKey::ephemeral(&random)?)
        };
        let reserved = Reserved::new(api)?;
        let api = reserved.address();
        let family = family(&folder, &clock)?;
        let certificates = DevelopmentCertificates::open(&folder, clock.now())?;
        let token = match token {
            Some(token) => token,
            None => {
                let token = new_token(&random)?;
                note!("  administrator's token (shown once): {token}");
                token
            }
        };
        note!("  certificate authority: {}", folder.join("ca.pem").display());
        note!("  state: {}{}\n", folder.display(), if kept { "" } else { " (keys in memory)" });
        let plan = Plan {
            store,
            master_key,
            plugin_cache: kept.then(|| folder.join("plugin-cache")),
            authorities,
            life: LifePlan { installed: kept.then(|| folder.join("plugins")), ..life },
            ..plan(&family, folder.join("audit"), api.port())?
        };
        let certificate = ServerCertificate::from_pem(
            certificates.certificate.as_bytes(),
            certificates.key.expose(),
        )?;
        let listener = |address| Listener { address, certificate: Arc::clone(&certificate) };
        Ok(Service {
            plan,
            // All its clients come from one address.
            settings: HttpSettings {
                rate: None,
                requests_per_client: HttpSettings::default().requests_at_once,
                ..HttpSettings::default()
            },
            listeners: Listeners {
                api: listener(api),
                azure: Some(azure(&folder, &token, clock.now())?),
                admin: Some(AdminListener {
                    listener: listener(admin),
                    client_authority: None,
                    administrators: vec![administrator(&token)],
                }),
            },
            announce: Some(folder),
            reserved: Some(reserved),
            configuration: None,
        })
    }
}

/// Both services, at `localhost` and the port that is listened on. Clients that want a vault's host to
/// stand below the advertised resource's reach it as `vault.localhost`.
fn azure(folder: &Path, token: &str, now: Timestamp) -> anyhow::Result<AzureSettings> {
    let mut azure = AzureSettings::new(None, [("vault".to_owned(), Tenant::default())].into())?;
    // The administrator's token is good here too.
    let principal = Principal {
        name: "development".to_owned(),
        tenant: None,
        proof: Proof::Token(Digest::of(token.as_bytes()).0),
        permissions: Permissions::all(),
    };
    azure.vault = Some(VaultSettings {
        authorization: "https://login.microsoftonline.com/common".to_owned(),
        resource: None,
        principals: Principals::new(vec![principal], Issuers::default()),
        signing: Signing::Development { folder: folder.to_owned(), now },
    });
    // Who holds the administrator's token may set policies.
    let rules = AttestationRules { unsigned_policies: true, ..AttestationRules::default() };
    azure.attestation = Some(AttestationSettings { rules });
    Ok(azure)
}

/// The plan of a development host that trusts `family` and serves workloads on `port`; its store is in
/// memory.
fn plan(family: &Family, audit: PathBuf, port: u16) -> anyhow::Result<Plan> {
    let random = SystemRandomness::default();
    Ok(Plan {
        id: "claviger-development".to_owned(),
        // As Azure's face there calls itself: one document describes both.
        issuer: format!("https://localhost:{port}"),
        development: true,
        challenge_seconds: 300,
        spent_capacity: 1_000_000,
        token_seconds: 300,
        token: TokenSettings::default(),
        snp: SnpPolicy {
            measurements: vec![ReportTemplate::default().measurement.to_vec()],
            ..SnpPolicy::default()
        },
        // What a developer adds in person is what is tried.
        reference: ReferencePlan { allow_unsigned: true, signers: Vec::new() },
        authorities: Vec::new(),
        rollback_protection: true,
        revocation: Revocation::Required,
        endorsements: vec![
            family.ask().to_vec(),
            family.asvk().to_vec(),
            family.crl(&family.crl_template()),
        ],
        appraisal: std::collections::BTreeMap::new(),
        configured: Vec::new(),
        waive_qe_identity: false,
        endorsement_sources: Vec::new(),
        anchors: Vec::new(),
        unpublished_revocation: std::collections::BTreeSet::new(),
        simulated_roots: vec![family.ark().to_vec()],
        bundled: None,
        life: LifePlan::default(),
        plugins: Vec::new(),
        kms: "kms-local".to_owned(),
        recoverable: Recoverable::default(),
        store: Arc::new(Embedded::in_memory()?),
        master_key: MasterKey::ephemeral(&random)?,
        audit: AuditPlan { directory: audit, settings: audit::Settings::default() },
        plugin_cache: None,
        on_progress: Some(Arc::new(|name, event| match event {
            ProgressEvent::Compiling { bytes } => {
                note!("  compiling plugin {name} ({} KiB) …", bytes / 1024);
            }
            ProgressEvent::Compiled { took } => {
                note!("  compiled plugin {name} in {} ms", took.as_millis());
            }
            ProgressEvent::Cached { .. } => {}
        })),
        resolver: Arc::new(crate::egress::SystemResolver),
    })
}

/// The simulated hardware of the folder; minted on first use, or when what it issues has expired.
fn family(folder: &Path, clock: &dyn Clock) -> anyhow::Result<Family> {
    /// Half of the validity of its revocation list, in seconds.
    const FRESH: u64 = 30 * 86_400;
    let path = folder.join(HARDWARE);
    if path.exists() {
        let family = hardware(folder)?;
        if clock.now().since(family.minted()) < FRESH {
            return Ok(family);
        }
    }
    note!("  minting simulated hardware (RSA-4096 keys) …");
    let family = Family::mint(Product::Genoa, clock.now())?;
    let new = folder.join("simulated-hardware.new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&new)?;
    std::io::Write::write_all(&mut file, family.to_pem()?.expose())?;
    std::fs::rename(&new, &path)?;
    Ok(family)
}
