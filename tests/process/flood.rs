//! A flood of challenges that nobody answers leaves nothing behind.

use std::fs;

use claviger::http::ChallengeRequest;
use rustix::process::Pid;
use tokio::task::JoinSet;

use crate::support::{Host, State, block_on};

/// Connections, each kept alive.
const CONNECTIONS: usize = 8;
/// What the host's allocator and its threads take before the flood.
const WARM_UP: usize = 4_000;
const FLOOD: usize = 20_000;
/// Far below what one remembered challenge each would take, above what an allocator wavers by.
const GROWTH: u64 = 1 << 20;

// attack 7
#[test]
fn challenges_that_nobody_answers_take_no_memory() {
    let state = State::new();
    let host = state.start();
    ask(&host, WARM_UP);
    let before = resident(host.pid());
    ask(&host, FLOOD);
    let after = resident(host.pid());
    let growth = after.saturating_sub(before);
    assert!(growth < GROWTH, "resident memory grew by {growth} bytes, from {before} to {after}");
    assert_eq!(host.stop().0, Some(0));
}

fn ask(host: &Host, challenges: usize) {
    block_on(async {
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let client = host.client();
            connections.spawn(async move {
                for number in 0..challenges / CONNECTIONS {
                    let key = format!("key-{}", number % 100);
                    client.challenge(&ChallengeRequest::Release { key }).await.unwrap();
                }
            });
        }
        connections.join_all().await;
    });
}

/// Resident memory in bytes, as the kernel counts it.
fn resident(process: Pid) -> u64 {
    let pages = fs::read_to_string(format!("/proc/{}/statm", process.as_raw_nonzero())).unwrap();
    let resident: u64 = pages.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
    resident * u64::try_from(rustix::param::page_size()).unwrap()
}
