//! From the key that signs quotes to the values of the PCRs.

use super::attest::Attest;
use super::pcrs::{Place, Values};
use super::signature::Signature;
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::custody::{self, Signer, Statement};

/// A quote that holds.
#[derive(Debug)]
pub struct Quoted {
    /// The signed TPMS_ATTEST.
    pub statement: Statement,
    /// What it says.
    pub attest: Attest,
    /// The values of the PCRs, as [`Values::quoted`] puts them.
    pub registers: Statement,
    /// The same bytes.
    pub values: Vec<u8>,
    /// Where each stands.
    pub places: Vec<Place>,
}

impl Quoted {
    /// The PCRs of the bank that claims are made of: the preferred one, else SHA-256, else the strongest of the
    /// others.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] where only SHA-1 and the like were quoted.
    pub fn bank(&self, preferred: Option<Bank>) -> Result<Bank, Rejection> {
        let quoted = |bank: &Bank| self.places.iter().any(|place| place.bank == *bank);
        let none = || Rejection::Unsupported("only PCRs of banks that nothing may rest on".into());
        preferred.into_iter().chain(Bank::TRUSTED).find(quoted).ok_or_else(none)
    }
}

/// Checks a quote with the key that `signer` is, and the values of the PCRs with the quote.
///
/// # Errors
/// The host's own findings; [`Rejection::Malformed`] where it is no quote or values are missing.
pub fn check(
    signer: &Signer,
    message: &[u8],
    signature: &Signature,
    values: &Values,
) -> Result<Quoted, Rejection> {
    let attest = Attest::read(message)?;
    let statement = custody::check(signer, signature.algorithm, message, &signature.bytes)?;
    let (registers, places) = values.quoted(&attest.selections)?;
    let values = registers;
    let registers = custody::vouch(&statement, attest.pcr_digest, signature.digest, &values)?;
    Ok(Quoted { statement, attest, registers, values, places })
}
