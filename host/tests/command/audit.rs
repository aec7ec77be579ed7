//! `audit`: what it says of a log, and of what that rests on.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use claviger::audit::{AuditLog, Event, Record, Settings, SigningKey};
use claviger::clock::{FixedClock, Timestamp};

use crate::run;

const NOW: Timestamp = Timestamp(1_800_000_000);

/// A closed log with a record in it, and its last checkpoint.
async fn log(directory: &Path) -> String {
    let clock = Arc::new(FixedClock::new(NOW));
    let key = SigningKey::generate().unwrap();
    let log = AuditLog::open(directory, "host.example", &key, clock, Settings::default()).unwrap();
    log.record(&Record::new(NOW, Event::Released)).await.unwrap();
    log.close().await.unwrap();
    log.newest_checkpoint()
}

// attack 56
#[tokio::test]
async fn a_verification_says_which_key_it_rests_on_and_where_that_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let kept = folder.path().join("kept");
    fs::write(&kept, log(&ours).await).unwrap();
    log(&theirs).await;
    let key = ours.join("audit.pub");
    let text = fs::read_to_string(&key).unwrap();
    let [ours, theirs, kept, key] =
        [&ours, &theirs, &kept, &key].map(|path| path.to_str().unwrap());

    let (code, said, _) = run(&["audit", "verify", ours]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(text.trim()) && said.contains("FOUND BESIDE THE LOG"), "{said}");
    for elsewhere in [["--key", key], ["--checkpoint", kept]] {
        let (code, said, _) = run(&[&["audit", "verify", ours][..], &elsewhere].concat());
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(text.trim()) && !said.contains("FOUND BESIDE"), "{said}");
        // Another log holds by itself, and is not ours.
        let (code, said, _) = run(&[&["audit", "verify", theirs][..], &elsewhere].concat());
        assert_eq!(code, Some(3), "{said}");
        assert!(said.starts_with("NOT VERIFIED: "), "{said}");
    }
    assert_eq!(run(&["audit", "verify", theirs]).0, Some(0));
}

// attack 56
#[tokio::test]
async fn nothing_is_proved_from_a_log_that_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path()).await;
    let directory = folder.path().to_str().unwrap();
    assert_eq!(run(&["audit", "prove", directory, "1"]).0, Some(0));
    assert_eq!(run(&["audit", "prove", directory, "9"]).0, Some(1));
    let lines = folder.path().join("audit.jsonl");
    let edited = fs::read_to_string(&lines).unwrap().replace("released", "refused!");
    fs::write(&lines, edited).unwrap();
    let (code, said, _) = run(&["audit", "prove", directory, "1"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.starts_with("NOT PROVED: "), "{said}");
}

#[test]
fn a_folder_that_is_not_there_is_no_log_that_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    for arguments in [&["audit", "verify", nowhere][..], &["audit", "prove", nowhere, "1"]] {
        let (code, said, errors) = run(arguments);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.is_empty() && errors.contains(nowhere), "{said}{errors}");
    }
}

#[test]
fn where_a_file_with_a_key_is_wanted_the_help_says_so() {
    for command in ["verify", "check-proof"] {
        let (_, help, _) = run(&["audit", command, "--help"]);
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("--key <FILE>") && help.contains("a file with the text"), "{help}");
    }
}
