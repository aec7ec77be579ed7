//! The log as the host uses it: open, record, close.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::encoding::{self, MAX_LINE};
use super::error::AuditError;
use super::files::{self, Paths};
use super::key::{SigningKey, VerificationKey};
use super::merkle::{Hash, leaf};
use super::queue::{Held, Queue, Queued};
use super::record::Record;
use super::recovery::recover;
use super::sink::FileSink;
use super::writer::Writer;
use crate::clock::Clock;
use crate::secret::Secret;

/// How the log behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A checkpoint is signed this long after the last one, where there are new records.
    pub checkpoint_interval: Duration,
    /// And when so many records are not covered.
    pub checkpoint_records: u64,
    /// How long [`AuditLog::record`] waits for a record to be durable.
    pub timeout: Duration,
    /// How many records may wait; more are refused at once.
    pub queue: usize,
    /// How long records wait for others at most, to become durable in one sync. They wait only while those
    /// who brought them have other requests at hand.
    pub gather: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            checkpoint_interval: Duration::from_secs(10),
            checkpoint_records: 4096,
            timeout: Duration::from_secs(5),
            queue: 16_384,
            gather: Duration::from_millis(4),
        }
    }
}

/// The proof that a record is durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The record's line, counted from zero.
    pub index: u64,
    /// Its leaf hash in the tree.
    pub leaf: Hash,
}

/// An open log. Dropping it closes it in the background; [`AuditLog::close`] waits for that.
pub struct AuditLog {
    queue: Arc<Queue>,
    timeout: Duration,
    verification: VerificationKey,
    finished: watch::Receiver<bool>,
    newest: Arc<ArcSwap<String>>,
    /// None: it is written somewhere else.
    directory: Option<PathBuf>,
}

impl AuditLog {
    /// Opens the log in `directory`, or begins one there. The log that is there is read and checked
    /// against its last checkpoint first; this blocks, at the speed of the disk or of SHA-256.
    /// `origin` is the log's name in checkpoints; `key` is Ed25519 in PKCS#8
    /// ([`SigningKey::generate`]).
    ///
    /// # Errors
    /// [`AuditError::Tampered`] where the log was edited or shortened; others where it cannot be
    /// opened safely. The host must not start without.
    pub fn open(
        directory: &Path,
        origin: &str,
        key: &Secret,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, AuditError> {
        let key = SigningKey::new(origin, key)?;
        let paths = Paths::of(directory);
        paths.prepare()?;
        paths.check_name(key.verification())?;
        let log = files::open_private(&paths.log)?;
        let checkpoints = files::open_private(&paths.checkpoints)?;
        let recovered = recover(&paths, &log, &checkpoints, key.verification())?;
        // The public key is written last, so where it is there was a checkpoint.
        if recovered.covered.is_none() && paths.public.exists() {
            return Err(AuditError::Tampered(super::Finding::file(
                &paths.checkpoints,
                &"the log's key is there, but no log",
            )));
        }
        let verification = key.verification().clone();
        let remark = recovered.remark();
        let mut writer = Writer {
            queue: Arc::new(Queue::new(settings.queue, settings.gather)),
            log: Box::new(FileSink::new(log, recovered.log_length)),
            checkpoints: Box::new(FileSink::new(checkpoints, recovered.checkpoints_length)),
            frontier: recovered.frontier,
            key,
            clock,
            settings,
            covered: recovered.covered,
            last_checkpoint: Instant::now(),
            newest: Arc::default(),
        };
        writer.begin(remark).map_err(|error| AuditError::io(&paths.log, &error))?;
        paths.sync()?;
        paths.publish(&verification)?;
        let mut log = Self::start(writer)?;
        log.directory = Some(directory.to_owned());
        Ok(log)
    }

    /// The same over other sinks, as a new log.
    #[cfg(test)]
    pub(super) fn over(
        log: Box<dyn super::sink::Sink>,
        checkpoints: Box<dyn super::sink::Sink>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, AuditError> {
        Self::start(Writer {
            queue: Arc::new(Queue::new(settings.queue, settings.gather)),
            log,
            checkpoints,
            frontier: super::merkle::Frontier::default(),
            key: SigningKey::new("fake", &SigningKey::generate()?)?,
            clock,
            settings,
            covered: Some(0),
            last_checkpoint: Instant::now(),
            newest: Arc::default(),
        })
    }

    fn start(writer: Writer) -> Result<Self, AuditError> {
        let queue = Arc::clone(&writer.queue);
        let timeout = writer.settings.timeout;
        let verification = writer.key.verification().clone();
        let newest = Arc::clone(&writer.newest);
        let (ended, finished) = watch::channel(false);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                // The files are closed, and unlocked, before the end is told.
                writer.run();
                ended.send_replace(true);
            })
            .map_err(|error| AuditError::Failed(format!("no thread: {error}")))?;
        Ok(Self { queue, timeout, verification, finished, newest, directory: None })
    }

    /// Makes `record` durable; returns only then. Needs a Tokio runtime with time.
    ///
    /// Where the caller stops waiting, or the time runs out, the record may become durable later.
    ///
    /// # Errors
    /// Whatever the error, nothing may leave the host on the strength of this record.
    pub async fn record(&self, record: &Record) -> Result<Receipt, AuditError> {
        let line = encoding::line(record).map_err(|error| AuditError::Record(error.to_string()))?;
        if line.len() > MAX_LINE {
            return Err(AuditError::Record(format!("{} bytes are too many", line.len())));
        }
        let leaf = leaf(&line);
        let Queued { answer, held } = self.queue.push(&line, leaf)?;
        if let Some(held) = held {
            others_first(&held).await;
        }
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(AuditError::Failed("the writer ended unexpectedly".to_owned())),
            Err(_) => Err(AuditError::Timeout),
        }
    }

    /// Whether records are taken and become durable; for the host's health.
    ///
    /// # Errors
    /// [`AuditError::Closed`]; [`AuditError::Failed`] with the first cause; [`AuditError::Stalled`]
    /// as long as the disk hangs.
    pub fn check(&self) -> Result<(), AuditError> {
        self.queue.check()?;
        self.queue.check_disk(self.timeout)
    }

    /// The newest signed checkpoint, as C2SP tlog-checkpoint text.
    #[must_use]
    pub fn newest_checkpoint(&self) -> String {
        self.newest.load().as_ref().clone()
    }

    /// Where it is written.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The key that checkpoints are checked with.
    #[must_use]
    pub fn verification(&self) -> &VerificationKey {
        &self.verification
    }

    /// Writes what is waiting, records the end under a last checkpoint, and closes the files.
    ///
    /// # Errors
    /// [`AuditError::Failed`] where the log had failed, or fails now; [`AuditError::Timeout`] where
    /// the disk does not answer.
    pub async fn close(&self) -> Result<(), AuditError> {
        self.queue.close();
        let mut finished = self.finished.clone();
        let ended = finished.wait_for(|finished| *finished);
        match tokio::time::timeout(self.timeout, ended).await {
            Ok(_) => match self.queue.check() {
                Err(AuditError::Closed) | Ok(()) => Ok(()),
                Err(error) => Err(error),
            },
            Err(_) => Err(AuditError::Timeout),
        }
    }
}

/// As long as this thread finds other requests to go on with, theirs are the records that share a sync with
/// this one.
async fn others_first(held: &Held<'_>) {
    while held.is_held() {
        let before = Instant::now();
        tokio::task::yield_now().await;
        if before.elapsed() < ALONE {
            return;
        }
    }
}

/// A thread that comes back sooner had nothing else to do.
const ALONE: Duration = Duration::from_micros(20);

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.queue.close();
    }
}
