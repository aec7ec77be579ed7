//! A host in this process: on simulated hardware, with a clock that stands still and a store that
//! outlives it. What is promised of a host is tried on one of these.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod guest;
mod hardware;
mod journal;
mod raw;
mod served;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use claviger::appraisal::SnpPolicy;
use claviger::assemble::{AuditPlan, Plan, PluginPlan, assemble};
use claviger::audit;
use claviger::clock::{FixedClock, Timestamp};
use claviger::egress::SystemResolver;
use claviger::error::{Code, Refusal};
use claviger::flow::vault::Recoverable;
use claviger::flow::{
    Attested, Caller, Host, NewKey, NewReleasePolicy, Purpose, ReleasedKey, Submission,
    TokenSettings, Wanted,
};
use claviger::http::Challenge;
use claviger::quote::Revocation;
use claviger::random::{Random, SystemRandomness};
use claviger::reference::ReferencePlan;
use claviger::secret::Secret;
use claviger::simulated::report::ReportTemplate;
use claviger::store::{Embedded, MasterKey, Store};
use claviger::tenant::Tenant;
use tempfile::TempDir;

pub use guest::{Guest, with_evidence};
pub use hardware::{chip, family, family_of, provider};
pub use journal::Journal;
pub use raw::{Answer, Raw};
pub use served::{ADMINISTRATOR, Served};

/// The moment at which every site begins: 2026-11-24T04:00:00Z.
pub const NOW: Timestamp = Timestamp(1_795_492_800);

/// What outlives a host: folder, store, clock and randomness.
pub struct Ground {
    folder: TempDir,
    /// The store that hosts on this ground share, one after the other.
    pub store: Arc<dyn Store>,
    /// Their clock.
    pub clock: Arc<FixedClock>,
    /// Their randomness.
    pub random: Arc<dyn Random>,
}

impl Ground {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: Arc::new(Embedded::in_memory().unwrap()),
            clock: Arc::new(FixedClock::new(NOW)),
            random: Arc::new(SystemRandomness::default()),
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the audit log is.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.path().join("audit")
    }

    /// A sound host's plan: it trusts the simulated family and approves the measurement of its
    /// guests.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let family = hardware::family();
        Plan {
            id: "claviger-test".to_owned(),
            issuer: "https://claviger.test".to_owned(),
            development: true,
            challenge_seconds: 300,
            spent_capacity: 10_000,
            token_seconds: 300,
            token: TokenSettings::default(),
            snp: policy(),
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
            // What simulated guests need; compiling the others would take its time in every test.
            bundled: Some(["kms-local", "verifier-snp"].map(str::to_owned).into()),
            life: claviger::plugin::LifePlan {
                installed: Some(self.path().join("installed")),
                ..claviger::plugin::LifePlan::default()
            },
            plugins: Vec::new(),
            kms: "kms-local".to_owned(),
            recoverable: Recoverable::default(),
            store: Arc::clone(&self.store),
            master_key: MasterKey::file(self.path().join("master.key")),
            audit: AuditPlan { directory: self.audit(), settings: audit::Settings::default() },
            plugin_cache: Some(self.path().join("plugins")),
            on_progress: None,
            resolver: Arc::new(SystemResolver),
        }
    }

    /// A component as a plugin of the operator's, by that name.
    #[must_use]
    pub fn plugin(&self, name: &str, component: &[u8]) -> PluginPlan {
        let path = self.path().join(format!("{name}.wasm"));
        std::fs::write(&path, component).unwrap();
        PluginPlan { name: name.to_owned(), path: Some(path), ..PluginPlan::default() }
    }

    /// Builds a host; why not, in words, where it cannot be built.
    pub async fn try_build(&self, plan: Plan) -> Result<Host, String> {
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let built = tokio::task::spawn_blocking(move || assemble(plan, clock, random));
        built.await.unwrap().map_err(|error| format!("{error:#}"))
    }
}

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}

/// Approves the measurement of the simulated guests; strict in everything else.
#[must_use]
pub fn policy() -> SnpPolicy {
    let measurements = vec![ReportTemplate::default().measurement.to_vec()];
    SnpPolicy { measurements, ..SnpPolicy::default() }
}

/// A host on its ground.
pub struct Site {
    /// What outlives the host.
    pub ground: Ground,
    /// The host.
    pub host: Arc<Host>,
}

impl Site {
    /// A sound host on new ground.
    pub async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A host on new ground, by a changed plan.
    pub async fn with(change: impl FnOnce(&Ground, &mut Plan)) -> Self {
        Self::on(Ground::new(), change).await
    }

