//! Quotes of TPMs: TPMS_ATTEST and TPMT_SIGNATURE, as files of their own.

use claviger::quote::{Authority, Examination, Revocation, SignatureAlgorithm};
use claviger_tests::vectors::Case;
use data_encoding::BASE64;
use serde_json::Value;

use super::Signed;
use crate::recorded::forms::is_json;

const SET: &str = "tpm";

pub(super) fn exhaust(case: &Case, examination: &Examination) -> Option<Result<usize, String>> {
    let key = key(case)?;
    let builder = Authority::builder().revocation(Revocation::Waived).pin(SET, b"ak", key);
    let examination = Examination::new(builder.build().unwrap().into(), examination.at());
    let by = examination.pinned(SET, b"ak").unwrap();
    let quotes = case.files().filter_map(|file| {
        let signature = file.name.strip_suffix(".msg").map(|name| format!("{name}.sig"))?;
        let signature = case.files().find(|file| file.name == signature)?;
        // Of SHA-1 the host checks none.
        let (algorithm, signature) = read(&signature.bytes)?;
        Some(Signed { by: by.clone(), algorithm, message: file.bytes.clone(), signature })
    });
    let quotes: Vec<Signed> = quotes.collect();
    if quotes.is_empty() {
        return None;
    }
    Some(quotes.iter().try_fold(0, |sum, quote| Ok(sum + quote.exhaust(&examination)?)))
}

/// The attestation key, alone in PEM or in the evidence.
fn key(case: &Case) -> Option<Vec<u8>> {
    if let Some(pem) = case.files().find(|file| file.name == "ak_pub.pem") {
        return Some(pem.bytes.clone());
    }
    let evidence = case.evidence.iter().find(|file| is_json(file))?;
    let evidence: Value = serde_json::from_slice(&evidence.bytes).ok()?;
    BASE64.decode(evidence.get("ak_public")?.as_str()?.as_bytes()).ok()
}

/// TPMT_SIGNATURE (TPM 2.0 Library, part 2, section 11.3.4).
pub(super) fn read(signature: &[u8]) -> Option<(SignatureAlgorithm, Vec<u8>)> {
    let (kind, rest) = signature.split_first_chunk::<2>()?;
    let (hash, mut rest) = rest.split_first_chunk::<2>()?;
    let mut sized = || {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (bytes, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = behind;
        Some(bytes)
    };
    match (kind, hash) {
        ([0, 0x14], [0, 0x0b]) => Some((SignatureAlgorithm::RsaPkcs1Sha256, sized()?.to_vec())),
        ([0, 0x18], [0, 0x0b]) => {
            let mut both = Vec::new();
            for _ in 0..2 {
                let number = sized()?;
                both.extend(vec![0; 32_usize.checked_sub(number.len())?]);
                both.extend_from_slice(number);
            }
            Some((SignatureAlgorithm::EcdsaP256Sha256, both))
        }
        _ => None,
    }
}
