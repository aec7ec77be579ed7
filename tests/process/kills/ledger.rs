//! What clients know across all kills, held against the log and against the next start.

use std::collections::{BTreeMap, HashMap, HashSet};

use claviger::audit::Digest;
use claviger::client::Client;
use serde_json::Value;

use super::work::{KEY, Known, Work, new};
use crate::support::{Host, block_on};

/// How many answers of a dead host are tried on the next.
const REPLAYED: usize = 6;

#[derive(Default)]
pub(super) struct Ledger {
    /// What the last host left behind.
    last: Work,
    /// Index in the log and digest of every key that arrived.
    received: Vec<(u64, String)>,
    /// The material of each version, as it came out the first time.
    material: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    /// Takes over what clients know after a kill.
    pub(super) fn enter(&mut self, work: Work) {
        for (release, opened) in &work.received {
            let digest = Digest::of(release.jwe.as_bytes()).to_string();
            self.received.push((release.audit_index, digest));
            let material = opened.secret.expose().to_vec();
            let known = self.material.entry(release.version.clone()).or_insert(material.clone());
            assert_eq!(*known, material, "version {} came out as another key", release.version);
        }
        self.last = work;
    }

    pub(super) fn received(&self) -> usize {
        self.received.len()
    }

    /// Releases in the log whose answer nobody got.
    pub(super) fn lost(&self, records: &[Value]) -> usize {
        let released = records.iter().filter(|record| record["event"] == "released").count();
        released - self.received.len()
    }

    /// Every key that arrived stands in the log where the answer says; no challenge has two; every
    /// change that was answered is recorded.
    pub(super) fn check_log(&self, records: &[Value]) {
        for (index, digest) in &self.received {
            let record = usize::try_from(*index).ok().and_then(|index| records.get(index));
            let record =
                record.unwrap_or_else(|| panic!("a key arrived, and record {index} is missing"));
            assert_eq!(record["event"], "released", "{index}");
            assert_eq!(record["key"], KEY, "{index}");
            assert_eq!(record["jwe"], digest.as_str(), "record {index} is of another release");
        }
        let mut challenges = HashSet::new();
        for record in records.iter().filter(|record| record["event"] == "released") {
            let challenge = record["challenge"].as_str().unwrap();
            assert!(challenges.insert(challenge), "two releases on one challenge: {record}");
        }
        let mut changes: HashMap<(&str, &str), HashSet<Option<&str>>> = HashMap::new();
        for record in records {
            if let (Some(event), Some(key)) = (record["event"].as_str(), record["key"].as_str()) {
                changes.entry((event, key)).or_default().insert(record["version"].as_str());
            }
        }
        for (event, key, version) in &self.last.done {
            let recorded = changes.get(&(*event, key.as_str()));
            let recorded = recorded.is_some_and(|versions| versions.contains(&version.as_deref()));
            assert!(recorded, "{event} of {key} version {version:?} was answered and not recorded");
        }
    }

    /// A host that started after a kill: challenges of the last one are void, keys are as they were
    /// said to be, and whatever was in doubt is either there or can be made.
    pub(super) fn check_start(&mut self, host: &Host) {
        let Work { answers, keys, .. } = std::mem::take(&mut self.last);
        block_on(async {
            let (client, administrator) = (host.client(), host.administrator());
            // The last ones: those among them that were in flight, and those that were not sent.
            for answer in answers.iter().rev().take(REPLAYED) {
                let refused = client.release(KEY, answer).await;
                let refused = refused.expect_err("a challenge outlived its host");
                assert_eq!(refused.code(), Some("challenge-invalid"), "{refused}");
            }
            for (name, known) in keys {
                match known {
                    Known::There(version) => {
                        let key = administrator.key(&name).await;
                        let key = key.unwrap_or_else(|error| panic!("{name} is lost: {error}"));
                        assert_eq!(key.version, version, "{name}");
                    }
                    Known::Gone => absent(&administrator, &name).await,
                    Known::InDoubt => settle(&administrator, &name).await,
                }
            }
        });
    }
}

/// Brings a key that may be there or not into a state that is known.
async fn settle(administrator: &Client, name: &str) {
    if administrator.key(name).await.is_err() {
        absent(administrator, name).await;
        let made = administrator.create_key(&new(name)).await;
        made.unwrap_or_else(|error| panic!("{name} is not there and cannot be made: {error}"));
    }
    let deleted = administrator.delete_key(name).await;
    deleted.unwrap_or_else(|error| panic!("{name} cannot be deleted: {error}"));
    absent(administrator, name).await;
}

async fn absent(administrator: &Client, name: &str) {
    let key = administrator.key(name).await;
    let refused = key.expect_err("a key that was deleted is there");
    assert_eq!(refused.code(), Some("key-not-found"), "{name}: {refused}");
}
