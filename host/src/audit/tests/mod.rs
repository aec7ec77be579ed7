//! The log against tampering, failing disks and crashes. (attack 56)

mod failing;
mod gathering;
mod tampering;
mod working;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{AuditError, AuditLog, Event, Record, Settings, SigningKey};
use crate::clock::{FixedClock, Timestamp};
use crate::secret::Secret;

/// A directory for a log, with the key of the log.
struct Site {
    directory: tempfile::TempDir,
    key: Secret,
}

impl Site {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), key: SigningKey::generate().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn open_with(&self, settings: Settings) -> Result<AuditLog, AuditError> {
        AuditLog::open(self.path(), "host.example/audit", &self.key, clock(), settings)
    }

    /// Opens with checkpoints at the opening and the closing only.
    fn open(&self) -> Result<AuditLog, AuditError> {
        self.open_with(quiet())
    }

    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join("audit.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Writes the log anew, as whoever has the disk could.
    fn rewrite(&self, lines: &[String]) {
        let mut text = lines.join("\n");
        text.push('\n');
        std::fs::write(self.path().join("audit.jsonl"), text).unwrap();
    }

    /// The site as a crash at this moment would leave it.
    fn crashed(&self) -> Self {
        let copy = Self { directory: tempfile::tempdir().unwrap(), key: self.key.clone() };
        for name in ["audit.jsonl", "audit.checkpoints", "audit.pub"] {
            std::fs::copy(self.path().join(name), copy.path().join(name)).unwrap();
        }
        copy
    }

    /// A closed log with `records` records between its opening and its closing.
    async fn closed(records: u64) -> Self {
        let site = Self::new();
        let log = site.open().unwrap();
        for number in 0..records {
            log.record(&record(number)).await.unwrap();
        }
        log.close().await.unwrap();
        site
    }
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp(1_800_000_000)))
}

fn quiet() -> Settings {
    Settings {
        checkpoint_interval: Duration::from_secs(3600),
        checkpoint_records: u64::MAX,
        // A writer that dies prints a whole backtrace first, on a machine that may be busy.
        timeout: Duration::from_secs(300),
        ..Settings::default()
    }
}

fn record(number: u64) -> Record {
    Record::new(Timestamp(1_800_000_000), Event::Released)
        .tenant("default")
        .request(format!("request-{number}"))
}
