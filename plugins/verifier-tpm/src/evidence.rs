//! TPM evidence in JSON, as three kinds of attesters write it.
//!
//! | from | members |
//! |---|---|
//! | documented here | `quote`, `signature`, `pcrs`, and `ak_certificates` or `ak_public`; `event_log`, `ima_list` |
//! | Trustee | `tpm_quote` of `message`, `signature` and `pcrs`; `ak_public`, `ak_certificate`; `event_log` |
//! | go-attestation | `AK`, `Quote`, `Log`; see `go.rs` |
//!
//! Bytes are base64 (either alphabet) or lists; values of PCRs are hexadecimal, a list from PCR 0 on (of
//! SHA-256), or by bank and index: `{"sha256": {"7": "…"}}`.

use claviger_plugin_sdk::ima;
use claviger_plugin_sdk::json::{self, Value};
use claviger_plugin_sdk::tcg::Bank;
use claviger_plugin_sdk::tpm::{Signature, Values};
use claviger_plugin_sdk::verifier::Rejection;

use crate::go;

/// JSON in one of the forms above.
pub(crate) const JSON: &str = "application/json";

/// The message `attest.Attestation` of go-tpm-tools in protobuf.
pub(crate) const PROTOBUF: &str = "application/vnd.go-tpm-tools.attestation";

/// A TPM has no PCR beyond.
const MAX_PCRS: u32 = 32;

/// Evidence, unpacked and still unread.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) quotes: Vec<Quote>,
    /// DER SubjectPublicKeyInfo or TPMT_PUBLIC.
    pub(crate) ak_public: Option<Vec<u8>>,
    /// DER or PEM; the AK's first, where there is one.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) event_log: Option<Vec<u8>>,
    /// What Linux measured, in either form.
    pub(crate) ima_list: Option<Vec<u8>>,
}

/// One quote and the values that it is said to cover.
#[derive(Debug, PartialEq)]
pub(crate) struct Quote {
    /// TPMS_ATTEST.
    pub(crate) message: Vec<u8>,
    /// TPMT_SIGNATURE.
    pub(crate) signature: Vec<u8>,
    pub(crate) values: Values,
}

impl Quote {
    pub(crate) fn signature(&self) -> Result<Signature, Rejection> {
        Signature::read(&self.signature)
    }
}

pub(crate) fn read(text: &[u8]) -> Result<Evidence, Rejection> {
    let value = json::parse(text).map_err(|why| malformed(&format!("JSON: {why}")))?;
    let evidence = value.member("evidence").unwrap_or(&value);
    if evidence.member("AK").is_some() && evidence.member("Quote").is_some() {
        return go::read(evidence);
    }
    let inner = evidence.member("tpm_quote");
    let part = |ours: &str, theirs: &str| match inner {
        Some(quote) => quote.member(theirs),
        None => evidence.member(ours),
    };
    let needed = |name: &str, value: Option<&Value<'_>>| {
        value.and_then(Value::in_base64).ok_or_else(|| malformed(&format!("no usable {name}")))
    };
    let values = part("pcrs", "pcrs")
        .and_then(registers)
        .ok_or_else(|| malformed("no usable values of PCRs"))?;
    Ok(Evidence {
        quotes: vec![Quote {
            message: needed("quote", part("quote", "message"))?,
            signature: needed("signature", part("signature", "signature"))?,
            values,
        }],
        ak_public: evidence.member("ak_public").and_then(Value::in_base64),
        certificates: certificates(evidence),
        event_log: evidence
            .member("event_log")
            .and_then(Value::in_base64)
            .filter(|log| !log.is_empty()),
        ima_list: evidence.member("ima_list").and_then(list),
    })
}

/// The form for people as it is, or either form in base64 or as a list of bytes.
fn list(value: &Value<'_>) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) if ima::may_be(text.as_bytes()) => Some(text.as_bytes().to_vec()),
        value => value.in_base64().filter(|list| !list.is_empty()),
    }
}

fn certificates(evidence: &Value<'_>) -> Vec<Vec<u8>> {
    let lists = ["ak_certificate", "ak_certificates"].map(|name| evidence.member(name));
    let entries = lists.iter().flatten().flat_map(|value| match value {
        Value::List(entries) if !matches!(entries.first(), Some(Value::Number(_))) => {
            entries.as_slice()
        }
        value => std::slice::from_ref(*value),
    });
    entries.filter_map(Value::in_pem).collect()
}

fn registers(value: &Value<'_>) -> Option<Values> {
    match value {
        Value::List(values) if values.len() <= MAX_PCRS as usize => {
            Values::listed(Bank::Sha256, values)
        }
        Value::Object(banks) if !banks.is_empty() => {
            let mut read = Values::default();
            for (name, registers) in banks {
                let bank = bank(name)?;
                let Value::Object(registers) = registers else { return None };
                for (index, value) in registers {
                    let index = index.parse().ok().filter(|index| *index < MAX_PCRS)?;
                    read.add_json(bank, index, value).then_some(())?;
                }
            }
            Some(read)
        }
        _ => None,
    }
}

fn bank(name: &str) -> Option<Bank> {
    let known = [Bank::Sha1, Bank::Sha256, Bank::Sha384, Bank::Sha512, Bank::Sm3];
    known.into_iter().find(|bank| bank.name() == name)
}

pub(crate) fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let ours = r#"{"quote": "AQ", "signature": "Ag", "ak_public": "Aw", "pcrs": {"sha256": {"0": "0a", "1": "0b"}},
            "ak_certificates": ["BA"], "event_log": "BQ"}"#;
        let trustee = r#"{"ak_public": "Aw==", "tpm_quote": {"message": "AQ==", "signature": "Ag==",
            "pcrs": ["0a", "0b"]}, "ak_certificate": "BA==", "event_log": [5]}"#;
        let evidence = read(ours.as_bytes()).unwrap();
        assert_eq!(read(trustee.as_bytes()).unwrap(), evidence);
        assert_eq!(evidence.quotes[0].message, [1]);
        assert_eq!(evidence.certificates, [[4]]);
        assert_eq!(evidence.event_log, Some(vec![5]));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, name) in [
            (r#"{"quote": "AQ", "signature": "Ag"}"#, "PCRs"),
            (r#"{"quote": "AQ", "signature": "Ag", "pcrs": {"md5": {}}}"#, "PCRs"),
            (r#"{"quote": "AQ", "signature": "Ag", "pcrs": {"sha256": {"32": "0a"}}}"#, "PCRs"),
            (
                r#"{"quote": "AQ", "signature": "Ag", "pcrs": {"sha256": {"1": "0a", "01": "0a"}}}"#,
                "PCRs",
            ),
            (r#"{"quote": "AQ", "pcrs": []}"#, "signature"),
            (r#"{"signature": "AQ", "pcrs": []}"#, "quote"),
            ("{", "JSON"),
        ] {
            let Err(Rejection::Malformed(why)) = read(text.as_bytes()) else { panic!("{text}") };
            assert!(why.contains(name), "{why}");
        }
    }
}
