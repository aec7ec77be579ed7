//! Development hardware: mints, at run time, everything that AMD's supply chain makes, in the same
//! formats. A product's root and intermediate keys, chips with their endorsement keys, revocation
//! lists, attestation reports.
//!
//! **These roots prove nothing.** Nothing made here is compiled into the host or trusted by
//! default: a verifier accepts a simulated root only where the development switch names it, and
//! says so in every verdict. Every certificate carries the organization
//! [`name::SIMULATED_ORGANIZATION`] in place of AMD's.
//!
//! It serves the demonstration, the benchmarks and the tests; the tests forge with it, so every
//! template has public fields and nothing is checked on the way out.
//!
//! ```text
//! Family (ARK, ASK, ASVK) ── chip ──▶ Endorser (VCEK) ── sign ──▶ report ◀── SimulatedGuest
//!        │                └─ provider ▶ Endorser (VLEK)
//!        └── crl ──▶ revocation list
//! ```

pub mod algorithm;
pub mod authority;
pub mod certificate;
pub mod chip;
pub mod crl;
pub mod der;
pub mod endorser;
pub mod extension;
pub mod family;
pub mod guest;
pub mod intel;
pub mod name;
pub mod oid;
mod pem;
pub mod report;
pub mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use algorithm::{Algorithm, Hash};
pub use authority::{AuthorityKey, Role};
pub use certificate::CertificateTemplate;
pub use chip::{ChipTemplate, ProviderTemplate, hardware_id};
pub use crl::{CrlTemplate, Revoked};
pub use endorser::{EndorsementKey, Endorser};
pub use extension::Extension;
pub use family::Family;
pub use guest::{Evidence, SimulatedGuest};
pub use name::Name;
pub use report::{FirmwareVersion, REPORT_LENGTH, ReportTemplate, SIGNED_LENGTH};
pub use table::{CertificateTable, Entry};

/// Why development hardware could not be made.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SimulationError {
    /// The text that should hold a family or an endorser does not.
    #[error("simulated hardware cannot be read: {0}")]
    Malformed(String),
    /// The cryptographic provider made no key.
    #[error("the cryptographic provider failed")]
    Provider,
}
