//! What a person at a terminal does to a command: stops reading, and stops it.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Output, Stdio};

use claviger::client::{Client, ClientSettings};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{claviger, run};

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

/// A command that runs, with its temporary files in a folder of its own. It is killed when dropped.
struct Running {
    child: Child,
    temporary: TempDir,
    output: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = claviger(arguments);
        command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, temporary, output, errors }
    }

    /// A development host that serves; answers the line that says where.
    fn serving(arguments: &[&str]) -> (Self, String) {
        const SERVE: [&str; 6] =
            ["serve", "--dev", "--listen", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0"];
        let mut running = Self::start(&[&SERVE, arguments].concat());
        let line = running.says(" serving api=");
        (running, line)
    }

    /// Waits for a line on standard error.
    fn says(&mut self, what: &str) -> String {
        let mut before = Vec::new();
        for line in self.errors.by_ref() {
            before.push(line.unwrap());
            if before.last().unwrap().contains(what) {
                return before.pop().unwrap();
            }
        }
        unreachable!("{what:?} was not said: {before:#?}")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What lies among its temporary files.
    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.temporary.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits for its end.
    fn end(&mut self) -> Option<i32> {
        self.output.by_ref().for_each(drop);
        self.errors.by_ref().for_each(drop);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn addresses(state: &Path) -> Option<Value> {
    let text = fs::read(state.join("addresses.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

// attack 62
#[test]
fn a_development_host_without_a_state_folder_leaves_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT] {
        let (mut host, _) = Running::serving(&[]);
        let [folder] = host.left().try_into().unwrap();
        assert!(folder.join("ca-key.pem").exists() && addresses(&folder).is_some());
        host.signal(signal);
        assert_eq!(host.end(), Some(0));
        assert_eq!(host.left(), [""; 0].map(PathBuf::from));
    }
}

#[test]
fn a_host_says_where_it_listens_as_long_as_it_does() {
    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("addresses.json"), "of a host that was killed").unwrap();
    let (mut host, line) = Running::serving(&["--state", state.path().to_str().unwrap()]);
    let said = addresses(state.path()).unwrap();
    assert!(
        line.contains(&format!("api={} admin={} ", said["api"], said["admin"]).replace('"', ""))
    );
    assert_eq!(said["process"], host.child.id());
    host.signal(Signal::TERM);
    assert_eq!(host.end(), Some(0));
    assert!(addresses(state.path()).is_none());
}

#[test]
fn a_host_that_is_stopped_while_it_starts_ends_and_leaves_nothing_behind() {
    let mut host = Running::start(&["serve", "--dev"]);
    host.says("minting simulated hardware");
    assert_eq!(host.left().len(), 1);
    host.signal(Signal::INT);
    host.says("stopped before it served");
    assert_eq!(host.end(), Some(0));
    assert_eq!(host.left(), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn a_host_that_is_told_twice_to_stop_does_not_wait_for_its_clients() {
    let state = tempfile::tempdir().unwrap();
    let (mut host, _) = Running::serving(&["--state", state.path().to_str().unwrap()]);
    let addresses = addresses(state.path()).unwrap();
    let api = addresses["api"].as_str().unwrap();
    // A client that says nothing, which the host waits for; it was let in before the next one.
    let _silent = tokio::net::TcpStream::connect(api).await.unwrap();
    let authority = fs::read(state.path().join("ca.pem")).unwrap();
    let client = Client::new(ClientSettings::new(format!("https://{api}"), authority)).unwrap();
    client.health().await.unwrap();
    host.signal(Signal::INT);
    host.says("draining");
    host.signal(Signal::INT);
    host.says("stopped clean=false");
    assert_eq!(host.end(), Some(1));
}

#[test]
fn a_benchmark_says_why_its_host_does_not_serve() {
    let (code, _, errors) = run(&["bench", "--threads", "0"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("--threads: from 1 to 1024"), "{errors}");
}

// invariant 9
#[test]
fn no_command_dumps_core() {
    let mut demo = Running::start(&["demo"]);
    demo.says("DEVELOPMENT HOST");
    let limits = fs::read_to_string(format!("/proc/{}/limits", demo.child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<_> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
}

#[test]
fn a_demonstration_that_is_stopped_leaves_nothing_behind() {
    let mut demo = Running::start(&["demo"]);
    demo.says("DEVELOPMENT HOST");
    assert_eq!(demo.left().len(), 1);
    demo.signal(Signal::INT);
    assert_eq!(demo.end(), Some(130));
    assert_eq!(demo.left(), [""; 0].map(PathBuf::from));
}

#[test]
fn a_benchmark_that_is_stopped_leaves_neither_its_host_nor_its_folder() {
    let mut bench = Running::start(&["bench", "--seconds", "60", "--clients", "1"]);
    let host = loop {
        let announced = bench.left().first().and_then(|folder| addresses(folder));
        match announced {
            Some(addresses) => break addresses["process"].as_i64().unwrap(),
            None => assert!(bench.child.try_wait().unwrap().is_none(), "the benchmark ended"),
        }
        std::thread::yield_now();
    };
    let host = Pid::from_raw(i32::try_from(host).unwrap()).unwrap();
    test_kill_process(host).unwrap();
    bench.signal(Signal::INT);
    assert_eq!(bench.end(), Some(130));
    assert_eq!(bench.left(), [""; 0].map(PathBuf::from));
    assert!(test_kill_process(host).is_err(), "its host is still there");
}
