//! go-attestation's platform parameters: `AK` with a TPMT_PUBLIC, one `Quote`, and `Log` with the PCRs and
//! the event log. Bytes are base64.

use claviger_plugin_sdk::json::Value;
use claviger_plugin_sdk::tcg::Bank;
use claviger_plugin_sdk::tpm::Values;
use claviger_plugin_sdk::verifier::Rejection;

use crate::evidence::{Evidence, Quote, malformed};

/// Hash algorithms as Go numbers them (package crypto), and those of TPMs.
const HASHES: [(u64, Bank); 4] =
    [(3, Bank::Sha1), (5, Bank::Sha256), (6, Bank::Sha384), (7, Bank::Sha512)];

pub(crate) fn read(evidence: &Value<'_>) -> Result<Evidence, Rejection> {
    let part = |outer: &str, inner: &str| {
        let value = evidence.member(outer).and_then(|outer| outer.member(inner));
        value.ok_or_else(|| malformed(&format!("no {inner} of {outer}")))
    };
    let blob = |outer: &str, inner: &str| {
        let value = part(outer, inner)?;
        value.in_base64().ok_or_else(|| malformed(&format!("{inner} of {outer}")))
    };
    let Value::List(registers) = part("Log", "PCRs")? else { return Err(malformed("PCRs of Log")) };
    let mut values = Values::default();
    for entry in registers {
        let (of, index, value) = register(entry).ok_or_else(|| malformed("PCRs of Log"))?;
        if !values.add(of, index, &value) {
            return Err(malformed("a PCR twice, or none that a TPM has"));
        }
    }
    Ok(Evidence {
        quotes: vec![Quote {
            message: blob("Quote", "Quote")?,
            signature: blob("Quote", "Signature")?,
            values,
        }],
        ak_public: Some(blob("AK", "Public")?),
        certificates: Vec::new(),
        event_log: part("Log", "Raw").ok().and_then(Value::in_base64),
        ima_list: None,
    })
}

fn register(entry: &Value<'_>) -> Option<(Bank, u32, Vec<u8>)> {
    let Value::Number(index) = entry.member("Index")? else { return None };
    let Value::Number(hash) = entry.member("DigestAlg")? else { return None };
    let (_, bank) = HASHES.iter().find(|(number, _)| number == hash)?;
    Some((*bank, u32::try_from(*index).ok()?, entry.member("Digest")?.in_base64()?))
}
