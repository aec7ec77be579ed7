//! The commands of the README, and what else a person runs once.

use std::fs;
use std::path::Path;

use claviger_tests::minted::tpm::{Quote, Tpm};
use claviger_tests::vectors;

use crate::support::{claviger, lines};

#[test]
fn the_demonstration_shows_a_release_and_three_refusals() {
    let ran = claviger(["demo"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut rest = ran.output.as_str();
    for step in [
        "challenge nonce ",
        "evidence  report data ",
        "verdict   affirming (SIMULATED hardware)",
        "released  application/octet-stream wrapped as JWE",
        "opened    by the guest",
        "403 challenge-spent: ",
        "403 not-affirming: ",
        "403 evidence-not-bound: ",
        ", verified",
    ] {
        let (_, after) = rest.split_once(step).unwrap_or_else(|| panic!("no {step:?}: {ran:?}"));
        rest = after;
    }
    assert!(ran.errors.contains("NOT FOR PRODUCTION"), "{}", ran.errors);
    let state = ran.errors.lines().find_map(|line| line.trim().strip_prefix("state: "));
    assert!(!Path::new(state.unwrap()).exists(), "the demonstration left its state behind");
}

#[test]
fn recorded_evidence_is_verified_as_the_readme_says() {
    let Some(folder) = vectors::folder() else { return };
    let genuine = vectors::cases(&folder)
        .into_iter()
        .filter_map(|(_, case)| case.ok())
        .find(|case| case.tee() == "snp" && case.verdict() == "valid" && case.evidence.len() == 1);
    let case = genuine.expect("no genuine report among the recorded evidence");
    let folder = tempfile::tempdir().unwrap();
    let put = |file: &vectors::File| {
        let path = folder.path().join(&file.name);
        fs::write(&path, &file.bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let at = case.trials()[0].at.unwrap().to_string();
    let mut arguments = vec!["verify".to_owned(), "--tee".to_owned(), "snp".to_owned()];
    let report = put(&case.evidence[0]);
    arguments.push(report.clone());
    for file in &case.certificates {
        arguments.extend(["--with".to_owned(), put(file)]);
    }
    arguments.extend(["--at".to_owned(), at, "--json".to_owned()]);

    // No list came along: without a word about revocation, that is a refusal.
    let unavailable = claviger(&arguments);
    assert_eq!(unavailable.code, Some(3), "{unavailable:?}");
    assert!(unavailable.output.contains("endorsements-unavailable"), "{unavailable:?}");

    arguments.extend(["--waive".to_owned(), "revocation".to_owned()]);
    let ran = claviger(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.errors.contains("revocation is waived"), "{}", ran.errors);
    let verdict: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(verdict["verdict"], "genuine");
    assert_eq!(verdict["simulated"], false);
    assert_eq!(verdict["facts"]["snp.measurement"], case.expected["fields"]["measurement"]);
    assert!(verdict["checks"].as_array().unwrap().len() >= 3, "{verdict}");

    // One signed bit is another.
    let mut altered = case.evidence[0].bytes.clone();
    altered[0x90] ^= 1;
    fs::write(&report, altered).unwrap();
    let ran = claviger(&arguments);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.output.contains("evidence-signature"), "{ran:?}");
}

#[test]
fn what_rests_on_a_pinned_key_does_not_expire_and_a_key_is_not_taken_for_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let tpm = Tpm::new();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let evidence = put("evidence.json", tpm.evidence(&Quote::default()).to_string().as_bytes());
    let key = put("ak.der", &tpm.public_key());
    let verify = |anchor: &str, how: &[&str]| {
        let arguments = ["verify", "--tee", "tpm", &evidence, "--anchor", anchor];
        claviger([&arguments[..], how].concat())
    };
    let pinned = format!("tpm:={key}");
    let text = verify(&pinned, &[]);
    assert_eq!(text.code, Some(0), "{text:?}");
    assert!(text.output.contains("revocation required, no expiry"), "{text:?}");
    let ran = verify(&pinned, &["--json"]);
    let verdict: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!((&verdict["verdict"], verdict.get("expires")), (&"genuine".into(), None));
    let mistaken = verify(&format!("tpm={key}"), &[]);
    assert_eq!(mistaken.code, Some(1), "{mistaken:?}");
    assert!(mistaken.errors.contains(&pinned), "{mistaken:?}");
}

#[test]
fn evidence_in_json_may_be_a_list_of_one() {
    let Some(folder) = vectors::folder() else { return };
    let evidence = folder.join("nvidia/hopper-590.12-json/evidence.json");
    let evidence = evidence.to_str().unwrap();
    let ran = claviger(["verify", "--tee", "nvidia", evidence, "--waive", "revocation"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn wrong_usage_is_two_and_a_missing_file_is_one() {
    for usage in [
        vec!["verify"],
        vec!["verify", "--tee", "snp"],
        vec!["verify", "--tee", "snp", "report.bin", "--waive", "signature"],
        vec!["serve"],
        vec!["release"],
        vec![],
    ] {
        let ran = claviger(&usage);
        assert_eq!(ran.code, Some(2), "{usage:?}: {ran:?}");
    }
    let missing = claviger(["verify", "--tee", "snp", "no-such-report.bin"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(missing.errors.contains("no-such-report.bin"), "{}", missing.errors);
}

#[test]
fn the_completion_script_and_the_manual_know_the_commands() {
    let script = claviger(["completions", "bash"]);
    let manual = claviger(["man"]);
    assert_eq!((script.code, manual.code), (Some(0), Some(0)));
    for command in ["serve", "verify", "demo", "audit"] {
        assert!(script.output.contains(command), "{command}");
        assert!(manual.output.contains(command), "{command}");
    }
    assert!(manual.output.contains(".TH claviger"), "{}", manual.output);
}

#[test]
fn a_log_that_is_none_does_not_verify() {
    let folder = tempfile::tempdir().unwrap();
    let ran = claviger(["audit", "verify", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.output.starts_with("NOT VERIFIED"), "{ran:?}");
    assert!(lines(folder.path()).is_empty());
}
