//! A proof that travels: one record, its path through the tree, and a signed checkpoint above it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, CheckpointFault};
use super::error::Finding;
use super::files::{Ending, Paths, read_line};
use super::key::VerificationKey;
use super::merkle::{Hash, inclusion, leaf, root, verify_inclusion};
use super::verify::{published_key, read_checkpoints};

/// More hashes are not looked at: a tree of 2^64 leaves needs no more.
const MAX_PATH: usize = 64;

/// One record and what proves that it is in the log. Holds all that a reader with the public key
/// needs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The record's line, as it stands in the log.
    pub record: String,
    /// Its number, from zero.
    pub index: u64,
    /// The audit path from the leaf up (RFC 6962, section 2.1.1), each hash in base64.
    pub path: Vec<String>,
    /// The signed note; it says how large the tree is.
    pub checkpoint: String,
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofFault {
    /// The checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointFault),
    /// The path does not lead from the record to the checkpoint's root.
    #[error("the record is not in the log at that place")]
    NotIncluded,
    /// The path is not a list of hashes.
    #[error("the path is malformed")]
    PathMalformed,
}

impl Proof {
    /// Checks the proof with the log's key and gives the checkpoint that it rests on.
    ///
    /// # Errors
    /// [`ProofFault`].
    pub fn verify(&self, key: &VerificationKey) -> Result<Checkpoint, ProofFault> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        if self.path.len() > MAX_PATH {
            return Err(ProofFault::PathMalformed);
        }
        let path: Vec<Hash> = self
            .path
            .iter()
            .map(|text| BASE64.decode(text.as_bytes()).ok()?.try_into().ok())
            .collect::<Option<_>>()
            .ok_or(ProofFault::PathMalformed)?;
        let leaf = leaf(self.record.as_bytes());
        if !verify_inclusion(&leaf, self.index, checkpoint.size, &path, &checkpoint.root) {
            return Err(ProofFault::NotIncluded);
        }
        Ok(checkpoint)
    }
}

/// Proves that record `index` of the log in `directory` is under its last checkpoint. `None` where
/// there is no such record, or no checkpoint covers it yet. The key is the one that lies beside.
///
/// # Errors
/// A [`Finding`] where the log does not hold.
pub fn prove(directory: &Path, index: u64) -> Result<Option<Proof>, Finding> {
    let paths = Paths::of(directory);
    let key = published_key(&paths)?;
    let Some((checkpoint, note)) = read_checkpoints(&paths, &key)?.pop() else {
        return Err(Finding::Uncovered);
    };
    if index >= checkpoint.size {
        return Ok(None);
    }
    let (record, leaves) = read_leaves(&paths, index, checkpoint.size)?;
    if root(&leaves) != checkpoint.root {
        return Err(Finding::Diverges { first: 0, last: checkpoint.size.saturating_sub(1) });
    }
    let path =
        usize::try_from(index).ok().and_then(|index| inclusion(&leaves, index)).unwrap_or_default();
    Ok(Some(Proof {
        record,
        index,
        path: path.iter().map(|hash| BASE64.encode(hash)).collect(),
        checkpoint: note,
    }))
}

/// Record `index`, and the leaf hashes of the first `size` records.
fn read_leaves(paths: &Paths, index: u64, size: u64) -> Result<(String, Vec<Hash>), Finding> {
    let file = File::open(&paths.log).map_err(|error| Finding::file(&paths.log, &error))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut record = String::new();
    let mut leaves = Vec::new();
    let mut line = Vec::new();
    for number in 0..size {
        let ending =
            read_line(&mut reader, &mut line).map_err(|error| Finding::file(&paths.log, &error))?;
        if ending != Some(Ending::Newline) {
            return Err(Finding::Shortened { records: number, covered: size });
        }
        leaves.push(leaf(&line));
        if number == index {
            record = String::from_utf8(line.clone()).map_err(|_| Finding::RecordMalformed {
                index,
                problem: "not printable ASCII".to_owned(),
            })?;
        }
    }
    Ok((record, leaves))
}
