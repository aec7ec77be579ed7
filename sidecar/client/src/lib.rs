//! A workload's side of secure key release: attest to a Claviger host, open the keys that it releases,
//! renew them, and give them up when the host says so.
//!
//! ```no_run
//! use std::sync::Arc;
//! use claviger_client::{Client, Evidence, Gathering, Platform, ReportData, Settings, Trust};
//!
//! /// A guest that finds its reports ready made: `claviger-sidecar` has platforms for real hardware.
//! struct Reports;
//!
//! impl Platform for Reports {
//!     fn name(&self) -> &str {
//!         "reports"
//!     }
//!
//!     fn evidence<'a>(&'a self, report_data: &'a ReportData) -> Gathering<'a> {
//!         Box::pin(async move {
//!             let _the_64_bytes_that_a_report_carries = report_data.sha512();
//!             Ok(Evidence::new("snp", "application/vnd.amd.sev-snp-report", Vec::new()))
//!         })
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let trust = Trust::roots(std::fs::read("claviger-ca.pem")?);
//! let client = Client::new(Settings::new("https://claviger.example", trust), Arc::new(Reports))?;
//! let key = client.fetch("database-key", None).await?;
//! println!("version {}, {} bytes", key.version, key.secret.expose().len());
//! # Ok(())
//! # }
//! ```
//!
//! What is checked before anybody gets a key from here: the host's certificate (roots, pinned key, or
//! both); that the challenge is for what was asked; that the wrapped key opens, is of the name, version
//! and tenant that were asked for and answers this very challenge; that it does not rest on simulated
//! hardware; and of result tokens signature, issuer, audience, nonce, confirmation key and time.

#![forbid(unsafe_code)]

mod api;
mod client;
mod error;
pub mod http;
mod lease;
mod platform;
mod recipient;
mod report_data;
mod retry;
mod secret;
mod token;
mod trust;

pub use client::{Attested, Client, ReleasedKey, Settings};
pub use error::{ClientError, Problem};
pub use lease::{End, KeptKey, KeyState, Renewal};
pub use platform::{Evidence, Gathering, Platform, PlatformError};
pub use recipient::{
    KeyGenerationError, RecipientKey, RecipientKind, UnwrapError, Unwrapped, WrapHeader,
};
pub use report_data::ReportData;
pub use retry::Retry;
pub use secret::Secret;
pub use token::{Expected, HostKeys, TokenError};
pub use trust::Trust;
