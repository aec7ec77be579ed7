//! TPMs and vTPMs, through plugin and gate: what a quote must be, who must vouch for its key, and that nothing
//! of recorded evidence can be changed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod bench;
mod certified;
mod changed;
mod quotes;
mod swtpm;
