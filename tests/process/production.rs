//! A production host knows no development switch.

use std::fs;

use claviger::http::{AttestationRequest, Base64Url, Challenge, ChallengeRequest, ReleaseRequest};

use crate::support::{Guest, State, block_on, claviger, family};

// attacks 34, 61
#[test]
fn a_production_host_does_not_trust_simulated_evidence_whatever_comes_along() {
    let state = State::new();
    for (name, bytes) in [("ark.der", family().ark()), ("ask.der", family().ask())] {
        fs::write(state.path().join(name), bytes).unwrap();
    }
    let endorsements =
        r#"endorsements = { files = ["ark.der", "ask.der"], waive_revocation = true }"#;
    let host = state.production(endorsements).serving();
    block_on(async {
        let client = host.client();
        assert!(!client.health().await.unwrap().development);
        let challenge = client.challenge(&ChallengeRequest::Attestation {}).await.unwrap();
        let attested = client.attest(&answer(&challenge)).await.unwrap_err();
        assert_eq!(attested.code(), Some("evidence-untrusted"), "{attested}");
        let purpose = ChallengeRequest::Release { key: "key".to_owned() };
        let challenge = client.challenge(&purpose).await.unwrap();
        let released = client.release("key", &Guest::new().answer(&challenge)).await.unwrap_err();
        assert_eq!(released.code(), Some("evidence-untrusted"), "{released}");
    });
    let (code, said) = host.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("DEVELOPMENT") && !said.contains("admin="), "{said}");
}

/// Simulated evidence with all of its authorities, the root included.
fn answer(challenge: &Challenge) -> AttestationRequest {
    let ReleaseRequest::Evidence(answer) = Guest::new().answer(challenge) else {
        panic!("a guest answers with evidence");
    };
    let (challenge, mut evidence, recipient) =
        (answer.challenge, answer.evidence, answer.recipient);
    let authorities = [family().ask(), family().ark()];
    evidence.attachments.extend(authorities.map(|der| Base64Url(der.to_vec())));
    let companions = Vec::new();
    AttestationRequest { challenge, evidence, companions, recipient, trust_path: false }
}

// attacks 61, 63
#[test]
fn a_configuration_with_a_development_switch_does_not_start() {
    for switch in ["development = true", "simulated_roots = [\"ark.der\"]", "dev_token = \"x\""] {
        let state = State::new();
        let (code, said) = state.production(switch).start().refused();
        assert_eq!(code, Some(64), "{switch}: {said}");
        let name = switch.split(' ').next().unwrap();
        assert!(said.contains(name), "{switch}: {said}");
        assert!(!state.path().join("store.redb").exists(), "{switch}: the store was touched");
    }
    for arguments in [
        &["serve", "--config", "claviger.toml", "--dev"][..],
        &["serve", "--config", "claviger.toml", "--dev-token", "x"],
        &["serve", "--config", "claviger.toml", "--state", "x"],
        &["serve", "--config", "claviger.toml", "--listen", "127.0.0.1:0"],
    ] {
        let ran = claviger(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
    }
    let state = State::new();
    let mut launch = state.production("");
    launch.command.env("CLAVIGER_DEV_TOKEN", "x");
    assert_eq!(launch.start().refused().0, Some(2), "a token for development was ignored");
}

#[test]
fn what_is_found_wrong_while_it_starts_ends_as_it_does_for_config_check() {
    let source = r#"
        [[endorsements.sources]]
        kind = "amd-kds"
        url = "http://kds.example"
        ca = "ca.pem"
    "#;
    let setting = r#"
        [[plugins]]
        name = "kms-local"
        settings = { nothing = "x" }
    "#;
    for (bundled, configuration, wanted) in [
        ("kms-local", setting, "nothing"),
        ("kms-vault", r#"kms = { connector = "kms-vault" }"#, "claviger:plugin/http"),
        ("kms-local", source, "not https"),
    ] {
        let state = State::new();
        let launch = state.production(configuration);
        let path = state.path().join("claviger.toml");
        let only = format!("state = \".\", bundled_plugins = [\"{bundled}\"]");
        let text = fs::read_to_string(&path).unwrap().replacen("state = \".\"", &only, 1);
        fs::write(&path, text).unwrap();
        let checked = claviger(["config".as_ref(), "check".as_ref(), path.as_os_str()]);
        let (code, said) = launch.start().refused();
        assert_eq!((checked.code, code), (Some(64), Some(64)), "{checked:?}\n{said}");
        for said in [&checked.errors, &said] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
    }
}

#[test]
fn what_is_kept_and_cannot_be_opened_is_no_fault_of_the_configuration() {
    let state = State::new();
    assert_eq!(state.start().stop().0, Some(0));
    fs::write(state.path().join("master.key"), [7; 32]).unwrap();
    let (code, said) = state.production("").start().refused();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the master key does not open this store"), "{said}");
}
