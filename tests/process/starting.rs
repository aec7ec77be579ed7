//! A start that is cut short is taken up again.

use claviger::http::{ChallengeRequest, NewKeyRequest};

use crate::support::{Guest, Host, State, Watch, block_on, records, verified};

/// At how many of its changes a start is cut short.
const BLOWS: usize = 20;

// attack 57
#[test]
fn a_first_start_that_is_killed_at_any_change_of_its_folder_is_taken_up_by_the_next() {
    let (changes, _) = start_until(&State::new(), usize::MAX);
    assert!(changes >= BLOWS, "a first start changes its folder more often than {changes} times");
    for blow in 1..=BLOWS {
        let change = blow * changes / BLOWS;
        let state = State::new();
        start_until(&state, change);
        let said = works(state.launch().start()).unwrap_or_else(|said| {
            panic!("killed at change {change} of its folder, it does not start again:\n{said}")
        });
        let log = verified(&state.path());
        assert!(log.is_ok(), "killed at change {change}: {log:?}\n{said}");
        assert_eq!(records(&state.path()).last().unwrap()["event"], "log-closed");
    }
}

/// Starts a host, and kills it at a change of its folder, or when it serves.
fn start_until(state: &State, change: usize) -> (usize, bool) {
    let watch = Watch::over(&state.path());
    let mut host = state.launch().start();
    let watch = watch.kill_at(change, host.pid());
    let served = host.wait_until_serving();
    let seen = watch.end();
    assert!(served || seen.1, "the host ended by itself:\n{}", host.said());
    host.kill();
    seen
}

/// Whether it serves, makes a key, releases it, and stops in order; else what it said.
fn works(mut host: Host) -> Result<String, String> {
    if !host.wait_until_serving() {
        return Err(host.said());
    }
    block_on(async {
        let (client, guest) = (host.client(), Guest::new());
        let key = NewKeyRequest {
            name: "key".to_owned(),
            kind: "oct-256".to_owned(),
            material: None,
            release_policy: "affirming".into(),
        };
        host.administrator().create_key(&key).await.unwrap();
        let purpose = ChallengeRequest::Release { key: "key".to_owned() };
        let answer = guest.answer(&client.challenge(&purpose).await.unwrap());
        let release = client.release("key", &answer).await.unwrap();
        assert_eq!(guest.open(&release).secret.len(), 32);
    });
    match host.stop() {
        (Some(0), said) => Ok(said),
        (_, said) => Err(said),
    }
}
