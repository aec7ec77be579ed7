//! A report of NVIDIA's: request and response, and at its end the signature.

use claviger::quote::{Examination, NVIDIA, SignatureAlgorithm};
use claviger_tests::vectors::Case;
use data_encoding::HEXLOWER_PERMISSIVE;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Signed, exhaust_chain};
use crate::recorded::forms::is_json;

pub(super) fn exhaust(case: &Case, examination: &Examination) -> Option<Result<usize, String>> {
    let report = &case.evidence.iter().find(|file| !is_json(file))?.bytes;
    let report = HEXLOWER_PERMISSIVE.decode(report.trim_ascii()).unwrap_or(report.clone());
    let pem = &case.certificates.first()?.bytes;
    let chain: Vec<Vec<u8>> =
        CertificateDer::pem_slice_iter(pem).map(|der| der.unwrap().to_vec()).collect();
    let (message, signature) = report.split_at(report.len().checked_sub(96)?);
    let signed = Signed {
        by: examination.chain(&chain, NVIDIA).unwrap(),
        algorithm: SignatureAlgorithm::EcdsaP384Sha384,
        message: message.to_vec(),
        signature: signature.to_vec(),
    };
    let flipped = signed.exhaust(examination);
    Some(flipped.and_then(|bits| Ok(bits + exhaust_chain(examination, &chain, NVIDIA)?)))
}
