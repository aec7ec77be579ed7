//! Opening a log that is there: is it what its last checkpoint says, and where does it go on?
//!
//! Only whole lines count. A line without its end is what a crash in the middle of a write leaves;
//! it is cut off unless a checkpoint covers it. Lines behind the last checkpoint are taken as they
//! are found, unless the log was closed in order: then there can be none.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use super::checkpoint::{Checkpoint, LINES};
use super::error::{AuditError, Finding};
use super::files::{Ending, Paths, read_line};
use super::inspection::{Closing, inspect};
use super::key::VerificationKey;
use super::merkle::{Frontier, leaf};

/// Where the log goes on.
pub(super) struct Recovered {
    pub(super) frontier: Frontier,
    /// The length of the whole lines, in bytes.
    pub(super) log_length: u64,
    /// The length of the whole checkpoints, in bytes.
    pub(super) checkpoints_length: u64,
    /// How many records the last checkpoint covers, where there is one.
    pub(super) covered: Option<u64>,
    /// How many bytes of an unfinished line were cut off.
    pub(super) unfinished: u64,
}

impl Recovered {
    /// What the record of the opening should say, where all was not in order.
    pub(super) fn remark(&self) -> Option<String> {
        let behind = self.frontier.size().saturating_sub(self.covered.unwrap_or(0));
        (behind > 0 || self.unfinished > 0).then(|| {
            format!(
                "not closed in order: {behind} records behind the last checkpoint, {} bytes of an \
                 unfinished record cut off",
                self.unfinished
            )
        })
    }
}

/// Checks both files against each other and cuts off what a crash left unfinished.
pub(super) fn recover(
    paths: &Paths,
    log: &File,
    checkpoints: &File,
    key: &VerificationKey,
) -> Result<Recovered, AuditError> {
    let (checkpoint, checkpoints_length) = last_checkpoint(paths, checkpoints, key)?;
    let mut recovered = walk(paths, log, checkpoint.as_ref())?;
    recovered.checkpoints_length = checkpoints_length;
    if recovered.unfinished > 0 {
        tracing::warn!(
            bytes = recovered.unfinished,
            "cutting an unfinished record off the audit log"
        );
    }
    cut(log, recovered.log_length).map_err(|error| AuditError::io(&paths.log, &error))?;
    cut(checkpoints, checkpoints_length)
        .map_err(|error| AuditError::io(&paths.checkpoints, &error))?;
    Ok(recovered)
}

fn cut(file: &File, length: u64) -> io::Result<()> {
    if file.metadata()?.len() == length {
        return Ok(());
    }
    file.set_len(length)?;
    file.sync_all()
}

/// Reads the log once, from its beginning.
fn walk(
    paths: &Paths,
    log: &File,
    checkpoint: Option<&Checkpoint>,
) -> Result<Recovered, AuditError> {
    let covered = checkpoint.map_or(0, |checkpoint| checkpoint.size);
    let mut recovered = Recovered {
        frontier: Frontier::default(),
        log_length: 0,
        checkpoints_length: 0,
        covered: checkpoint.map(|checkpoint| checkpoint.size),
        unfinished: 0,
    };
    let mut reader = BufReader::with_capacity(1 << 20, log);
    let mut line = Vec::new();
    let mut closing = Closing::default();
    loop {
        let size = recovered.frontier.size();
        if let Some(checkpoint) = checkpoint
            && size == covered
            && recovered.frontier.root() != checkpoint.root
        {
            return Err(AuditError::Tampered(Finding::Diverges {
                first: 0,
                last: size.saturating_sub(1),
            }));
        }
        let ending = read_line(&mut reader, &mut line)
            .map_err(|error| AuditError::io(&paths.log, &error))?;
        match ending {
            None => break,
            Some(Ending::Unfinished) => {
                recovered.unfinished = line.len() as u64;
                break;
            }
            Some(Ending::TooLong) => {
                return Err(AuditError::Tampered(Finding::RecordMalformed {
                    index: size,
                    problem: "longer than any record".to_owned(),
                }));
            }
            Some(Ending::Newline) => {}
        }
        if size.saturating_add(1) >= covered {
            inspect(size, &line)
                .and_then(|seen| closing.see(size, covered, &seen))
                .map_err(AuditError::Tampered)?;
        }
        recovered.frontier.push(leaf(&line));
        recovered.log_length = recovered.log_length.saturating_add(line.len() as u64 + 1);
    }
    let records = recovered.frontier.size();
    if records < covered {
        return Err(AuditError::Tampered(Finding::Shortened { records, covered }));
    }
    if records > 0 && checkpoint.is_none() {
        return Err(AuditError::Tampered(Finding::Uncovered));
    }
    Ok(recovered)
}

/// The last whole checkpoint, and where it ends. Reads the file's end only.
fn last_checkpoint(
    paths: &Paths,
    mut file: &File,
    key: &VerificationKey,
) -> Result<(Option<Checkpoint>, u64), AuditError> {
    const WINDOW: u64 = 8192;
    let mut read = || -> io::Result<(u64, Vec<u8>)> {
        let length = file.metadata()?.len();
        let start = length.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok((start, bytes))
    };
    let (start, bytes) = read().map_err(|error| AuditError::io(&paths.checkpoints, &error))?;
    let problem = |problem: &dyn std::fmt::Display| {
        AuditError::Tampered(Finding::file(&paths.checkpoints, problem))
    };
    let Some(note) = last_note(&bytes) else {
        if start == 0 {
            return Ok((None, 0));
        }
        return Err(problem(&"no whole checkpoint at the end"));
    };
    let end = start.saturating_add(note.end as u64);
    let text = std::str::from_utf8(bytes.get(note).unwrap_or_default())
        .map_err(|_| problem(&"the last checkpoint is not UTF-8"))?;
    let checkpoint = Checkpoint::open(text, key).map_err(|fault| problem(&fault))?;
    Ok((Some(checkpoint), end))
}

/// The last five whole lines that end with a signature.
fn last_note(bytes: &[u8]) -> Option<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        if line.ends_with(b"\n") {
            lines.push((start..end, line.starts_with("\u{2014} ".as_bytes())));
        }
        start = end;
    }
    let last = lines.iter().rposition(|(_, signature)| *signature)?;
    let first = (last + 1).checked_sub(LINES)?;
    Some(lines.get(first)?.0.start..lines.get(last)?.0.end)
}
