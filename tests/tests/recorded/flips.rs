//! Every bit that a signature or a digest covers, and every bit of the signature and of the certificates
//! under it, flipped one after the other in recorded evidence: the host's own checks refuse each. Natively,
//! for a plugin's call for each would take hours; that plugins lead to these checks is tried by `changed.rs`.

mod azure;
mod cca;
mod nitro;
mod nvidia;
mod tpm;

use std::sync::Mutex;
use std::thread;

use claviger::quote::{Examination, SignatureAlgorithm, Signer, Statement};
use claviger_tests::vectors::Case;

use super::{authority, moment};

/// A signature over a message, by whom the host knows.
pub(super) struct Signed {
    pub(super) by: Signer,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Signed {
    pub(super) fn statement(&self, examination: &Examination) -> Statement {
        let Self { by, algorithm, message, signature } = self;
        examination.check(by, *algorithm, message.clone(), signature).unwrap()
    }

    /// Flips every bit of message and signature.
    pub(super) fn exhaust(&self, examination: &Examination) -> Result<usize, String> {
        let Self { by, algorithm, message, signature } = self;
        let check = |message: &[u8], signature: &[u8]| {
            examination.check(by, *algorithm, message.to_vec(), signature).is_ok()
        };
        let messages = each_bit("message", message, |message| check(message, signature))?;
        Ok(messages + each_bit("signature", signature, |signature| check(message, signature))?)
    }
}

/// Whether somebody asks for every bit of everything.
pub(crate) fn asked_for_all() -> bool {
    std::env::var_os("CLAVIGER_EVERY_BIT").is_some()
}

/// Flips every bit of every certificate of a chain; where nobody asks for all, one in every byte, for each
/// costs the whole chain.
pub(super) fn exhaust_chain(
    examination: &Examination,
    chain: &[Vec<u8>],
    set: &str,
) -> Result<usize, String> {
    let mut flipped = 0;
    for (place, certificate) in chain.iter().enumerate() {
        let bits = if asked_for_all() { 8 } else { 1 };
        let what = format!("certificate {place}");
        flipped += some_bits(&what, certificate, bits, |certificate| {
            let mut chain = chain.to_vec();
            chain[place] = certificate.to_vec();
            examination.chain(&chain, set).is_ok()
        })?;
    }
    Ok(flipped)
}

/// Flips every bit of bytes that hold as they are, and of none that is otherwise. Answers how many.
pub(super) fn each_bit(
    what: &str,
    bytes: &[u8],
    holds: impl Fn(&[u8]) -> bool + Sync,
) -> Result<usize, String> {
    some_bits(what, bytes, 8, holds)
}

/// The same with so many bits of each byte, in turn.
fn some_bits(
    what: &str,
    bytes: &[u8],
    each: usize,
    holds: impl Fn(&[u8]) -> bool + Sync,
) -> Result<usize, String> {
    if !holds(bytes) {
        return Err(format!("{what}: it does not hold as it is"));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let kept = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..threads {
            let (kept, holds) = (&kept, &holds);
            scope.spawn(move || {
                let mut altered = bytes.to_vec();
                for place in (thread..bytes.len()).step_by(threads) {
                    for bit in (place..place + each).map(|bit| bit % 8) {
                        altered[place] ^= 1 << bit;
                        if holds(&altered) {
                            kept.lock().unwrap().push((place, bit));
                        }
                        altered[place] ^= 1 << bit;
                    }
                }
            });
        }
    });
    let kept = kept.into_inner().unwrap();
    match kept.is_empty() {
        true => Ok(each * bytes.len()),
        false => Err(format!("{what}: bits that may be flipped, by byte and bit: {kept:?}")),
    }
}

/// Flips all of a case that is genuine; answers how many bits, none where its form is not taken apart here.
pub(crate) fn exhaust(case: &Case) -> Option<Result<usize, String>> {
    let trials = case.trials();
    let examination = Examination::new(authority(case), moment(trials.last()?));
    match case.tee() {
        "az-snp" | "az-tdx" => azure::exhaust(case, &examination),
        "cca" => cca::exhaust(case, &examination),
        "nitro" => nitro::exhaust(case, &examination),
        "nvidia" => nvidia::exhaust(case, &examination),
        "tpm" => tpm::exhaust(case, &examination),
        _ => None,
    }
}
