//! The writer: one thread that makes groups of lines durable and signs checkpoints over them.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use super::checkpoint::Checkpoint;
use super::encoding;
use super::error::AuditError;
use super::event::Event;
use super::key::SigningKey;
use super::log::{Receipt, Settings};
use super::merkle::{Frontier, leaf};
use super::queue::{Group, Queue, Work};
use super::record::Record;
use super::sink::Sink;
use crate::clock::Clock;

pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) log: Box<dyn Sink>,
    pub(super) checkpoints: Box<dyn Sink>,
    pub(super) frontier: Frontier,
    pub(super) key: SigningKey,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    /// How many records the last checkpoint covers.
    pub(super) covered: Option<u64>,
    pub(super) last_checkpoint: Instant,
    /// The last checkpoint as it was signed, for whoever asks for it.
    pub(super) newest: Arc<ArcSwap<String>>,
}

impl Writer {
    /// Before anything else is written: the record that the log was opened, under a checkpoint.
    pub(super) fn begin(&mut self, detail: Option<String>) -> io::Result<()> {
        if self.covered.is_none() {
            self.checkpoint()?;
        }
        let mut record = Record::new(self.clock.now(), Event::LogOpened);
        if let Some(detail) = detail {
            record = record.detail(detail);
        }
        self.write_own(&record)?;
        self.checkpoint()
    }

    /// Serves the queue until it is closed or a write fails.
    pub(super) fn run(mut self) {
        let end = EndGuard(Arc::clone(&self.queue));
        let result = self.serve().and_then(|()| {
            self.write_own(&Record::new(self.clock.now(), Event::LogClosed))?;
            self.checkpoint()
        });
        if let Err(error) = result {
            tracing::error!(%error, "the audit log failed; nothing is released any more");
            self.queue.end(Some(error.to_string()));
        } else {
            self.queue.end(None);
        }
        drop(end);
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut spare = Group::default();
        loop {
            // Without records since the last checkpoint there is nothing to wake up for.
            let due = self.settings.checkpoint_interval;
            let patience = (self.covered != Some(self.frontier.size()))
                .then(|| due.saturating_sub(self.last_checkpoint.elapsed()));
            match self.queue.take(std::mem::take(&mut spare), patience) {
                Work::Close => return Ok(()),
                Work::Commit(mut group) => {
                    self.commit(&mut group)?;
                    spare = group;
                }
                Work::Idle => {}
            }
            let uncovered = self.frontier.size() - self.covered.unwrap_or(0);
            if uncovered >= self.settings.checkpoint_records
                || (uncovered > 0 && self.last_checkpoint.elapsed() >= due)
            {
                self.checkpoint()?;
            }
        }
    }

    /// One write and one sync for all, then everybody is told.
    fn commit(&mut self, group: &mut Group) -> io::Result<()> {
        let written = self.queue.watch(|| self.log.commit(&group.bytes));
        if let Err(error) = &written {
            // Before anybody is told, so that whoever was told finds the log failed.
            self.queue.end(Some(error.to_string()));
        }
        for waiter in group.waiters.drain(..) {
            let answer = match &written {
                Ok(()) => {
                    let index = self.frontier.size();
                    self.frontier.push(waiter.leaf);
                    Ok(Receipt { index, leaf: waiter.leaf })
                }
                Err(error) => Err(AuditError::Failed(error.to_string())),
            };
            // Whoever stopped waiting has released nothing.
            drop(waiter.answer.send(answer));
        }
        written
    }

    fn write_own(&mut self, record: &Record) -> io::Result<()> {
        let mut line = encoding::line(record)?;
        let leaf = leaf(&line);
        line.push(b'\n');
        self.queue.watch(|| self.log.commit(&line))?;
        self.frontier.push(leaf);
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let checkpoint = Checkpoint {
            origin: self.key.verification().name().to_owned(),
            size: self.frontier.size(),
            root: self.frontier.root(),
        };
        let signed = checkpoint.sign(&self.key);
        self.queue.watch(|| self.checkpoints.commit(signed.as_bytes()))?;
        self.newest.store(Arc::new(signed));
        self.covered = Some(checkpoint.size);
        self.last_checkpoint = Instant::now();
        Ok(())
    }
}

/// However the thread ends, nobody waits for it in vain.
struct EndGuard(Arc<Queue>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Some("the writer ended unexpectedly".to_owned()));
        }
    }
}
