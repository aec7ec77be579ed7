//! Event logs of the Trusted Computing Group: what firmware and boot loaders measured, in order. A TPM
//! with its PCRs has them, and so have TDs with their RTMRs (CCEL).
//!
//! A log proves nothing by itself. What an entry says counts only where the entries of its register,
//! extended one after the other (`custody.replay`), lead to a value that a quote vouches for, and where
//! the entry is the digest of what it says (`custody.vouch`); see [`EventLog::register`].
//!
//! Source: TCG PC Client Platform Firmware Profile 1.06, section 10.

mod bank;
mod event;
mod log;
mod register;
mod summary;

#[cfg(test)]
mod tests;

pub use bank::Bank;
pub use event::{Event, Variable, kind};
pub use log::{EventLog, Malformed};
pub use register::Register;
pub use summary::Summary;
