//! A host that serves, a sidecar that asks it, and how both are ended: each by its own number.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The administrator's; a development host's Azure face takes it, too.
pub(crate) const TOKEN: &str = "an-administrator-of-tests-0001";

/// Says aloud that something is not there; in continuous integration it must be.
pub(crate) fn skipped(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is not there");
    let _ = std::io::stderr().write_all(format!("SKIPPED: {what} is not there\n").as_bytes());
}

/// A process that is killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits for its end.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let mut code = None;
        wait_until("the process ends", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        code.unwrap().code()
    }
}

/// Waits until something holds; long enough for a machine that compiles beside.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(300);
    while !holds() {
        assert!(Instant::now() < until, "{what}: not within five minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A test's own view of a development host: files of its own, and a process that it shares with the
/// tests that run at the same time. Keys have a name for each test.
pub(crate) struct Host {
    process: Arc<Process>,
    folder: TempDir,
}

/// The process, with its state; ended by the last test that has it.
struct Process {
    _running: Running,
    state: TempDir,
    binary: PathBuf,
    addresses: Value,
}

impl Host {
    /// None, said aloud, where the host's binary is not there.
    pub(crate) fn start() -> Option<Self> {
        static SHARED: Mutex<Weak<Process>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let process = match shared.upgrade() {
            Some(process) => process,
            None => Arc::new(Process::start()?),
        };
        *shared = Arc::downgrade(&process);
        Some(Self { process, folder: tempfile::tempdir().unwrap() })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.process.state()
    }

    /// A file of this test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.process.addresses["api"].as_str().unwrap())
    }

    /// Where its Azure face is reached: `localhost:port`.
    pub(crate) fn endpoint(&self) -> String {
        let address: std::net::SocketAddr =
            self.process.addresses["api"].as_str().unwrap().parse().unwrap();
        format!("localhost:{}", address.port())
    }

    /// What the sidecar's `--development-platform` gets.
    pub(crate) fn platform(&self) -> String {
        let (binary, state) = (self.process.binary.display(), self.state());
        format!("{binary} simulate --state {} --report-data", state.display())
    }

    /// `claviger key …` as the administrator.
    pub(crate) fn key<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) {
        self.administer("key", arguments);
    }

    /// A secret of this text, which is released as keys are.
    pub(crate) fn secret(&self, name: &str, text: &str) {
        let path = self.path("secret");
        std::fs::write(&path, text).unwrap();
        let file = path.to_str().unwrap();
        self.administer("secret", ["set", name, "--file", file, "--release-policy", "affirming"]);
    }

    fn administer<A: AsRef<OsStr>>(&self, what: &str, arguments: impl IntoIterator<Item = A>) {
        let output = Command::new(&self.process.binary)
            .args([what, "--url"])
            .arg(format!("https://{}", self.process.addresses["admin"].as_str().unwrap()))
            .arg("--ca")
            .arg(self.state().join("ca.pem"))
            .args(arguments)
            .env("CLAVIGER_ADMIN_TOKEN", TOKEN)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A key of these bytes.
    pub(crate) fn import(&self, name: &str, bytes: &[u8; 32]) {
        let path = self.path("imported");
        std::fs::write(&path, bytes).unwrap();
        self.key([
            OsStr::new("create"),
            OsStr::new(name),
            OsStr::new("--import"),
            path.as_os_str(),
        ]);
    }

    /// The sidecar with a configuration whose section `host` goes on like this.
    pub(crate) fn sidecar(&self, more: &str) -> Command {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("sidecar-{number}.toml"));
        let (url, ca) = (self.url(), self.state().join("ca.pem"));
        let text = format!("[host]\nurl = \"{url}\"\nca = \"{}\"\n{more}\n", ca.display());
        std::fs::write(&path, text).unwrap();
        let mut command = sidecar();
        command.arg("--config").arg(path).arg("--development-platform").arg(self.platform());
        command
    }
}

impl Process {
    fn start() -> Option<Self> {
        let binary = Path::new(env!("CARGO_BIN_EXE_claviger-sidecar")).with_file_name("claviger");
        if !binary.is_file() {
            skipped("the host's binary");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let process = Command::new(&binary)
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0"])
            .arg("--state")
            .arg(&state)
            .env("CLAVIGER_DEV_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let running = Running(process.unwrap());
        let path = state.join("addresses.json");
        wait_until("the host serves", || path.is_file());
        let addresses = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Some(Self { _running: running, state: folder, binary, addresses })
    }

    fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }
}

/// The sidecar.
pub(crate) fn sidecar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger-sidecar"));
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn ran(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}
