//! Endorsement certificates that come without evidence: read by the host as an operator's own, and
//! followed to AMD's root.

use claviger::quote::{Authority, Examination, Revocation, Signer};
use claviger_tests::vectors::Case;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;

use super::{authority, moment};

/// AMD's certificate extensions (AMD 57230, VCEK certificate), by what others call what they hold.
const EXTENSIONS: [(&str, &str); 11] = [
    ("product", "1.3.6.1.4.1.3704.1.2"),
    ("bl", "1.3.6.1.4.1.3704.1.3.1"),
    ("tee", "1.3.6.1.4.1.3704.1.3.2"),
    ("snp", "1.3.6.1.4.1.3704.1.3.3"),
    ("3.4", "1.3.6.1.4.1.3704.1.3.4"),
    ("3.5", "1.3.6.1.4.1.3704.1.3.5"),
    ("3.6", "1.3.6.1.4.1.3704.1.3.6"),
    ("3.7", "1.3.6.1.4.1.3704.1.3.7"),
    ("ucode", "1.3.6.1.4.1.3704.1.3.8"),
    ("fmc", "1.3.6.1.4.1.3704.1.3.9"),
    ("hwid", "1.3.6.1.4.1.3704.1.4"),
];

/// The verdict of a certificate that leads to its root.
const VALID: &str = "valid_certificate";

/// Reads the certificates of the case, and follows each to a root.
pub(crate) fn run(case: &Case) -> Result<String, String> {
    if case.certificates.is_empty() {
        return Err("there is neither evidence nor a certificate".to_owned());
    }
    for trial in case.trials() {
        let examination = Examination::new(authority(case), moment(&trial));
        for file in &case.certificates {
            let outcome = check(case, &examination, &file.bytes);
            let genuine = trial.verdict == VALID;
            match outcome {
                Ok(_) if !genuine => {
                    return Err(format!("expected {}, found valid", trial.verdict));
                }
                Err(why) if genuine => return Err(format!("{}: {why}", file.name)),
                _ => {}
            }
        }
    }
    Ok("each certificate alone, as expected".to_owned())
}

fn check(case: &Case, examination: &Examination, certificate: &[u8]) -> Result<(), String> {
    let leaf = der(certificate)?;
    // As an operator would supply it: this reads AMD's extensions, all of them.
    let supplied = Authority::builder().revocation(Revocation::Waived).certificate(leaf.clone());
    supplied.build().map_err(|fault| fault.to_string())?;
    let signer = follow(case, examination, leaf)?;
    match extensions_agree(case, &signer)? {
        0 => Err("no field of the case is an extension of the certificate".to_owned()),
        _ => Ok(()),
    }
}

/// Through whichever of the authorities that the case names issued it.
fn follow(case: &Case, examination: &Examination, leaf: Vec<u8>) -> Result<Signer, String> {
    let mut fault = "no authority is there".to_owned();
    for root in case.roots.iter().filter_map(|root| root.bytes.as_deref()) {
        match examination.chain(&[leaf.clone(), der(root)?], "amd") {
            Ok(signer) => return Ok(signer),
            Err(reason) => fault = reason.to_string(),
        }
    }
    Err(fault)
}

fn extensions_agree(case: &Case, signer: &Signer) -> Result<usize, String> {
    let fields = case.expected.get("fields");
    let mut compared = 0;
    for (name, oid) in EXTENSIONS {
        let Some(expected) = fields.and_then(|fields| fields.get(name)) else { continue };
        let found = signer.extension(oid).ok_or_else(|| format!("{name} is not there"))?;
        if !holds(&found, expected) {
            return Err(format!("{name}: expected {expected}, found {}", HEXLOWER.encode(&found)));
        }
        compared += 1;
    }
    Ok(compared)
}

/// An INTEGER of one byte, an IA5String that may name a stepping behind, or bare bytes.
fn holds(extension: &[u8], expected: &Value) -> bool {
    match expected {
        Value::Number(number) => {
            matches!(extension, [2, 1, byte] if number.as_u64() == Some((*byte).into()))
        }
        Value::String(text) => {
            let named =
                matches!(extension, [0x16, _, name @ ..] if name.starts_with(text.as_bytes()));
            named || HEXLOWER.encode(extension).ends_with(&text.to_lowercase())
        }
        _ => false,
    }
}

/// One certificate in DER, out of PEM or as it is.
fn der(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(bytes.to_vec()) };
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    BASE64.decode(body.trim().as_bytes()).map_err(|error| error.to_string())
}
