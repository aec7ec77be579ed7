//! A case of a whole host: how it is set up, and what happens to it step by step.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use claviger::assemble::Plan;
use claviger::quote::Revocation;
use claviger::quote::snp::Product;
use claviger::simulated::Role;
use claviger::store::{MasterKey, SealedStore};
use claviger_tests::site::{Ground, NOW, Site, family};
use serde::Deserialize;
use tempfile::TempDir;

use crate::choices::SnpChoices;
use crate::steps::{Scene, Step};

const DAY: u64 = 86_400;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostedCase {
    #[serde(rename = "statement")]
    _statement: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    host: HostChoices,
    steps: Vec<Step>,
}

/// What is otherwise than with a sound host.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostChoices {
    snp: Option<SnpChoices>,
    revocation: Option<RevocationChoice>,
    revocation_list: Option<List>,
    trusts_simulated_hardware: Option<bool>,
    issuer: Option<String>,
    id: Option<String>,
    challenge_seconds: Option<u64>,
    token_seconds: Option<u64>,
    rollback_protection: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RevocationChoice {
    Required,
    Waived,
}

/// The revocation list that the host knows.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum List {
    /// None at all.
    None,
    /// One whose time is over.
    Expired,
    /// One whose time has not begun.
    Future,
    /// One that revokes the authority of the guests' chip.
    RevokesAuthority,
}

/// Compiled plugins, for every case: compiling them takes most of a case's time.
fn compiled() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path()
}

/// New ground whose host can believe what another case's host compiled: the key that vouches for it is
/// the same, and nothing else is.
fn ground() -> Ground {
    let ground = Ground::new();
    let master = MasterKey::file(ground.path().join("master.key"));
    let store = SealedStore::open(ground.store.clone(), &master, ground.random.clone()).unwrap();
    assert!(store.swap("host/plugin-cache-key", None, Some(&[0x5a; 32])).unwrap());
    ground
}

impl HostChoices {
    /// Puts them into a plan.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        plan.plugin_cache = Some(compiled().to_owned());
        if let Some(snp) = &self.snp {
            plan.snp = snp.over(plan.snp.clone()).unwrap();
        }
        match self.revocation {
            Some(RevocationChoice::Required) => plan.revocation = Revocation::Required,
            Some(RevocationChoice::Waived) => plan.revocation = Revocation::Waived,
            None => {}
        }
        if let Some(list) = self.revocation_list {
            plan.endorsements = vec![family().ask().to_vec(), family().asvk().to_vec()];
            plan.endorsements.extend(list.der());
        }
        if self.trusts_simulated_hardware == Some(false) {
            plan.simulated_roots.clear();
            plan.endorsements.clear();
        }
        plan.issuer = self.issuer.clone().unwrap_or_else(|| plan.issuer.clone());
        plan.id = self.id.clone().unwrap_or_else(|| plan.id.clone());
        plan.challenge_seconds = self.challenge_seconds.unwrap_or(plan.challenge_seconds);
        plan.token_seconds = self.token_seconds.unwrap_or(plan.token_seconds);
        plan.rollback_protection = self.rollback_protection.unwrap_or(plan.rollback_protection);
    }
}

impl List {
    fn der(self) -> Option<Vec<u8>> {
        let mut list = family().crl_template();
        match self {
            Self::None => return None,
            Self::Expired => {
                list.this_update.0 = NOW.0 - 2 * DAY;
                list.next_update = Some(claviger::clock::Timestamp(NOW.0 - DAY));
            }
            Self::Future => {
                list.this_update.0 = NOW.0 + DAY;
                list.next_update = Some(claviger::clock::Timestamp(NOW.0 + 2 * DAY));
            }
            Self::RevokesAuthority => {
                let serial = Role::Ask.serial(Product::Genoa);
                list = list.revoke(serial, claviger::clock::Timestamp(NOW.0 - DAY));
            }
        }
        Some(family().crl(&list))
    }
}

impl HostedCase {
    /// Whether something is expected at all.
    pub(crate) fn check(self) -> Result<Self, String> {
        match self.steps.iter().any(Step::expects) {
            true => Ok(self),
            false => Err("no step expects anything".to_owned()),
        }
    }

    /// Goes through the steps.
    pub(crate) async fn run(self) -> Result<(), String> {
        let case = self.check()?;
        let ground = ground();
        let mut plan = ground.plan();
        case.host.apply(&mut plan);
        let host = Arc::new(ground.try_build(plan).await?);
        let site = Site { ground, host };
        let mut scene = Scene::new(site).await;
        for (index, step) in case.steps.iter().enumerate() {
            scene = scene.after(step).await.map_err(|why| format!("step {}: {why}", index + 1))?;
        }
        Ok(())
    }
}
