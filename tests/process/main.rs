//! Promises that only the real binary can keep: processes that are killed, told to stop, flooded and
//! looked into.
//!
//! Every process is ended by the test that started it; servers listen on loopback, on ports that the
//! system chooses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their support stop at the first surprise"
)]

mod building;
mod commands;
mod doctor;
mod flood;
mod key_vault;
mod kills;
#[path = "../tests/swap/latency.rs"]
mod latency;
mod plugins;
mod production;
mod references;
mod secrets;
mod simulated;
mod starting;
mod state;
mod stopping;
mod support;
mod swaps;
mod walk;
