//! kill -9 at any moment: nothing is released twice, nothing unrecorded, and the next start finds
//! everything that was answered.

mod ledger;
mod work;

use std::time::Duration;

use ledger::Ledger;
use work::{KEY, Strike, Work};

use crate::support::{State, Watch, block_on, lines, records, verified};

/// How often a host is killed over one state.
const ROUNDS: usize = 30;
/// Over how many states: a log that grows makes every round slower.
const STATES: usize = 3;
/// The longest time from the first request to the blow, in microseconds; a few releases long.
const SPREAD: u64 = 24_000;

// attack 57, invariants 3 and 5
#[test]
fn a_host_killed_at_any_moment_releases_nothing_twice_and_nothing_unrecorded() {
    let mut moments = Moments(57);
    let (mut received, mut lost) = (0, 0);
    for _ in 0..STATES {
        let state = State::new();
        let mut ledger = Ledger::default();
        let host = state.start();
        block_on(host.administrator().create_key(&work::new(KEY))).unwrap();
        host.kill();
        for round in 0..ROUNDS {
            let strike = match round % 5 {
                0 => Strike::AtAnswer(moments.below(6)),
                1 => Strike::AtRecord(moments.below(12)),
                2 if round > 2 => {
                    cut_a_start_short(&state, moments.below(8));
                    continue;
                }
                _ => Strike::After(Duration::from_micros(moments.below(SPREAD))),
            };
            let host = state.start();
            ledger.check_start(&host);
            let work = Work::until_killed(host, round, &strike);
            let log = verified(&state.path());
            assert!(log.is_ok(), "round {round}, {strike:?}: {log:?}");
            ledger.enter(work);
            ledger.check_log(&records(&state.path()));
        }
        let host = state.start();
        ledger.check_start(&host);
        assert_eq!(host.stop().0, Some(0));
        received += ledger.received();
        lost += ledger.lost(&records(&state.path()));
    }
    assert!(
        received > ROUNDS && lost > 0,
        "{received} received, {lost} lost: nothing was cut short"
    );
}

fn cut_a_start_short(state: &State, change: u64) {
    let watch = Watch::over(&state.path());
    let mut host = state.launch().start();
    let watch = watch.kill_at(as_count(change), host.pid());
    host.wait_until_serving();
    watch.end();
    host.kill();
    let log = verified(&state.path());
    assert!(log.is_ok(), "a start cut short at change {change}: {log:?}");
}

// attack 57
#[test]
fn a_record_that_was_not_written_to_its_end_is_cut_off_and_the_log_goes_on() {
    let state = State::new();
    state.start().kill();
    let whole = lines(&state.path()).len();
    let log = state.path().join("audit/audit.jsonl");
    let mut file = std::fs::OpenOptions::new().append(true).open(log).unwrap();
    std::io::Write::write_all(&mut file, br#"{"time":"2026-11-24T04:00:00Z","event":"rel"#)
        .unwrap();
    drop(file);
    assert!(verified(&state.path()).is_ok(), "an unfinished record is taken for an edit");
    assert_eq!(state.start().stop().0, Some(0));
    assert!(verified(&state.path()).is_ok());
    let records = records(&state.path());
    assert_eq!(records[whole]["event"], "log-opened");
    assert!(
        records[whole]["detail"].as_str().unwrap().contains("unfinished"),
        "{}",
        records[whole]
    );
    // Opened, started, every plugin loaded but the connectors to services that nobody configured, closed.
    let idle = ["kms-azure", "kms-vault"];
    let loaded = claviger::plugin::bundled::BUNDLED.iter().filter(|(name, _)| !idle.contains(name));
    assert_eq!(records.len(), whole + 3 + loaded.count());
}

/// Moments that are spread out and the same in every run (splitmix64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }
}

fn as_count(number: u64) -> usize {
    usize::try_from(number).unwrap() + 1
}
