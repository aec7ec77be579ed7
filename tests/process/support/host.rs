//! A host that serves in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use claviger::client::{Client, ClientSettings};
use claviger::clock::{Clock, SystemClock};
use claviger::http::DevelopmentCertificates;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::guest::hardware;
use super::run::binary;

/// The administrator's token of every host here.
pub(crate) const TOKEN: &str = "an-administrator-of-tests-0001";

/// A state folder with simulated hardware in it, and nothing else yet.
pub(crate) struct State(TempDir);

impl State {
    pub(crate) fn new() -> Self {
        let state = Self(tempfile::tempdir().unwrap());
        fs::DirBuilder::new().mode(0o700).create(state.path()).unwrap();
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let mut file = file.open(state.path().join("simulated-hardware.pem")).unwrap();
        std::io::Write::write_all(&mut file, hardware()).unwrap();
        state
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// What a host in it is started with.
    pub(crate) fn launch(&self) -> Launch {
        let mut command = binary();
        command.args([
            "serve",
            "--dev",
            "--listen",
            "127.0.0.1:0",
            "--listen-admin",
            "127.0.0.1:0",
        ]);
        command.arg("--state").arg(self.path()).env("CLAVIGER_DEV_TOKEN", TOKEN);
        Launch { command, state: self.path() }
    }

    /// A production host with this in its configuration, besides what it needs; for want of a
    /// certificate authority, with a certificate for development.
    pub(crate) fn production(&self, configuration: &str) -> Launch {
        DevelopmentCertificates::open(&self.path(), SystemClock.now()).unwrap();
        let path = self.path().join("claviger.toml");
        let needed = r#"
            host = { id = "tests", issuer = "https://tests.example", state = "." }
            api = { listen = "127.0.0.1:0", certificate = "server.pem", key = "server-key.pem" }
            master_key = { file = { path = "master.key" } }
        "#;
        fs::write(&path, format!("{needed}\n{configuration}")).unwrap();
        let mut command = binary();
        command.args(["serve", "--config"]).arg(path);
        Launch { command, state: self.path() }
    }

    /// A host that serves.
    pub(crate) fn start(&self) -> Host {
        self.launch().serving()
    }
}

/// A host about to be started.
pub(crate) struct Launch {
    pub(crate) command: Command,
    state: PathBuf,
}

impl Launch {
    /// Starts it and does not wait for anything.
    pub(crate) fn start(mut self) -> Host {
        let piped = self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (line, lines) = channel();
        let errors = child.stderr.take().unwrap();
        let reader = std::thread::spawn({
            let said = Arc::clone(&said);
            move || {
                for text in BufReader::new(errors).lines().map_while(Result::ok) {
                    let mut said = said.lock().unwrap();
                    said.push_str(&text);
                    said.push('\n');
                    // Nobody may be waiting any more.
                    let _ = line.send(text);
                }
            }
        });
        Host { child, state: self.state, said, lines, reader: Some(reader), api: None, admin: None }
    }

    /// Starts it and waits until it serves.
    pub(crate) fn serving(self) -> Host {
        let mut host = self.start();
        assert!(host.wait_until_serving(), "the host does not serve:\n{}", host.said());
        host
    }
}

/// A process that serves, or did. It is killed when dropped.
pub(crate) struct Host {
    child: Child,
    state: PathBuf,
    said: Arc<Mutex<String>>,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    api: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Host {
    /// Waits until it serves; `false` where it ended before.
    pub(crate) fn wait_until_serving(&mut self) -> bool {
        let Some(line) = self.wait_for(" serving api=") else { return false };
        let address = |name: &str| {
            let (_, after) = line.split_once(name)?;
            Some(after.split_ascii_whitespace().next().unwrap().parse().unwrap())
        };
        (self.api, self.admin) = (address("api="), address("admin="));
        true
    }

    /// Waits for a line of its log with this in it; none where it ended before.
    pub(crate) fn wait_for(&self, what: &str) -> Option<String> {
        self.lines.iter().find(|line| line.contains(what))
    }

    /// Everything that it has written to standard error.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Its state folder.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(crate) fn api(&self) -> SocketAddr {
        self.api.unwrap()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.unwrap()
    }

    /// The certificate authority that it is known by.
    pub(crate) fn authority(&self) -> Vec<u8> {
        fs::read(self.state.join("ca.pem")).unwrap()
    }

    /// A client without credentials.
    pub(crate) fn client(&self) -> Client {
        let url = format!("https://{}", self.api());
        Client::new(ClientSettings::new(url, self.authority())).unwrap()
    }

    /// The administrator.
    pub(crate) fn administrator(&self) -> Client {
        self.administrator_with(TOKEN)
    }

    /// Somebody who says that this is the administrator's token.
    pub(crate) fn administrator_with(&self, token: &str) -> Client {
        let url = format!("https://{}", self.admin());
        Client::new(ClientSettings::new(url, self.authority()).token(token)).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; answers its exit code, where it was not killed, and all that it said: both
    /// streams.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let mut output = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status.code(), output + &self.said())
    }

    /// Asks it to stop, and waits for that.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// kill -9, and its end.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        assert_eq!(self.ended().0, None, "the host was to be killed, and had ended");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail where it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
