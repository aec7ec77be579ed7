//! The conformance corpus `tests/cases/`: one case per normative statement, each a file whose name is a
//! sentence. No case is known here by its name, and a new file or a new policy's folder needs no code.
//! `tests/cases/README.md` has the format, `UNCOVERED.md` what no case tries.
//!
//! There is a row for each case that fails, and a closing line with the sums, on standard output itself:
//! the test harness keeps only what `print!` writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod akv;
mod appraisal;
mod ar4si;
mod choices;
mod corpus;
mod evidence;
mod hosted;
mod steps;
mod token;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use corpus::Found;

async fn run(found: &Found) -> Result<(), String> {
    match found.kind.as_str() {
        "akv" => found.read::<akv::AkvCase>()?.run(),
        "appraisal" => {
            let tee = found.folder.trim_start_matches("appraisal/");
            found.read::<appraisal::AppraisalCase>()?.run(tee)
        }
        "ar4si" => found.read::<ar4si::Ar4siCase>()?.run(),
        _ => found.read::<hosted::HostedCase>()?.run().await,
    }
}

#[tokio::test]
async fn every_case_of_the_corpus_is_decided_as_it_says() {
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = 0;
    let mut output = Vec::new();
    // A part of a name, to look at few cases.
    let wanted = std::env::var("CLAVIGER_CASES").unwrap_or_default();
    let named = |found: &Found| format!("{}/{}", found.folder, found.name).contains(&wanted);
    for found in corpus::all().into_iter().filter(named) {
        *ran.entry(found.kind.clone()).or_default() += 1;
        if let Err(why) = run(&found).await {
            failed += 1;
            writeln!(output, "FAILED   {}/{}: {why}", found.folder, found.name).unwrap();
        }
    }
    let sum: usize = ran.values().sum();
    let passed = sum - failed;
    let by_kind: Vec<_> = ran.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    writeln!(output, "cases: {passed} passed, {failed} failed ({})", by_kind.join(", ")).unwrap();
    let mut stdout = std::io::stdout().lock();
    // The harness may have begun a line.
    writeln!(stdout).unwrap();
    stdout.write_all(&output).unwrap();
    drop(stdout);
    assert_eq!(failed, 0);
    for kind in corpus::KINDS.iter().filter(|_| wanted.is_empty()) {
        assert!(ran.get(*kind).is_some_and(|count| *count > 0), "no case of {kind} ran");
    }
}

/// What `UNCOVERED.md` names.
fn uncovered() -> String {
    std::fs::read_to_string(corpus::root().join("UNCOVERED.md")).unwrap()
}

#[test]
fn every_rule_of_every_built_in_policy_has_a_case_in_which_it_does_not_hold() {
    let uncovered = uncovered();
    let mut unmet: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in corpus::all().iter().filter(|found| found.kind == "appraisal") {
        let case: appraisal::AppraisalCase = found.read().unwrap();
        unmet.entry(found.folder.clone()).or_default().extend(case.findings());
    }
    for kind in claviger::appraisal::KINDS {
        let folder = format!("appraisal/{}", kind.tee);
        if uncovered.contains(&format!("`{folder}`")) {
            continue;
        }
        let tried = unmet.get(&folder).unwrap_or_else(|| panic!("there is no folder {folder}"));
        let rules = kind.source.split("\"rule\": \"").skip(1);
        for rule in rules.map(|rest| rest.split('"').next().unwrap()) {
            let known = tried.contains(rule) || uncovered.contains(&format!("`{rule}`"));
            assert!(known, "{folder}: no case in which {rule} does not hold");
        }
    }
}

#[test]
fn a_case_with_something_unknown_or_without_an_expectation_is_none() {
    let mut tried = BTreeSet::new();
    for found in corpus::all() {
        if !tried.insert(found.kind.clone()) {
            continue;
        }
        let refuse = |text: String| {
            let changed = Found {
                kind: found.kind.clone(),
                folder: found.folder.clone(),
                name: found.name.clone(),
                text,
            };
            match changed.kind.as_str() {
                "akv" => changed.read::<akv::AkvCase>().err(),
                "appraisal" => changed.read::<appraisal::AppraisalCase>().err(),
                "ar4si" => changed.read::<ar4si::Ar4siCase>().err(),
                _ => changed.read::<hosted::HostedCase>().and_then(|case| case.check()).err(),
            }
        };
        let sound: serde_json::Value = serde_json::from_str(&found.text).unwrap();
        assert_eq!(refuse(sound.to_string()), None);
        let mut unknown = sound.clone();
        unknown["unknown"] = true.into();
        assert!(refuse(unknown.to_string()).is_some(), "{}", found.kind);
        let mut empty = sound;
        match empty.get("steps") {
            None => empty["expect"] = serde_json::json!({}),
            Some(_) => empty["steps"] = serde_json::json!([]),
        }
        assert!(refuse(empty.to_string()).is_some(), "{}", found.kind);
    }
}
