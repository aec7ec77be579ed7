//! `run`: a command with a key.

use std::fs;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Host, Running, ran, wait_until};

#[test]
fn a_command_gets_the_key_in_each_way_and_its_exit_code_is_kept() {
    let Some(host) = Host::start() else { return };
    host.import("in-each-way", &[0x61; 32]);
    let wanted = "a".repeat(32);
    for (by, script) in [
        ("file", "stat -c %a \"$CLAVIGER_KEY\" >&2; cat \"$CLAVIGER_KEY\"; exit 3"),
        ("descriptor", "cat \"$CLAVIGER_KEY\"; exit 3"),
        ("environment", "printf %s \"$CLAVIGER_KEY\" | base64 -d; exit 3"),
    ] {
        let mut command = host.sidecar("");
        command.args(["run", "--key", "in-each-way", "--by", by, "--", "sh", "-c", script]);
        let (code, output, errors) = ran(&mut command);
        assert_eq!((code, output.as_str()), (Some(3), wanted.as_str()), "{by}: {errors}");
        assert_eq!(errors.contains("600"), by == "file", "{errors}");
    }
    let left = |folder: &str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("claviger-key-")).count()
    };
    assert_eq!(left("/dev/shm"), 0);
}

#[test]
fn signals_are_passed_on_and_the_key_goes_with_the_command() {
    let Some(host) = Host::start() else { return };
    host.import("with-signals", &[0x61; 32]);
    let (key, ready) = (host.path("key"), host.path("ready"));
    let script =
        format!("trap 'exit 7' TERM; touch {}; while true; do sleep 0.1; done", ready.display());
    let mut command = host.sidecar("");
    command
        .args(["run", "--key", "with-signals", "--file"])
        .arg(&key)
        .args(["--", "sh", "-c", &script]);
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    wait_until("the command runs", || ready.exists());
    assert!(key.exists());
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert_eq!(running.code(), Some(7));
    assert!(!key.exists());
}

#[test]
fn a_key_is_renewed_and_when_the_host_refuses_it_it_is_taken_away() {
    let Some(host) = Host::start() else { return };
    host.import("renewed", &[0x61; 32]);
    let key = host.path("key");
    // A third of it is left for the renewal itself, on a busy machine.
    let mut command = host.sidecar("lifetime_seconds = 20");
    command.args(["run", "--key", "renewed", "--file"]).arg(&key).args(["--", "sleep", "300"]);
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    wait_until("the key is there", || key.exists());
    let first = fs::read(&key).unwrap();
    assert_eq!(first, [0x61; 32]);
    host.key(["rotate", "renewed"]);
    wait_until("the key is renewed", || fs::read(&key).is_ok_and(|now| now != first));
    host.key(["disable", "renewed"]);
    assert_eq!(running.code(), Some(77));
    assert!(!key.exists());
}

#[test]
fn a_command_may_run_on_without_its_key() {
    let Some(host) = Host::start() else { return };
    host.import("running-on", &[0x61; 32]);
    let key = host.path("key");
    let script = format!("while [ -e {} ]; do sleep 0.1; done; exit 5", key.display());
    let mut command = host.sidecar("lifetime_seconds = 10");
    command.args(["run", "--key", "running-on", "--on-end", "continue", "--file"]).arg(&key);
    command.args(["--", "sh", "-c", &script]);
    let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
    wait_until("the key is there", || key.exists());
    host.key(["disable", "running-on"]);
    assert_eq!(running.code(), Some(5));
}

#[test]
fn without_the_key_the_command_does_not_start() {
    let Some(host) = Host::start() else { return };
    let mark = host.path("started");
    let mut command = host.sidecar("");
    command.args(["run", "--key", "nobodys", "--", "touch"]).arg(&mark);
    let (code, _, errors) = ran(&mut command);
    assert_eq!(code, Some(77), "{errors}");
    assert!(!mark.exists());
}
