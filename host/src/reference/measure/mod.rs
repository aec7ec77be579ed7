//! What a launch will measure, computed from what is launched: for pipelines, which make reference
//! values before any machine runs.
//!
//! Everything here trusts its input (it is the operator's own) and is bounded by it.

mod firmware;
pub mod pcr;
pub mod snp;
pub mod tdx;

pub use firmware::FirmwareError;
