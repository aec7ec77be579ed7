//! The native hot path: bytes in, proof out, no input or output of its own.
//!
//! Everything that a verdict may rest on comes out of an [`Examination`], by six operations and by
//! calls that check whole quotes:
//!
//! ```text
//! certificates ─ chain ─┐                 ┌─ vouch ─> Statement (a blob whose digest stood there)
//!                       ├─> Signer ─ check ─> Statement
//! pinned key ── pinned ─┘       ^         ├─ replay > Statement (what a register was extended by)
//!                               │         └─ adopt ─┐
//!                               └───────────────────┘ (a key that stood there)
//! report + certificates ─ snp ─> Statement with facts, and its Signer
//! quote + collateral ──── dcap > the same, for SGX and TDX
//! ```
//!
//! [`Signer`] and [`Statement`] have private fields: holding one proves that its checks passed.
//! Trust comes from an [`Authority`], which the operator's configuration builds.

mod algorithm;
mod anchors;
mod authority;
mod broken;
mod bundle;
mod crl;
pub mod dcap;
pub(crate) mod der;
mod examination;
mod fault;
mod key;
mod lineage;
mod name;
mod ocsp;
mod revocation;
mod scope;
mod signature;
mod signer;
pub mod snp;
mod span;
mod statement;
mod trail;
mod vendors;
mod want;
pub(crate) mod x509;

#[cfg(test)]
mod tests;

/// Kinds of TEE whose evidence the host reads itself. A verdict about one stands on a statement of
/// that format (see [`Statement::tee`]), and claims under that name are the host's to make.
pub const NATIVE: [&str; 3] = ["sgx", "snp", "tdx"];

pub use algorithm::{DigestAlgorithm, KeyEncoding, SignatureAlgorithm};
pub use authority::{AMD, Authority, AuthorityBuilder, INTEL};
pub use broken::Broken;
pub(crate) use broken::Trailed;
pub use dcap::DcapReport;
pub use examination::Examination;
pub use fault::Fault;
pub(crate) use key::{Kind as SignatureKind, PublicKey, Scheme as SignatureScheme};
pub(crate) use lineage::{Lineage, SigningRoot};
pub use revocation::Revocation;
pub use signer::Signer;
pub use snp::SnpReport;
pub use span::Span;
pub use statement::Statement;
pub use trail::Step;
pub(crate) use trail::Trail;
pub use vendors::{AWS_NITRO, NVIDIA, NVIDIA_RIM};
pub use want::{IntelAuthority, IntelTee, Validity, Want};
