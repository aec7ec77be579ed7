//! Reference values: what measurements and the like must be, per tenant, in the sealed store.
//!
//! ```text
//! bytes → Opened (read, nobody believed) → Admitted (a listed signer, within what it may sign)
//!       → stored → Snapshot (of the values good at a moment; signer and window asked anew)
//! ```
//! A document that was added stays, revoked or not, with who did what and when: the history is read
//! from the documents themselves. Its identifier is the digest of what is signed, so that a document
//! that was revoked does not come back.

mod claims;
mod corim;
mod document;
mod dsse;
mod error;
mod json;
pub mod measure;
mod opened;
mod provenance;
mod record;
mod rim;
mod signer;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;

pub use document::{Document, Form, Group, LARGEST, Window};
pub use error::ReferenceError;
pub use json::Plain;
pub use opened::{Admitted, Container, Opened};
pub use record::{Act, Change, Event, Reference, State};
pub use signer::{Origin, ReferencePlan, SignerPlan, Signers};
pub use snapshot::Snapshot;
pub use store::References;
