//! The real sidecar before the real host: `claviger serve --dev` in a process of its own, and evidence of
//! its simulated hardware. The host's binary lies beside the sidecar's where the whole workspace is
//! built; where it is not there the tests say `SKIPPED`, and fail where `CI=true`.

#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may stop")]
#![allow(clippy::indexing_slicing, reason = "tests may stop")]

mod azure;
mod face;
mod fetch;
mod python;
mod run;
mod serve;
mod support;
