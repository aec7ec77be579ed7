//! What can go wrong with the log, and what can be found wrong in it.

use std::fmt;
use std::io;
use std::path::Path;

use super::checkpoint::CheckpointFault;
use crate::error::{Code, Refusal};
use crate::store::private_file::NotPrivate;

/// Why a record is not durable, or the log not open.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    /// The writer is further behind than the queue is long.
    #[error("the audit log's queue is full")]
    Busy,
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// A write failed; nothing more is taken until the log is opened anew.
    #[error("the audit log has failed: {0}")]
    Failed(String),
    /// A file or directory is open to others than its owner, or not what it should be: which, and
    /// what is wrong with it.
    #[error("{0}")]
    Insecure(String),
    /// The operating system refused.
    #[error("{path}: {problem}")]
    Io {
        /// On which file.
        path: String,
        /// Its words.
        problem: String,
    },
    /// The signing key or origin cannot be used.
    #[error("audit signing key: {0}")]
    Key(String),
    /// Another process has the log open.
    #[error("{0}: another process has the audit log open")]
    Locked(String),
    /// A record cannot be written as one line.
    #[error("the record cannot be written: {0}")]
    Record(String),
    /// The log was begun under another name, by the same key.
    #[error(
        "{directory} is the audit log of {was:?}, and this host is {is:?}: a log keeps the name that \
         it was begun under (host.id); take that again, or begin a new log in another directory"
    )]
    Renamed {
        /// The log's directory.
        directory: String,
        /// The name that it was begun under.
        was: String,
        /// The name that it is opened under.
        is: String,
    },
    /// A write has not come back for longer than a record may take; it may yet.
    #[error("the disk under the audit log does not answer")]
    Stalled,
    /// The log is not what its checkpoints say.
    #[error("the audit log was tampered with: {0}")]
    Tampered(Finding),
    /// The record was not durable in time; it may become so later.
    #[error("the audit record was not durable in time")]
    Timeout,
}

impl AuditError {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        Self::Io { path: path.display().to_string(), problem: error.to_string() }
    }
}

impl From<NotPrivate> for AuditError {
    fn from(error: NotPrivate) -> Self {
        match error {
            NotPrivate::Io { path, source } => Self::io(&path, &source),
            other => Self::Insecure(other.to_string()),
        }
    }
}

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Self {
        Self::new(Code::AuditUnavailable, error.to_string())
    }
}

/// What is wrong with a log. Records and checkpoints are counted from zero.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Finding {
    /// There are records behind the one that closed the log, and no opening between.
    #[error("record {first} and later were appended after the log was closed")]
    AppendedAfterClose {
        /// The first such record.
        first: u64,
    },
    /// A checkpoint was not signed by the log's key.
    #[error("checkpoint {number} is not signed by the log's key")]
    CheckpointForged {
        /// Which.
        number: u64,
    },
    /// A checkpoint cannot be read.
    #[error("checkpoint {number} cannot be read: {problem}")]
    CheckpointMalformed {
        /// Which.
        number: u64,
        /// Why.
        problem: String,
    },
    /// A checkpoint covers fewer records than the one before it.
    #[error("checkpoint {number} covers fewer records than the one before it")]
    CheckpointOrder {
        /// Which.
        number: u64,
    },
    /// Records differ from what a checkpoint covers.
    #[error("{}", Between(*.first, *.last))]
    Diverges {
        /// The first record that may differ: up to here an earlier checkpoint holds.
        first: u64,
        /// The last record that the failing checkpoint covers.
        last: u64,
    },
    /// A file of the log is missing, unreadable or not what it should be.
    #[error("{file}: {problem}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        problem: String,
    },
    /// The checkpoint that was kept elsewhere is not one of this log.
    #[error("the checkpoint that was kept elsewhere: {0}")]
    KeptCheckpoint(CheckpointFault),
    /// A record is not a line as this host writes it.
    #[error("record {index} is malformed: {problem}")]
    RecordMalformed {
        /// Which.
        index: u64,
        /// Why.
        problem: String,
    },
    /// A checkpoint covers more records than there are.
    #[error("{records} records are left of {covered} that a checkpoint covers")]
    Shortened {
        /// Whole records that are there.
        records: u64,
        /// Records that a checkpoint covers.
        covered: u64,
    },
    /// There are records, but no checkpoint.
    #[error("there are records, but every checkpoint is gone")]
    Uncovered,
}

impl Finding {
    pub(super) fn file(path: &Path, problem: &dyn fmt::Display) -> Self {
        Self::File { file: path.display().to_string(), problem: problem.to_string() }
    }
}

/// Says where an edit lies.
struct Between(u64, u64);

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(first, last) = self;
        if first == last {
            write!(f, "record {first} was changed")
        } else {
            write!(f, "a record between {first} and {last} was changed, added or removed")
        }
    }
}
