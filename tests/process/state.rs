//! The state folder is this host's alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use claviger::http::ChallengeRequest;

use crate::support::{State, block_on};

// attack 63
#[test]
fn a_file_with_secrets_that_others_may_read_stops_the_start_and_is_named() {
    let state = State::new();
    assert_eq!(state.start().stop().0, Some(0));
    for (name, mode) in [
        ("master.key", 0o644),
        ("master.key", 0o640),
        ("master.key", 0o602),
        ("store.redb", 0o604),
        ("server-key.pem", 0o604),
        ("ca-key.pem", 0o644),
        ("audit/audit.jsonl", 0o644),
    ] {
        let path = state.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let (code, said) = state.launch().start().refused();
        assert_eq!(code, Some(1), "{name} {mode:o}: {said}");
        let named = said.lines().find(|line| line.starts_with("claviger: ")).unwrap();
        assert!(named.contains(path.to_str().unwrap()), "{name} {mode:o}: {named}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(state.start().stop().0, Some(0));
}

#[test]
fn a_master_key_of_another_store_opens_nothing_and_changes_nothing() {
    let (state, other) = (State::new(), State::new());
    assert_eq!(state.start().stop().0, Some(0));
    assert_eq!(other.start().stop().0, Some(0));
    let key = state.path().join("master.key");
    let own = fs::read(&key).unwrap();
    fs::copy(other.path().join("master.key"), &key).unwrap();
    let (code, said) = state.launch().start().refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the master key does not open this store"), "{said}");
    fs::remove_file(&key).unwrap();
    let (code, said) = state.launch().start().refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("master.key is missing") && !key.exists(), "{said}");
    fs::write(&key, own).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(state.start().stop().0, Some(0));
}

// attack 63
#[test]
fn a_store_in_use_is_refused_to_a_second_process_by_name() {
    let state = State::new();
    let first = state.start();
    let (code, said) = state.launch().start().refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(state.path().join("store.redb").to_str().unwrap()), "{said}");
    assert!(said.contains("in use"), "{said}");
    let challenge = first.client();
    let challenge = block_on(challenge.challenge(&ChallengeRequest::Attestation {}));
    assert!(challenge.is_ok(), "the first process does not serve any more: {challenge:?}");
    assert_eq!(first.stop().0, Some(0));
}

#[test]
fn a_host_that_is_refused_changes_nothing_in_the_folder_and_prints_no_token() {
    let state = State::new();
    let first = state.start();
    // What a host makes where it is missing.
    for name in ["simulated-hardware.pem", "ca.pem", "ca-key.pem", "server.pem", "server-key.pem"] {
        fs::remove_file(state.path().join(name)).unwrap();
    }
    let there = || {
        let entries = fs::read_dir(state.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = there();
    let mut launch = state.launch();
    launch.command.env_remove("CLAVIGER_DEV_TOKEN");
    let (code, said) = launch.start().refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("in use") && !said.contains("administrator's token"), "{said}");
    assert_eq!(there(), before);
    assert_eq!(first.stop().0, Some(0));
}
