//! A document of AWS Nitro: COSE_Sign1, with the chain inside what is signed.

use claviger::quote::{AWS_NITRO, Examination, SignatureAlgorithm};
use claviger_tests::vectors::Case;
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};

use super::{Signed, exhaust_chain};

pub(super) fn exhaust(case: &Case, examination: &Examination) -> Option<Result<usize, String>> {
    let document = &case.evidence.first()?.bytes;
    let signed = CoseSign1::from_tagged_slice(document).or(CoseSign1::from_slice(document)).ok()?;
    let payload: ciborium::Value = ciborium::from_reader(signed.payload.as_deref()?).ok()?;
    let member = |name: &str| {
        let members = payload.as_map()?;
        members.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    };
    let leaf = member("certificate")?.as_bytes()?.clone();
    let above = member("cabundle")?.as_array()?.iter().rev();
    let above: Option<Vec<_>> = above.map(|one| one.as_bytes().cloned()).collect();
    let chain: Vec<Vec<u8>> = std::iter::once(leaf).chain(above?).collect();
    let signed = Signed {
        by: examination.chain(&chain, AWS_NITRO).unwrap(),
        algorithm: SignatureAlgorithm::EcdsaP384Sha384,
        message: signed.tbs_data(&[]),
        signature: signed.signature,
    };
    let flipped = signed.exhaust(examination);
    Some(flipped.and_then(|bits| Ok(bits + exhaust_chain(examination, &chain, AWS_NITRO)?)))
}
