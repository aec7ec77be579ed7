//! What a person at a terminal does to a command: stops reading, and stops it.
#![allow(clippy::unwrap_used, reason = "support code of tests may stop at the first surprise")]

use std::process::{Command, Output, Stdio};

/// The binary, with nothing of this environment but what it needs.
fn claviger(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.env_clear().stdin(Stdio::null()).args(arguments);
    command
}

/// Runs a command whose output nobody reads.
fn unread(arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    claviger(arguments)
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

#[test]
fn a_command_whose_reader_goes_ends_quietly() {
    for arguments in [
        &["man"][..],
        &["completions", "bash"],
        &["config", "example"],
        &["config", "token"],
        &["plugin", "list"],
    ] {
        let ended = unread(arguments);
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*errors), (Some(0), ""), "{arguments:?}");
    }
}

// attack 64
#[test]
fn a_refusal_that_nobody_reads_is_still_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("report.bin"), b"no report").unwrap();
    for arguments in [&["audit", "verify", path][..], &["verify", "--tee", "snp", path]] {
        let ended = unread(arguments);
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*errors), (Some(3), ""), "{arguments:?}");
    }
}
