//! What a quote says, as claims, and where it carries the challenge.

use super::attest::Attest;
use super::quote::Quoted;
use crate::tcg::Bank;
use crate::verifier::custody::Digest;
use crate::verifier::types::{Claim, Quote, Registers, Span, Value};
use crate::verifier::{Binding, Carries};

/// Every PCR of a bank as `<prefix>pcr<index>`, and `<prefix>pcr_bank`: the prefix is `tpm.`, say.
/// `statement`: which of the verdict's the registers are.
#[must_use]
pub fn register_claims(prefix: &str, quoted: &Quoted, bank: Bank, statement: u32) -> Vec<Claim> {
    // A quote has a bank's registers one behind the other, ascending, and of a bank there are at most 32.
    let places = || quoted.places.iter().filter(|place| place.bank == bank);
    let registers = places().next().map(|first| {
        let Span { start, length: size } = first.at;
        let indexes = places().fold(0, |bits, place| bits | 1_u32.wrapping_shl(place.index));
        Value::Registers(Registers { statement, start, size, indexes })
    });
    let claim = |name: &str, value| Claim { name: [prefix, name].concat(), value };
    let bank = claim("pcr_bank", Value::Text(bank.name().into()));
    registers.map(|registers| claim("pcr", registers)).into_iter().chain([bank]).collect()
}

/// The rest of what a TPM says in a quote: `<prefix>clock` and so on. `statement`: which of the
/// verdict's the quote is.
#[must_use]
pub fn quote_claims(prefix: &str, quoted: &Quoted, statement: u32) -> Vec<Claim> {
    let attest = &quoted.attest;
    let claim = |name: &str, value| Claim { name: [prefix, name].concat(), value };
    let mut claims = vec![
        claim("clock", Value::Unsigned(attest.clock)),
        claim("clock_safe", Value::Flag(attest.safe)),
        claim("firmware_version", Value::Unsigned(attest.firmware_version)),
        claim("reset_count", Value::Unsigned(attest.reset_count.into())),
        claim("restart_count", Value::Unsigned(attest.restart_count.into())),
    ];
    if attest.extra_data.length > 0 {
        let at = attest.extra_data;
        claims.push(claim("nonce", Value::Quoted(Quote { statement, at })));
    }
    claims
}

/// The challenge digest in a quote's extraData, by its length: 32, 48 or 64 bytes. Data of another
/// length is something else, and binds nothing.
#[must_use]
pub fn binding(attest: &Attest, statement: u32) -> Option<Binding> {
    let digest = match attest.extra_data.length {
        32 => Digest::Sha256,
        48 => Digest::Sha384,
        64 => Digest::Sha512,
        _ => return None,
    };
    let at = attest.extra_data;
    Some(Binding { statement, at, carries: Carries::ChallengeDigest(digest) })
}
