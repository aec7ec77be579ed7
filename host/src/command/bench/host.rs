//! The host under load: a process of its own, so that its processor time is its own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::Arguments;
use crate::command::addresses::Addresses;
use crate::command::files::read_token;
use crate::command::folder::Folder;
use crate::command::serve::new_token;
use crate::random::SystemRandomness;
use crate::secret::Secret;

/// What the host says while it starts, in its folder.
const SAID: &str = "said";

/// How many of its last lines are told where it ends.
const LAST_LINES: usize = 5;

/// A host that serves.
pub(super) struct RunningHost {
    pub(super) state: PathBuf,
    pub(super) addresses: Addresses,
    pub(super) token: Secret,
    _started: Option<Started>,
}

impl RunningHost {
    /// The one that runs already, or a new one.
    pub(super) async fn find(arguments: &Arguments) -> anyhow::Result<Self> {
        let (Some(state), Some(token)) = (&arguments.state, &arguments.token_file) else {
            return Self::start(arguments.threads).await;
        };
        let (addresses, token) = (Addresses::read(state)?, read_token(token)?);
        Ok(Self { state: state.clone(), addresses, token, _started: None })
    }

    async fn start(threads: Option<usize>) -> anyhow::Result<Self> {
        let random = SystemRandomness::default();
        let folder = Folder::new(&random)?;
        let token = new_token(&random)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0"])
            .arg("--state")
            .arg(folder.path())
            .env("CLAVIGER_DEV_TOKEN", &token)
            .env("CLAVIGER_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join(SAID))?);
        if let Some(threads) = threads {
            command.arg("--threads").arg(threads.to_string());
        }
        let mut started = Started { child: command.spawn()?, folder };
        let addresses = started.serving().await?;
        Ok(Self {
            state: started.folder.path().to_owned(),
            addresses,
            token: Secret::new(token.into_bytes()),
            _started: Some(started),
        })
    }

    /// Processor time so far, of all threads, user and system.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        let text = std::fs::read_to_string(self.process("stat"))?;
        // After the command's name, which may hold anything: fields 14 and 15 of proc(5).
        let fields: Vec<&str> =
            text.rsplit_once(')').context("/proc")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> anyhow::Result<u64> {
            Ok(fields.get(index).context("/proc")?.parse()?)
        };
        let per_second = rustix::param::clock_ticks_per_second();
        ensure!(per_second > 0, "the system has no clock ticks");
        Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) as f64 / per_second as f64))
    }

    /// Resident memory, in MiB.
    pub(super) fn resident(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.process("statm"))?;
        let pages: u64 = text.split_whitespace().nth(1).context("/proc")?.parse()?;
        Ok(pages as f64 * rustix::param::page_size() as f64 / f64::from(1 << 20))
    }

    fn process(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(self.addresses.process.to_string()).join(file)
    }
}

/// A host that was started here, in a folder of its own; both go in the end.
struct Started {
    child: Child,
    folder: Folder,
}

impl Started {
    /// Waits until it serves.
    async fn serving(&mut self) -> anyhow::Result<Addresses> {
        for _ in 0..600 {
            if let Ok(addresses) = Addresses::read(self.folder.path()) {
                return Ok(addresses);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the host ended ({status}): {}", self.said());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the host does not serve: {}", self.said())
    }

    /// Its last lines.
    fn said(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join(SAID)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines.len().saturating_sub(LAST_LINES);
        lines.get(last..).unwrap_or_default().join(" | ")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
