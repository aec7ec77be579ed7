//! swtpm, an emulator of a TPM 2.0 that others wrote, and tpm2-tools upon it. Where they are not installed a
//! test says so; in continuous integration they must be there.
//!
//! The sidecar's own tests read this file too, without this crate: it needs the standard library alone.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A running emulator; it ends with its test.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    folder: PathBuf,
    /// Where it takes commands, on loopback.
    pub port: u16,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulator {
    /// Starts one that keeps its state in `folder`; none, said aloud, where it is not installed.
    ///
    /// # Panics
    /// The same in continuous integration; where it does not answer.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let started = Self::tried(folder);
        if started.is_none() {
            assert!(std::env::var_os("CI").is_none(), "swtpm and tpm2-tools are not installed");
            // Not by `eprintln!`, whose words the test harness keeps to itself.
            let skipped = b"SKIPPED: swtpm or tpm2-tools is not installed here\n";
            let _ = std::io::stderr().write_all(skipped);
        }
        started
    }

    fn tried(folder: &Path) -> Option<Self> {
        Command::new("tpm2_quote").arg("--version").output().ok()?;
        let (port, control) = ports();
        let child = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", folder.display())])
            .args(["--server", &format!("type=tcp,bindaddr=127.0.0.1,port={port}")])
            .args(["--ctrl", &format!("type=tcp,bindaddr=127.0.0.1,port={control}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let emulator = Self { child: child.ok()?, folder: folder.to_owned(), port };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", control)).is_err() {
            assert!(Instant::now() < until, "swtpm does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(emulator)
    }

    /// Runs a tool of tpm2-tools in the folder; what it printed, and whether it succeeded.
    #[must_use]
    pub fn run(&self, line: &str) -> Output {
        let mut words = line.split_ascii_whitespace();
        Command::new(words.next().unwrap())
            .args(words)
            .current_dir(&self.folder)
            .env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={}", self.port))
            .output()
            .unwrap()
    }

    /// The same of one that must succeed.
    ///
    /// # Panics
    /// Where it fails.
    pub fn tool(&self, line: &str) {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A file of the folder.
    ///
    /// # Panics
    /// Where there is none of that name.
    #[must_use]
    pub fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).unwrap()
    }
}

/// Two neighbouring ports of loopback that are free: for commands, and for what controls the emulator.
fn ports() -> (u16, u16) {
    loop {
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let next = port.checked_add(1).map(|next| TcpListener::bind(("127.0.0.1", next)));
        if matches!(next, Some(Ok(_))) {
            return (port, port + 1);
        }
    }
}
