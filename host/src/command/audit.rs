//! `audit`: the log checked, read and proved from its directory, with or without a running host.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::REFUSED;
use super::files::read_bounded;
use super::out::{out, verdict};
use crate::audit::{self, Proof, Tail, VerificationKey, VerifiedLog};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check every line against every signed checkpoint
    Verify {
        /// The log's directory
        directory: PathBuf,
        /// The log's public key: a file with the text of an audit.pub, kept elsewhere; the one in the
        /// directory where absent
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// A file with a checkpoint of the log, kept elsewhere: the log must continue what it covers
        #[arg(long, value_name = "FILE")]
        checkpoint: Option<PathBuf>,
    },
    /// Print the last lines
    Tail {
        /// The log's directory
        directory: PathBuf,
        /// How many
        #[arg(short = 'n', long, default_value_t = 10)]
        lines: usize,
        /// Go on as lines are added
        #[arg(short, long)]
        follow: bool,
    },
    /// Prove that a record stands in the log
    Prove {
        /// The log's directory
        directory: PathBuf,
        /// The record's index, as the answer to a release names it
        index: u64,
    },
    /// Check such a proof
    CheckProof {
        /// The proof, JSON
        proof: PathBuf,
        /// The log's public key: a file with the text of an audit.pub, kept elsewhere
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify { directory, key, checkpoint } => {
            let key = key.map(|path| verification_key(&path)).transpose()?;
            let kept = checkpoint.map(|path| read_text(&path)).transpose()?;
            readable(&directory)?;
            let found = match &kept {
                None => audit::verify(&directory, key.as_ref()),
                Some(kept) => audit::verify_against(&directory, key.as_ref(), kept),
            };
            match found {
                Ok(log) => verified(&log, key.is_some(), kept.is_some()),
                Err(finding) => refused(out!("NOT VERIFIED: {finding}")),
            }
        }
        Command::Tail { directory, lines, follow } => tail(&directory, lines, follow),
        Command::Prove { directory, index } => {
            readable(&directory)?;
            match audit::prove(&directory, index) {
                Ok(Some(proof)) => {
                    out!("{}", serde_json::to_string_pretty(&proof)?)?;
                    Ok(ExitCode::SUCCESS)
                }
                Ok(None) => bail!("record {index} is not there, or no checkpoint covers it yet"),
                Err(finding) => refused(out!("NOT PROVED: {finding}")),
            }
        }
        Command::CheckProof { proof, key } => {
            let proof: Proof = serde_json::from_slice(&read_bounded(&proof, 1 << 20)?)?;
            match proof.verify(&verification_key(&key)?) {
                Ok(checkpoint) => {
                    out!("proved: record {} of {}", proof.index, checkpoint.size)?;
                    Ok(ExitCode::SUCCESS)
                }
                Err(fault) => refused(out!("NOT PROVED: {fault}")),
            }
        }
    }
}

/// What was found to hold, and what that rests on: a key that lies beside the log may have been
/// written by whoever wrote the log anew.
fn verified(log: &VerifiedLog, own_key: bool, own_checkpoint: bool) -> anyhow::Result<ExitCode> {
    out!(
        "verified: {} records of {}, Merkle root {}; {} signed checkpoints cover {}",
        log.records,
        log.origin,
        log.root,
        log.checkpoints,
        log.covered
    )?;
    if log.unfinished > 0 {
        out!("{} bytes behind them are of a line that was never finished", log.unfinished)?;
    }
    match (own_key, own_checkpoint) {
        (true, _) => out!("by the key {}", log.key)?,
        (false, true) => {
            out!("by the key {}, which signed the checkpoint kept elsewhere", log.key)?
        }
        (false, false) => out!(
            "by the key {}, which was FOUND BESIDE THE LOG: whoever could write the log anew could \
             write this key too; give --key or --checkpoint from where it was kept",
            log.key
        )?,
    }
    Ok(ExitCode::SUCCESS)
}

fn refused(printed: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    verdict(printed, ExitCode::from(REFUSED))
}

/// A folder that is not there has no log in it that somebody could have altered.
fn readable(directory: &std::path::Path) -> anyhow::Result<()> {
    std::fs::read_dir(directory).map(drop).with_context(|| directory.display().to_string())
}

fn verification_key(path: &std::path::Path) -> anyhow::Result<VerificationKey> {
    read_text(path)?.trim().parse().with_context(|| path.display().to_string())
}

/// The text of a key or a checkpoint.
fn read_text(path: &std::path::Path) -> anyhow::Result<String> {
    String::from_utf8(read_bounded(path, 4096)?).with_context(|| path.display().to_string())
}

fn tail(directory: &std::path::Path, lines: usize, follow: bool) -> anyhow::Result<ExitCode> {
    let (mut tail, last) = Tail::open(directory, lines)?;
    last.iter().try_for_each(|line| out!("{line}"))?;
    if !follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        std::thread::sleep(Duration::from_millis(200));
        tail.more()?.iter().try_for_each(|line| out!("{line}"))?;
    }
}
