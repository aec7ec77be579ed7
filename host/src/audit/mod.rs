//! The audit log: what was decided, durable before anything leaves, and provably unaltered.
//!
//! A directory holds `audit.jsonl` (one JSON object a line; the line's number from zero is its
//! index), `audit.checkpoints` (signed tree heads over the lines, C2SP tlog-checkpoint) and
//! `audit.pub` (the key that signed them, C2SP signed-note verifier key).
//!
//! What it shows: a line that a checkpoint covers cannot be edited, moved or removed unseen by
//! anyone who has the public key, or any later checkpoint, from elsewhere. What it cannot show:
//! lines written after the last checkpoint before a crash are taken as they are found, and whoever
//! deletes the whole directory deletes the whole log; keep checkpoints in a second place.

pub mod checkpoint;
mod companion;
mod encoding;
mod error;
mod event;
mod files;
mod find;
mod inspection;
pub mod key;
mod log;
pub mod merkle;
mod proof;
mod queue;
mod record;
mod recovery;
mod sink;
mod tail;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use companion::Companion;
#[cfg(test)]
pub(crate) use encoding::line_length;
pub use error::{AuditError, Finding};
pub use event::Event;
pub use find::{Found, find};
pub use key::{SigningKey, VerificationKey};
pub use log::{AuditLog, Receipt, Settings};
pub use proof::{Proof, ProofFault, prove};
pub use record::{Digest, Module, Outcome, Record};
pub use tail::Tail;
pub use verify::{VerifiedLog, verify, verify_against};
