//! Between the requests and the writer: lines gather while the writer is busy with the last group, and as long
//! as whoever brought the first of them holds the group back. A sync costs as much for one line as for many.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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

/// A line in the queue.
pub(super) struct Queued<'a> {
    /// Comes when it is durable.
    pub(super) answer: oneshot::Receiver<Result<Receipt, AuditError>>,
    /// Whoever brings the first one of a group holds the group back.
    pub(super) held: Option<Held<'a>>,
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
    /// After so long a group is not held back any more.
    gather: Duration,
    state: Mutex<State>,
    changed: Condvar,
    /// When the write began that the writer is in.
    writing: Mutex<Option<Instant>>,
}

struct State {
    phase: Phase,
    group: Group,
    /// How many groups the writer has taken.
    taken: u64,
    /// When the first line of the group came.
    since: Instant,
    /// Whether the writer may take the group.
    due: bool,
    /// Whether the writer waits to be woken.
    asleep: bool,
}

/// Holds a group back from the writer until it is dropped, however that comes about.
pub(super) struct Held<'a> {
    queue: &'a Queue,
    group: u64,
}

impl Held<'_> {
    /// Whether there is still something to hold back: the writer has not taken the group, and its time is
    /// not over.
    pub(super) fn is_held(&self) -> bool {
        let state = self.queue.lock();
        state.taken == self.group && state.since.elapsed() < self.queue.gather
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let state = self.queue.lock();
        if state.taken == self.group {
            self.queue.begin(state);
        }
    }
}

impl Queue {
    pub(super) fn new(capacity: usize, gather: Duration) -> Self {
        let state = State {
            phase: Phase::Open,
            group: Group::default(),
            taken: 0,
            since: Instant::now(),
            due: false,
            asleep: false,
        };
        Self {
            capacity,
            gather,
            state: Mutex::new(state),
            changed: Condvar::new(),
            writing: Mutex::default(),
        }
    }

    /// Takes a line without its newline.
    pub(super) fn push(&self, line: &[u8], leaf: Hash) -> Result<Queued<'_>, AuditError> {
        let mut state = self.lock();
        state.phase.check()?;
        if state.group.waiters.len() >= self.capacity {
            return Err(AuditError::Busy);
        }
        let (answer, receiver) = oneshot::channel();
        let held = state.group.waiters.is_empty().then(|| {
            state.since = Instant::now();
            Held { queue: self, group: state.taken }
        });
        state.group.bytes.extend_from_slice(line);
        state.group.bytes.push(b'\n');
        state.group.waiters.push(Waiter { leaf, answer });
        // Whoever holds it back may be at something long.
        if state.since.elapsed() >= self.gather {
            self.begin(state);
        }
        Ok(Queued { answer: receiver, held })
    }

    fn begin(&self, mut state: MutexGuard<'_, State>) {
        state.due = !state.group.waiters.is_empty();
        let wake = state.due && std::mem::take(&mut state.asleep);
        drop(state);
        if wake {
            self.changed.notify_one();
        }
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

    /// The writer's side: waits for lines that are due, for the end, or for `patience` to run out. `spare` is a
    /// used group whose buffers are filled next.
    pub(super) fn take(&self, mut spare: Group, patience: Option<Duration>) -> Work {
        spare.bytes.clear();
        spare.waiters.clear();
        let idle = |state: &mut State| {
            state.asleep = !state.due && matches!(state.phase, Phase::Open);
            state.asleep
        };
        let guard = self.lock();
        let mut state = match patience {
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(guard, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait_while(guard, idle).unwrap_or_else(PoisonError::into_inner),
        };
        state.asleep = false;
        if !state.group.waiters.is_empty() {
            state.due = false;
            state.taken = state.taken.wrapping_add(1);
            return Work::Commit(std::mem::replace(&mut state.group, spare));
        }
        match state.phase {
            Phase::Open => Work::Idle,
            Phase::Closing | Phase::Closed | Phase::Failed(_) => Work::Close,
        }
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
