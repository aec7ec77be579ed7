//! The binary as a person meets it: what it says, and how it ends.
#![allow(clippy::unwrap_used, reason = "support code of tests may stop at the first surprise")]

mod audit;
mod explain;
mod policy;
mod terminal;
mod usage;

use std::process::{Command, Stdio};

/// The binary, with nothing of this environment.
fn claviger(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.env_clear().stdin(Stdio::null()).args(arguments);
    command
}

/// Runs it to its end: exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended = claviger(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}
