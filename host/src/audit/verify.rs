//! Checking a log from its files alone, while the host runs or elsewhere.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::{Serialize, Serializer};

use super::checkpoint::{Checkpoint, CheckpointFault, LINES};
use super::error::Finding;
use super::files::{Ending, Paths, read_line};
use super::inspection::{Closing, inspect};
use super::key::VerificationKey;
use super::merkle::{Frontier, leaf};

/// A log that holds: every record has its form, every checkpoint its signature, and the records
/// are those that every checkpoint covers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct VerifiedLog {
    /// The log's name.
    pub origin: String,
    /// The key that the checkpoints are signed with, in text.
    #[serde(serialize_with = "text")]
    pub key: VerificationKey,
    /// How many whole records there are.
    pub records: u64,
    /// How many of them the last checkpoint covers.
    pub covered: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The root under the last checkpoint, in base64.
    pub root: String,
    /// Bytes of a record that is not, or not yet, written wholly.
    pub unfinished: u64,
}

fn text<S: Serializer>(key: &VerificationKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// Checks the log in `directory` with `key`, or with the key that lies beside it: whoever can
/// change the log can change that one too, so give the key where it was kept elsewhere.
///
/// # Errors
/// The first [`Finding`].
pub fn verify(directory: &Path, key: Option<&VerificationKey>) -> Result<VerifiedLog, Finding> {
    check(directory, key, None)
}

/// The same, and the log must be the one, or continue the one, that `checkpoint` (a signed note that
/// was kept elsewhere) speaks of. This shows also where an older state of all its files was put back.
///
/// # Errors
/// The first [`Finding`].
pub fn verify_against(
    directory: &Path,
    key: Option<&VerificationKey>,
    checkpoint: &str,
) -> Result<VerifiedLog, Finding> {
    check(directory, key, Some(checkpoint))
}

fn check(
    directory: &Path,
    key: Option<&VerificationKey>,
    kept: Option<&str>,
) -> Result<VerifiedLog, Finding> {
    let paths = Paths::of(directory);
    let key = match key {
        Some(key) => key.clone(),
        None => published_key(&paths)?,
    };
    let kept = kept.map(|note| Checkpoint::open(note, &key)).transpose();
    let kept = kept.map_err(Finding::KeptCheckpoint)?;
    // Checkpoints first: a running host only ever adds records.
    let mut checkpoints: Vec<_> =
        read_checkpoints(&paths, &key)?.into_iter().map(|(checkpoint, _)| checkpoint).collect();
    let last = checkpoints.last().cloned();
    let mut found = VerifiedLog {
        origin: key.name().to_owned(),
        key,
        records: 0,
        covered: 0,
        checkpoints: checkpoints.len() as u64,
        root: String::new(),
        unfinished: 0,
    };
    if let Some(kept) = kept {
        let place = checkpoints.partition_point(|own| own.size <= kept.size);
        checkpoints.insert(place, kept);
    }
    let frontier = walk(&paths, &checkpoints, &mut found)?;
    found.records = frontier.size();
    let largest = checkpoints.last().map_or(0, |checkpoint| checkpoint.size);
    match last {
        _ if largest > found.records => {
            Err(Finding::Shortened { records: found.records, covered: largest })
        }
        Some(last) => {
            found.covered = last.size;
            found.root = data_encoding::BASE64.encode(&last.root);
            Ok(found)
        }
        None => Err(Finding::Uncovered),
    }
}

/// The key that lies beside the log.
pub(super) fn published_key(paths: &Paths) -> Result<VerificationKey, Finding> {
    std::fs::read_to_string(&paths.public)
        .map_err(|error| Finding::file(&paths.public, &error))?
        .parse()
        .map_err(|error| Finding::file(&paths.public, &error))
}

/// Every whole checkpoint with its note, each checked; sizes never fall.
pub(super) fn read_checkpoints(
    paths: &Paths,
    key: &VerificationKey,
) -> Result<Vec<(Checkpoint, String)>, Finding> {
    let unreadable = |error: io::Error| Finding::file(&paths.checkpoints, &error);
    let file = File::open(&paths.checkpoints).map_err(unreadable)?;
    let mut reader = BufReader::new(file);
    let mut found: Vec<(Checkpoint, String)> = Vec::new();
    while let Some(note) = read_note(&mut reader).map_err(unreadable)? {
        let number = found.len() as u64;
        let checkpoint = Checkpoint::open(&note, key).map_err(|fault| match fault {
            CheckpointFault::Forged => Finding::CheckpointForged { number },
            CheckpointFault::Malformed(problem) => {
                Finding::CheckpointMalformed { number, problem: problem.to_owned() }
            }
        })?;
        if found.last().is_some_and(|(before, _)| before.size > checkpoint.size) {
            return Err(Finding::CheckpointOrder { number });
        }
        found.push((checkpoint, note));
    }
    Ok(found)
}

/// The next five lines; `None` where there are fewer: the last one may be about to be written.
fn read_note(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut note = Vec::new();
    let mut line = Vec::new();
    for _ in 0..LINES {
        if read_line(reader, &mut line)? != Some(Ending::Newline) {
            return Ok(None);
        }
        note.extend_from_slice(&line);
        note.push(b'\n');
    }
    String::from_utf8(note).map(Some).map_err(io::Error::other)
}

/// Reads the log once and compares it with each checkpoint on the way.
fn walk(
    paths: &Paths,
    checkpoints: &[Checkpoint],
    found: &mut VerifiedLog,
) -> Result<Frontier, Finding> {
    let unreadable = |error: io::Error| Finding::file(&paths.log, &error);
    let file = File::open(&paths.log).map_err(unreadable)?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let covered = checkpoints.last().map_or(0, |last| last.size);
    let mut ahead = checkpoints.iter().peekable();
    let mut frontier = Frontier::default();
    let mut closing = Closing::default();
    let mut line = Vec::new();
    // The first record that no checkpoint has confirmed yet.
    let mut unconfirmed = 0;
    loop {
        let index = frontier.size();
        while let Some(checkpoint) = ahead.next_if(|next| next.size == index) {
            if checkpoint.root != frontier.root() {
                return Err(Finding::Diverges {
                    first: unconfirmed,
                    last: index.saturating_sub(1),
                });
            }
            unconfirmed = index;
        }
        match read_line(&mut reader, &mut line).map_err(unreadable)? {
            None => return Ok(frontier),
            Some(Ending::Unfinished) => {
                found.unfinished = line.len() as u64;
                return Ok(frontier);
            }
            Some(Ending::TooLong) => {
                return Err(Finding::RecordMalformed {
                    index,
                    problem: "longer than any record".to_owned(),
                });
            }
            Some(Ending::Newline) => {}
        }
        let seen = inspect(index, &line)?;
        closing.see(index, covered, &seen)?;
        frontier.push(leaf(&line));
    }
}
