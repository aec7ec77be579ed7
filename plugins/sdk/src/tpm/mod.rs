//! Quotes of a TPM 2.0: read strictly, and led from the key that signed them to the values of the PCRs
//! by the host's custody operations.
//!
//! Source: TPM 2.0 Library, part 2 "Structures", version 1.59.

mod attest;
mod boot;
mod certify;
mod claims;
mod ima;
mod pcrs;
mod public;
mod quote;
mod signature;
#[cfg(test)]
mod tests;

pub use attest::{Attest, Selection};
pub use boot::{Boot, find_log, replay};
pub use certify::{Sealed, certified};
pub use claims::{binding, quote_claims, register_claims};
pub use ima::{Measured, find_list, measured};
pub use pcrs::{Place, Values};
pub use public::RsaPublic;
pub use quote::{Quoted, check};
pub use signature::Signature;
