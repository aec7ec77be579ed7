//! Attestation results: EAT Attestation Results (draft-ietf-rats-ear-04) as types, written once and
//! mapped to JSON (for a JWT) and to CBOR (for a CWT) by the same code.

mod claims;
mod confirmation;
mod ear;
mod form;
mod values;

pub use confirmation::Confirmation;
pub use ear::{Accompanying, Ear, Own, Submod, VerifierId, VerifierModule};
pub use form::Form;
pub use values::{ClaimMap, Identifier, Nonce, PROFILE, Profile, Tier, TrustVector, Unreadable};

#[cfg(test)]
mod tests;
