//! The model of Azure's services (Key Vault, Attestation) that Azure's own clients were run against:
//! a Python program beside the recorded evidence, started on loopback and ended by its own number. Its
//! limits: it verifies no evidence, and of release policies it knows only comparisons.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running model; it ends when dropped.
pub struct AzureModel {
    /// `https://localhost:port`, of the vault and of the attestation service.
    pub url: String,
    /// The authority of its certificates, PEM.
    pub ca: Vec<u8>,
    process: Child,
}

impl AzureModel {
    /// Starts it. None, said aloud, where the program, Python or its `cryptography` is not there.
    ///
    /// # Panics
    /// The same in continuous integration.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = program.join("../../shared/peers/azure_model.py");
        let started = program.is_file().then(|| launch(&program, folder)).flatten();
        if started.is_none() {
            assert!(std::env::var_os("CI").is_none(), "the model of Azure does not start");
            // Not by `eprintln!`, whose words the test harness keeps to itself.
            let skipped = b"SKIPPED: the model of Azure's services does not start\n";
            let _ = std::io::stderr().write_all(skipped);
        }
        started
    }
}

fn launch(program: &Path, folder: &Path) -> Option<AzureModel> {
    let free = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
    let mut process = Command::new("python3")
        .arg(program)
        .args(["--port", &free.to_string(), "--dir"])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take()?).read_line(&mut line).ok()?;
    if !line.starts_with("listening") {
        let _ = process.kill();
        let _ = process.wait();
        return None;
    }
    let ca = std::fs::read(folder.join("ca.pem")).ok()?;
    Some(AzureModel { url: format!("https://localhost:{free}"), ca, process })
}

impl Drop for AzureModel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
