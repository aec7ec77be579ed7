//! `policy`: what a person who writes policies sees.

use crate::run;

const SOUND: &str =
    "package claviger.release\n\nallow if input.submods.snp.ear_status == \"affirming\"\n";

#[test]
fn the_built_in_policy_is_printed_checked_and_tested() {
    let folder = tempfile::tempdir().unwrap();
    let (code, source, _) = run(&["policy", "print"]);
    assert_eq!(code, Some(0));
    let policy = folder.path().join("snp.rego");
    std::fs::write(&policy, source).unwrap();
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/snp_test.rego");
    let policy = policy.to_str().unwrap();
    let (code, said, _) = run(&["policy", "check", policy, tests]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("appraisal policy, sha256:"), "{said}");
    let (code, said, _) = run(&["policy", "test", policy, tests]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.ends_with("10 passed, 0 failed\n"), "{said}");
}

#[test]
fn a_fault_is_told_with_its_place_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sound = write("release.rego", SOUND);
    assert_eq!(run(&["policy", "check", &sound]).0, Some(0));
    let broken = write("broken.rego", "package claviger.release\n\nallow if input.\n");
    let (code, said, _) = run(&["policy", "check", &broken]);
    assert_eq!(code, Some(3));
    assert!(said.starts_with(&format!("{broken}:")), "{said}");
    let (_, said, _) = run(&["policy", "check", "--json", &broken]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(json["error"]["line"].as_u64().is_some_and(|line| line >= 3), "{said}");
    let aimless = write("aimless.rego", "package other\n\nallow := true\n");
    assert_eq!(run(&["policy", "check", &aimless]).0, Some(3));
    let failing = write("release_test.rego", "package claviger.release\n\ntest_empty if allow\n");
    let (code, said, _) = run(&["policy", "test", &sound, &failing]);
    assert_eq!(code, Some(3));
    assert!(said.contains("release_test.rego:3: test_empty FAILED"), "{said}");
    assert_eq!(run(&["policy", "test", &sound]).0, Some(3));
}

#[test]
fn evidence_is_judged_with_file_and_line_of_each_rule_that_did_not_hold() {
    let folder = tempfile::tempdir().unwrap();
    let family = claviger_tests::site::family();
    let guest = claviger_tests::site::Guest::new().hardware.evidence([7; 64]);
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (report, vcek) =
        (write("report.bin", &guest.data), write("vcek.der", &guest.attachments[0]));
    let (ark, ask) = (write("ark.der", family.ark()), write("ask.der", family.ask()));
    let at = claviger_tests::site::NOW.to_string();
    let arguments = [
        "policy",
        "explain",
        "--tee",
        "snp",
        &report,
        "--with",
        &vcek,
        "--with",
        &ask,
        "--at",
        &at,
        "--waive",
        "revocation",
        "--dev-simulated-roots",
        &ark,
    ];
    let (code, said, _) = run(&arguments);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("snp-measurement (snp.rego:"), "{said}");
    assert!(said.contains("wanted one of the reference values"), "{said}");
    let (code, said, _) = run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(code, Some(3));
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    let measured = json["explanation"]["findings"]
        .as_array()
        .and_then(|findings| findings.iter().find(|finding| finding["rule"] == "snp-measurement"))
        .unwrap();
    let seen = measured["seen"].as_str().unwrap();
    let approved = [&arguments[..], &["--measurement", seen]].concat();
    let (code, said, _) = run(&approved);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("affirming"), "{said}");
}

#[test]
fn a_policy_in_azures_grammar_is_told_from_rego_that_is_wrong() {
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/policies/release.akv.json");
    for command in ["check", "test"] {
        let (code, said, errors) = run(&["policy", command, policy]);
        assert_eq!(code, Some(1), "{said}{errors}");
        assert!(errors.contains("release.akv.json: JSON") && errors.contains("Rego"), "{errors}");
    }
}
