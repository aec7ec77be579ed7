//! Swaps of plugins in the real binary under load, with what clients see of them: how long answers take
//! before, during and after. For figures of a release build:
//!
//! ```sh
//! CLAVIGER_BINARY=$PWD/target/release/claviger CLAVIGER_SWAP_SECONDS=30 \
//!     cargo test --workspace --test process -- --ignored --nocapture swaps
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use claviger::client::Client;
use claviger::http::{ChallengeRequest, NewKeyRequest};
use claviger::plugin::Package;
use claviger_tests::components::variant;
use rustix::process::Signal;
use serde_json::Value;

use crate::latency::{self, Sample, Span};
use crate::support::{Guest, State};

const KEY: &str = "k";
const PLUGINS: [&str; 2] = ["verifier-snp", "kms-local"];
const SWAPS: u8 = 20;

/// Challenge and release, again and again. Only the host's answers are timed: what the guest does between
/// them, simulated hardware's signature among it, is work of this process.
async fn guest(client: Client, done: Arc<AtomicBool>, start: Instant) -> Vec<Sample> {
    let (guest, mut samples) = (Guest::new(), Vec::new());
    let request = ChallengeRequest::Release { key: KEY.to_owned() };
    while !done.load(Ordering::Relaxed) {
        let began = start.elapsed();
        let challenge = client.challenge(&request).await.unwrap();
        let challenged = start.elapsed();
        let asked = guest.answer(&challenge);
        let asking = start.elapsed();
        let released = client.release(KEY, &asked).await.unwrap();
        let ended = start.elapsed();
        // As if the second request had followed on the first answer.
        samples.push(Sample { began: began + (asking - challenged), ended });
        assert_eq!(guest.open(&released).secret.len(), 32);
    }
    samples
}

// attack 49
#[test]
#[ignore = "measures, for as long as CLAVIGER_SWAP_SECONDS says: 30"]
fn twenty_swaps_in_the_real_binary_fail_no_request() {
    let seconds = std::env::var("CLAVIGER_SWAP_SECONDS").ok();
    let seconds: u32 = seconds.map_or(30, |seconds| seconds.parse().unwrap());
    let state = State::new();
    let mut launch = state.launch();
    launch.command.env("CLAVIGER_LOG", "warn,claviger::command=info");
    let host = launch.serving();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (samples, swaps) = runtime.block_on(async {
        let administrator = host.administrator();
        let key = NewKeyRequest {
            name: KEY.to_owned(),
            kind: "oct-256".to_owned(),
            material: None,
            release_policy: "affirming".into(),
        };
        administrator.create_key(&key).await.unwrap();
        let (done, start) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let guests: Vec<_> =
            (0..4).map(|_| tokio::spawn(guest(host.client(), Arc::clone(&done), start))).collect();
        // A sixth of the time before the first swap, and behind the last one.
        let sixth = Duration::from_secs(seconds.into()) / 6;
        tokio::time::sleep(sixth).await;
        let mut swaps = Vec::new();
        for number in 0..SWAPS {
            let name = PLUGINS[usize::from(number) % PLUGINS.len()];
            let package = Package::unsigned(variant(name, number));
            let began = start.elapsed();
            let plugin = administrator.swap_plugin(name, &package, false).await.unwrap();
            swaps.push(Span { began, ended: start.elapsed() });
            assert_eq!(plugin.state, "serving");
            tokio::time::sleep(sixth * 4 / u32::from(SWAPS)).await;
        }
        tokio::time::sleep(sixth).await;
        done.store(true, Ordering::Relaxed);
        let mut samples = Vec::new();
        for guest in guests {
            samples.extend(guest.await.unwrap());
        }
        (samples, swaps)
    });
    latency::report(&samples, &swaps);
    let log = state.path().join("audit/audit.jsonl");
    host.signal(Signal::TERM);
    let (code, said) = host.ended();
    assert_eq!(code, Some(0), "{said}");
    let records: Vec<Value> = std::fs::read_to_string(log)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |event: &str| records.iter().filter(|record| record["event"] == event).count();
    assert_eq!((count("released"), count("refused")), (samples.len(), 0));
}
