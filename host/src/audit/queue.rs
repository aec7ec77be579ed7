//! Between the requests and the writer: lines gather while the writer is busy with the last group,
//! and a moment longer where more are announced. A sync costs as much for one line as for many.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::error::AuditError;
use super::log::Receipt;
use super::merkle::Hash;

/// Lines that are made durable together.
#[derive(Default)]
pub(super) struct Group {
    /// The lines, each with its newline.
    pub(super) bytes: Vec<u8>,
    /// Who waits for which line, in the same order.
    pub(super) waiters: Vec<Waiter>,
}

/// Waits for one line.
pub(super) struct Waiter {
    pub(super) leaf: Hash,
    pub(super) answer: oneshot::Sender<Result<Receipt, AuditError>>,
}

/// What the writer should do.
pub(super) enum Work {
    /// Close the log: everything is written.
    Close,
    /// Make these durable.
    Commit(Group),
    /// Nothing came in time.
    Idle,
}

enum Phase {
    Open,
    Closing,
    Closed,
    Failed(String),
}

/// A bounded queue with one writer.
pub(super) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
    /// When the write began that the writer is in.
    writing: Mutex<Option<Instant>>,
}

struct State {
    phase: Phase,
    group: Group,
    /// How many announced lines have not come.
    announced: usize,
    /// Whether the writer has lines and waits for those announced.
    gathering: bool,
}

/// Announces a line: a request is under way that will be recorded. Dropping it takes that back.
pub struct Announced(Arc<Queue>);

impl Drop for Announced {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.announced = state.announced.saturating_sub(1);
        let last = state.gathering && state.announced == 0;
        drop(state);
        if last {
            self.0.changed.notify_one();
        }
    }
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let state =
            State { phase: Phase::Open, group: Group::default(), announced: 0, gathering: false };
        Self {
            capacity,
            state: Mutex::new(state),
            changed: Condvar::new(),
            writing: Mutex::default(),
        }
    }

    /// Counts a line that will come.
    pub(super) fn announce(self: &Arc<Self>) -> Announced {
        self.lock().announced += 1;
        Announced(Arc::clone(self))
    }

    /// Takes a line without its newline; the answer comes when it is durable.
    pub(super) fn push(
        &self,
        line: &[u8],
        leaf: Hash,
    ) -> Result<oneshot::Receiver<Result<Receipt, AuditError>>, AuditError> {
        let mut state = self.lock();
        state.phase.check()?;
        if state.group.waiters.len() >= self.capacity {
            return Err(AuditError::Busy);
        }
        let (answer, receiver) = oneshot::channel();
        let first = state.group.waiters.is_empty();
        state.group.bytes.extend_from_slice(line);
        state.group.bytes.push(b'\n');
        state.group.waiters.push(Waiter { leaf, answer });
        drop(state);
        // The writer sleeps only on an empty queue.
        if first {
            self.changed.notify_one();
        }
        Ok(receiver)
    }

    /// Whether lines are taken.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        self.lock().phase.check()
    }

    /// Whether the disk answers: the write that the writer is in is not older than `patience`.
    pub(super) fn check_disk(&self, patience: Duration) -> Result<(), AuditError> {
        let began = *self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match began {
            Some(began) if began.elapsed() >= patience => Err(AuditError::Stalled),
            _ => Ok(()),
        }
    }

    /// Does what may wait for the disk, under watch.
    pub(super) fn watch<T>(&self, write: impl FnOnce() -> T) -> T {
        let set = |began| {
            *self.writing.lock().unwrap_or_else(PoisonError::into_inner) = began;
        };
        set(Some(Instant::now()));
        let written = write();
        set(None);
        written
    }

    /// Takes no more lines; the writer ends after those that are there.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The writer's side: waits for lines, for the end, or for `patience` to run out; and once there
    /// are lines, for those that are announced, but no longer than `gather`. `spare` is a used group
    /// whose buffers are filled next.
    pub(super) fn take(
        &self,
        mut spare: Group,
        patience: Option<Duration>,
        gather: Duration,
    ) -> Work {
        spare.bytes.clear();
        spare.waiters.clear();
        let idle = |state: &mut State| {
            state.group.waiters.is_empty() && matches!(state.phase, Phase::Open)
        };
        let guard = self.lock();
        let mut state = match patience {
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(guard, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(guard, idle).unwrap_or_else(PoisonError::into_inner),
        };
        if !state.group.waiters.is_empty() {
            state = self.gather(state, gather);
            return Work::Commit(std::mem::replace(&mut state.group, spare));
        }
        match state.phase {
            Phase::Open => Work::Idle,
            Phase::Closing | Phase::Closed | Phase::Failed(_) => Work::Close,
        }
    }

    fn gather<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        gather: Duration,
    ) -> MutexGuard<'a, State> {
        state.gathering = true;
        let more = |state: &mut State| {
            state.announced > 0
                && state.group.waiters.len() < self.capacity
                && matches!(state.phase, Phase::Open)
        };
        let waited = self.changed.wait_timeout_while(state, gather, more);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.gathering = false;
        state
    }

    /// The writer's last word. Whoever still waits learns it; a failure stays the first one.
    pub(super) fn end(&self, cause: Option<String>) {
        let mut state = self.lock();
        state.phase = match (std::mem::replace(&mut state.phase, Phase::Closed), cause) {
            (Phase::Failed(first), _) => Phase::Failed(first),
            (_, Some(cause)) => Phase::Failed(cause),
            (_, None) => Phase::Closed,
        };
        let group = std::mem::take(&mut state.group);
        let error = state.phase.check().err().unwrap_or(AuditError::Closed);
        drop(state);
        for waiter in group.waiters {
            drop(waiter.answer.send(Err(error.clone())));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn check(&self) -> Result<(), AuditError> {
        match self {
            Self::Open => Ok(()),
            Self::Closing | Self::Closed => Err(AuditError::Closed),
            Self::Failed(cause) => Err(AuditError::Failed(cause.clone())),
        }
    }
}
