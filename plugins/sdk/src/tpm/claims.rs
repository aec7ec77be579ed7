//! What a quote says, as claims, and where it carries the challenge.

use super::attest::Attest;
use super::quote::Quoted;
use crate::tcg::Bank;
use crate::verifier::custody::Digest;
use crate::verifier::types::{Claim, Quote, Value};
use crate::verifier::{Binding, Carries};

/// Every PCR of a bank as `<prefix>pcr<index>`, and `<prefix>pcr_bank`: the prefix is `tpm.`, say.
/// `registers`: which statement of the verdict they are.
#[must_use]
pub fn register_claims(prefix: &str, quoted: &Quoted, bank: Bank, registers: u32) -> Vec<Claim> {
    let places = quoted.places.iter().filter(|place| place.bank == bank);
    let register = |place: &super::Place| {
        let mut name = String::with_capacity(prefix.len() + 5);
        name.push_str(prefix);
        name.push_str("pcr");
        // Of PCRs there are at most 32.
        let digit = |number: u32| char::from_digit(number % 10, 10).unwrap_or('0');
        name.extend((place.index > 9).then(|| digit(place.index / 10)));
        name.push(digit(place.index));
        Claim { name, value: Value::Quoted(Quote { statement: registers, at: place.at }) }
    };
    let mut claims = Vec::with_capacity(quoted.places.len() + 1);
    claims.extend(places.map(register));
    let name = [prefix, "pcr_bank"].concat();
    claims.push(Claim { name, value: Value::Text(bank.name().into()) });
    claims
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