    /// A host on this ground, by a changed plan.
    pub async fn on(ground: Ground, change: impl FnOnce(&Ground, &mut Plan)) -> Self {
        let mut plan = ground.plan();
        change(&ground, &mut plan);
        let host = Arc::new(ground.try_build(plan).await.unwrap());
        Self { ground, host }
    }

    /// Ends this host and begins another on the same ground.
    pub async fn again(self, change: impl FnOnce(&Ground, &mut Plan)) -> Self {
        let Self { ground, host } = self;
        host.close().await.unwrap();
        drop(host);
        Self::on(ground, change).await
    }

    /// Moves the clock to so many seconds after [`NOW`].
    pub fn at(&self, seconds: u64) {
        self.ground.clock.set(NOW.plus(seconds));
    }

    /// Makes a 256-bit key of the default tenant; answers with the material that it has.
    pub async fn key(&self, name: &str) -> Vec<u8> {
        self.key_of(&Tenant::default(), name).await
    }

    /// The same for a tenant.
    pub async fn key_of(&self, tenant: &Tenant, name: &str) -> Vec<u8> {
        let mut material = vec![0; 32];
        SystemRandomness::default().fill(&mut material).unwrap();
        let key = NewKey { material: Some(Secret::new(material.clone())), ..new_key(name) };
        self.host.create_key(&caller(tenant), "tests", key).await.unwrap();
        material
    }

    /// A challenge for evidence of which a token is made.
    pub fn challenge(&self, guest: &Guest) -> Challenge {
        self.host.challenge(&guest.caller(), &Purpose::Attestation).unwrap().into()
    }

    /// A challenge for the release of a key.
    pub fn challenge_for(&self, guest: &Guest, key: &str) -> Challenge {
        let purpose = Purpose::Release { key: key.to_owned() };
        self.host.challenge(&guest.caller(), &purpose).unwrap().into()
    }

    /// The whole way of a sound guest: challenge, evidence, key.
    pub async fn release(&self, guest: &Guest, key: &str) -> Result<ReleasedKey, Refusal> {
        let challenge = self.challenge_for(guest, key);
        self.submit(guest, key, guest.answer(&challenge)).await
    }

    /// Evidence and all for one key.
    pub async fn submit(
        &self,
        guest: &Guest,
        key: &str,
        submission: impl Into<Submission>,
    ) -> Result<ReleasedKey, Refusal> {
        let (caller, submission) = (guest.caller(), submission.into());
        self.host.release_with_evidence(&caller, key, None, submission).await
    }

    /// Challenge, evidence, token.
    pub async fn attest(&self, guest: &Guest) -> Result<Attested, Refusal> {
        self.attest_as(guest, Wanted::default()).await
    }

    /// The same in another form.
    pub async fn attest_as(&self, guest: &Guest, wanted: Wanted) -> Result<Attested, Refusal> {
        let submission = guest.answer(&self.challenge(guest)).into();
        self.host.attest(&guest.caller(), submission, wanted).await
    }

    /// A key on a token.
    pub async fn redeem(
        &self,
        guest: &Guest,
        key: &str,
        token: &str,
    ) -> Result<ReleasedKey, Refusal> {
        self.host.release_with_token(&guest.caller(), key, None, token).await
    }

    /// Makes a key under this name and has a sound guest fetch it: nothing that happened before
    /// did harm.
    pub async fn still_serves(&self, name: &str) {
        let (guest, material) = (Guest::new(), self.key(name).await);
        let released = self.release(&guest, name).await.unwrap();
        assert_eq!(guest.open(&released.jwe), material);
        let health = self.host.health().await;
        assert!(health.healthy, "{:?}", health.parts);
    }

    /// The audit log's lines so far.
    #[must_use]
    pub fn records(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.ground.audit().join("audit.jsonl")).unwrap();
        // The last line may be in the middle of being written; whole ones end.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many releases the audit log has.
    #[must_use]
    pub fn releases(&self) -> usize {
        self.records().iter().filter(|record| record["event"] == "released").count()
    }
}

/// A 256-bit key to be generated, for guests that are affirmed.
#[must_use]
pub fn new_key(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        kind: "oct-256".to_owned(),
        material: None,
        release_policy: NewReleasePolicy::affirming(),
    }
}

/// A caller of a tenant.
#[must_use]
pub fn caller(tenant: &Tenant) -> Caller {
    Caller { request_id: "test".to_owned(), tenant: tenant.clone() }
}

/// A tenant by its name.
#[must_use]
pub fn tenant(name: &str) -> Tenant {
    Tenant::parse(name).unwrap()
}

/// The code of a refusal.
///
/// # Panics
/// Where it was not refused.
#[track_caller]
pub fn code<T>(outcome: Result<T, Refusal>) -> Code {
    match outcome {
        Ok(_) => panic!("it was not refused"),
        Err(refusal) => refusal.code,
    }
}
