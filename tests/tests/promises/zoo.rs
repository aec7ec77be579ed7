//! Every misdeed of the hostile plugins, one after the other: none keeps another request waiting longer
//! than it takes to look at other work, and none leaves memory behind.

use std::time::{Duration, Instant};

use claviger::plugin::Limits;
use claviger_tests::hostile::{CONNECTOR, RECURSES, TABLE_GROWS, UNREACHABLE, VERIFIER, deed};
use claviger_tests::site::{Guest, Site, family};

/// What [`VERIFIER`] is told; see `tests/hostile-verifier`.
const VERIFIER_DEEDS: [&str; 12] = [
    "endless-loop",
    "recursion",
    "memory",
    "statements",
    "signers",
    "giant-result",
    "giant-words",
    "giant-line",
    "host-calls",
    "panic",
    "log-flood",
    "log-forgery",
];

/// What [`CONNECTOR`] does where a key is called so; see `tests/hostile-kms`.
const CONNECTOR_DEEDS: [&str; 6] =
    ["endless-loop", "memory", "handles", "host-calls", "panic", "words-giant"];

/// A plugin computes for a tick of 1 ms before its thread looks at other work. What a busy machine adds
/// is not the plugin's: the bound is generous, and a call that held the thread would last 300 ms.
const QUANTUM: Duration = Duration::from_millis(150);

/// So long an endless call lasts here.
const DEADLINE: Duration = Duration::from_millis(300);

fn limits() -> Limits {
    Limits { deadline: DEADLINE, ..Limits::default() }
}

fn guest() -> Guest {
    let mut guest = Guest::new();
    guest.hardware.attachments.push(family().ask().to_vec());
    guest
}

async fn verifying(component: &[u8]) -> Site {
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("verifier-snp", component);
        plugin.limits = limits();
        plan.plugins.push(plugin);
    })
    .await;
    site.key("k").await;
    site
}

async fn connected() -> Site {
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("kms-hostile", CONNECTOR);
        plugin.limits = limits();
        plan.plugins.push(plugin);
        plan.kms = "kms-hostile".to_owned();
    })
    .await;
    for name in CONNECTOR_DEEDS {
        site.key(name).await;
    }
    site
}

async fn told(site: &Site, name: &str) {
    let guest = guest();
    let challenge = site.challenge_for(&guest, "k");
    let evidence = deed(name, &[&guest.report(&challenge)]);
    let _ = site.submit(&guest, "k", guest.answer_with(&challenge, evidence)).await;
}

/// How long other work on the same thread had to wait at most while this was done.
async fn longest_wait(work: impl Future<Output = ()>) -> Duration {
    let (mut work, mut longest) = (Box::pin(work), Duration::ZERO);
    loop {
        let began = Instant::now();
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(work.as_mut().poll(context).is_ready())
        });
        let done = polled.await;
        longest = longest.max(began.elapsed());
        if done {
            return longest;
        }
        // Other work of this thread.
        tokio::task::yield_now().await;
    }
}

// attack 45, invariant 7
#[tokio::test]
async fn no_misdeed_keeps_other_work_on_its_thread_waiting() {
    let site = verifying(VERIFIER).await;
    let mut waits = Vec::new();
    for name in VERIFIER_DEEDS {
        waits.push((name, longest_wait(told(&site, name)).await));
    }
    for (name, component) in
        [("stack", RECURSES), ("table", TABLE_GROWS), ("unreachable", UNREACHABLE)]
    {
        let site = verifying(component).await;
        let work = async {
            let _ = site.release(&Guest::new(), "k").await;
        };
        waits.push((name, longest_wait(work).await));
    }
    let connected = connected().await;
    for name in CONNECTOR_DEEDS {
        let work = async {
            let _ = connected.release(&Guest::new(), name).await;
        };
        waits.push((name, longest_wait(work).await));
    }
    for (name, wait) in &waits {
        println!("{name:<16} {wait:>9.1?}");
        assert!(*wait < QUANTUM, "{name}: {wait:?}");
    }
    site.still_serves("after").await;
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

// attack 45, invariant 7
#[tokio::test]
async fn misdeeds_leave_no_memory_behind() {
    let (site, connected) = (verifying(VERIFIER).await, connected().await);
    let round = async || {
        for name in VERIFIER_DEEDS.iter().filter(|name| **name != "endless-loop") {
            told(&site, name).await;
        }
        for name in CONNECTOR_DEEDS.iter().filter(|name| **name != "endless-loop") {
            let _ = connected.release(&Guest::new(), name).await;
        }
    };
    // Until pools and caches have what they keep.
    for _ in 0..3 {
        round().await;
    }
    let before = resident();
    const ROUNDS: u64 = 12;
    for _ in 0..ROUNDS {
        round().await;
    }
    let grown = resident().saturating_sub(before);
    println!("{} KiB more resident after {ROUNDS} rounds of every misdeed", grown >> 10);
    // Other tests run in this process, too; one leaked instance in each round would be 16 MiB each.
    assert!(grown < 64 << 20, "{grown} bytes");
    site.still_serves("after").await;
}
