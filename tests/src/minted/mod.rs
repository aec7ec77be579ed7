//! Evidence of hardware that is none, in the formats of attesters whose anchors the operator names: made by
//! keys of the tests' own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

pub mod cca;
pub mod nitro;
pub mod tpm;
