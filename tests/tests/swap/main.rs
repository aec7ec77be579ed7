//! Plugins are swapped while every core serves (attack 49): no request fails, and none is served by
//! plugins that never stood side by side. Prints latencies before, during and after.
//!
//! `CLAVIGER_SWAP_SECONDS` is how long the load lasts, 30 where it is absent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod latency;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use claviger::client::Client;
use claviger::http::{ChallengeRequest, Plugin};
use claviger::plugin::Package;
use claviger_tests::components::variant;
use claviger_tests::hostile::{START_TRAPS, UNREACHABLE};
use claviger_tests::site::{Guest, Site, with_evidence};
use serde_json::Value;

use latency::{Sample, Span};

const KEY: &str = "k";
const VERIFIER: &str = "verifier-snp";
const CONNECTOR: &str = "kms-local";
const CLIENTS: usize = 8;

/// Challenge, evidence and release over TLS, again and again; what failed stops the test.
async fn guest(
    client: Client,
    material: Arc<Vec<u8>>,
    done: Arc<AtomicBool>,
    start: Instant,
) -> Vec<Sample> {
    let (guest, mut samples) = (Guest::new(), Vec::new());
    let request = ChallengeRequest::Release { key: KEY.to_owned() };
    while !done.load(Ordering::Relaxed) {
        let began = start.elapsed();
        let challenge = client.challenge(&request).await.unwrap();
        let asked = with_evidence(guest.answer(&challenge));
        let released = client.release(KEY, &asked).await.unwrap();
        samples.push(Sample { began, ended: start.elapsed() });
        assert_eq!(guest.open(&released.jwe), **material);
    }
    samples
}

/// What an administrator does, one change after the other.
struct Administrator {
    client: Client,
    /// Digests that serve, verifier and connector; every pair that stood side by side.
    pair: (String, String),
    pairs: HashSet<(String, String)>,
    swaps: Vec<Span>,
    start: Instant,
}

impl Administrator {
    fn serves(&mut self, plugin: Plugin) {
        assert_eq!(plugin.state, "serving");
        match plugin.name.as_str() {
            VERIFIER => self.pair.0 = plugin.digest,
            _ => self.pair.1 = plugin.digest,
        }
        self.pairs.insert(self.pair.clone());
    }

    async fn swap(&mut self, name: &str, component: Vec<u8>) {
        let began = self.start.elapsed();
        let package = Package::unsigned(component);
        let plugin = self.client.swap_plugin(name, &package, false).await.unwrap();
        self.swaps.push(Span { began, ended: self.start.elapsed() });
        self.serves(plugin);
    }

    async fn back(&mut self, name: &str) {
        let began = self.start.elapsed();
        let plugin = self.client.roll_back_plugin(name, false).await.unwrap();
        self.swaps.push(Span { began, ended: self.start.elapsed() });
        self.serves(plugin);
    }

    async fn broken(&mut self, component: &[u8]) {
        let began = self.start.elapsed();
        let package = Package::unsigned(component.to_vec());
        assert!(self.client.swap_plugin(VERIFIER, &package, false).await.is_err());
        self.swaps.push(Span { began, ended: self.start.elapsed() });
    }
}

// attack 49, invariants 5 and 8
#[tokio::test(flavor = "multi_thread")]
async fn twenty_swaps_under_load_fail_and_mix_no_request() {
    let seconds = std::env::var("CLAVIGER_SWAP_SECONDS").ok();
    let seconds: u32 = seconds.map_or(30, |seconds| seconds.parse().unwrap());
    // The clock stands still, so no challenge is ever forgotten.
    let site = Site::with(|_, plan| plan.spent_capacity = 1_000_000).await;
    let material = Arc::new(site.key(KEY).await);
    let served = site.serve().await;
    let (done, start) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let guests: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, material) = (served.client(), Arc::clone(&material));
            tokio::spawn(guest(client, material, Arc::clone(&done), start))
        })
        .collect();
    let client = served.administrator();
    let listed = client.plugins().await.unwrap().plugins;
    let digest = |name: &str| {
        listed.iter().find(|plugin| plugin.name == name).map(|p| p.digest.clone()).unwrap()
    };
    let pair = (digest(VERIFIER), digest(CONNECTOR));
    let pairs = HashSet::from([pair.clone()]);
    let mut administrator = Administrator { client, pair, pairs, swaps: Vec::new(), start };
    // A sixth of the time before the first swap, and behind the last one.
    let sixth = Duration::from_secs(seconds.into()) / 6;
    let pause = sixth * 4 / 20;
    tokio::time::sleep(sixth).await;
    for round in 0..5 {
        administrator.swap(VERIFIER, variant(VERIFIER, round)).await;
        tokio::time::sleep(pause).await;
        administrator.swap(CONNECTOR, variant(CONNECTOR, round)).await;
        tokio::time::sleep(pause).await;
        match round {
            1 => administrator.broken(START_TRAPS).await,
            3 => administrator.broken(UNREACHABLE).await,
            _ => administrator.back(CONNECTOR).await,
        }
        tokio::time::sleep(pause).await;
        administrator.back(VERIFIER).await;
        tokio::time::sleep(pause).await;
    }
    assert!(administrator.swaps.len() >= 20);
    tokio::time::sleep(sixth).await;
    done.store(true, Ordering::Relaxed);
    let mut samples = Vec::new();
    for guest in guests {
        samples.extend(guest.await.unwrap());
    }

    let records = site.records();
    let released = records.iter().filter(|record| record["event"] == "released");
    let mut by_pair = BTreeMap::new();
    for record in released {
        let of = |plugin: &str| record[plugin]["digest"].as_str().unwrap().to_owned();
        let pair = (of("verifier"), of("connector"));
        assert!(administrator.pairs.contains(&pair), "mixed: {record}");
        *by_pair.entry(pair).or_insert(0_usize) += 1;
    }
    // Nothing was refused, and nothing released that no guest has.
    let refused: Vec<&Value> =
        records.iter().filter(|record| record["event"] == "refused").collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(by_pair.values().sum::<usize>(), samples.len());
    assert!(by_pair.len() >= 10, "every version has served: {by_pair:?}");
    latency::report(&samples, &administrator.swaps);
    let states: Vec<_> = site.host.plugins().iter().map(|plugin| plugin.state).collect();
    assert!(!states.contains(&"draining"), "{states:?}");
}
