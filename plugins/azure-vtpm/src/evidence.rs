//! The JSON in which Azure's vTPM evidence comes, by Trustee's attesters and those that follow them.
//!
//! | member | content |
//! |---|---|
//! | `hcl_report` (older: `report`) | the HCL report: base64, either alphabet, or a list of bytes |
//! | `tpm_quote` (older: `quote`) | `message`, `signature`: hexadecimal or lists of bytes; `pcrs`: 24 values likewise |
//! | `vcek` | of SEV-SNP: a certificate in PEM, or in base64 |
//! | `td_quote` | of TDX: base64 or a list of bytes |
//! | `version` | 1 or 2, or not there |
//! | `certified_key` | a key that the vTPM keeps, in hexadecimal: `public` (TPM2B_PUBLIC), `certificate` (TPMS_ATTEST), `signature`, `attestation_key` (TPM2B_PUBLIC) |
//! | `event_log` | base64; else the attachment that begins as one |
//!
//! `pcrs` may also be an object of values by their indexes. The last two members are this host's own: what
//! guests of Azure say to an attestation service has them.
//!
//! The object may be the member `evidence` of another.

use claviger_plugin_sdk::json::{self, Value};
use claviger_plugin_sdk::tcg::Bank;
use claviger_plugin_sdk::tpm::Values;
use claviger_plugin_sdk::verifier::{Rejection, Request};

/// The media type.
pub const JSON: &str = "application/json";

/// A TPM has no more PCRs in a quote.
const MAX_PCRS: usize = 32;

/// Evidence, unpacked and still unread.
#[derive(Debug, PartialEq)]
pub struct Evidence {
    /// The HCL's report.
    pub hcl_report: Vec<u8>,
    /// TPMS_ATTEST.
    pub message: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
    /// Values of the SHA-256 bank.
    pub pcrs: Values,
    /// The TD's quote.
    pub td_quote: Option<Vec<u8>>,
    /// A key that the vTPM keeps.
    pub certified_key: Option<CertifiedKey>,
    /// The event log, where it is a member.
    pub event_log: Option<Vec<u8>>,
    /// What came along; the processor's certificate (`vcek`), DER or PEM, where it is a member.
    pub attachments: Vec<Vec<u8>>,
}

/// A key, and what the vTPM says of it; all of it unread.
#[derive(Debug, PartialEq)]
pub struct CertifiedKey {
    /// TPM2B_PUBLIC.
    pub public: Vec<u8>,
    /// TPMS_ATTEST.
    pub certificate: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
    /// TPM2B_PUBLIC of the key that made it, as the guest knows it.
    pub attestation_key: Vec<u8>,
}

impl Evidence {
    /// Unpacks what was sent.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] with the member that is wrong; [`Rejection::Unsupported`].
    pub fn read(request: Request) -> Result<Self, Rejection> {
        if request.evidence_type != JSON {
            return Err(Rejection::Unsupported(request.evidence_type));
        }
        let Request { evidence: text, attachments, .. } = request;
        let value = json::parse(&text).map_err(|why| malformed(&format!("JSON: {why}")))?;
        let evidence = value.member("evidence").unwrap_or(&value);
        if !matches!(evidence.member("version"), None | Some(Value::Number(1 | 2))) {
            return Err(Rejection::Unsupported("vTPM evidence of another version".into()));
        }
        let vcek = evidence.member("vcek").and_then(Value::in_pem);
        let report = evidence.member("hcl_report").or_else(|| evidence.member("report"));
        let quote = evidence.member("tpm_quote").or_else(|| evidence.member("quote"));
        let part = |name| quote.and_then(|quote| quote.member(name));
        let needed = |name: &str, bytes: Option<Vec<u8>>| {
            bytes.ok_or_else(|| malformed(&format!("no usable {name}")))
        };
        Ok(Self {
            hcl_report: needed("hcl_report", report.and_then(Value::in_base64))?,
            message: needed("message of tpm_quote", part("message").and_then(Value::in_hex))?,
            signature: needed("signature of tpm_quote", part("signature").and_then(Value::in_hex))?,
            pcrs: part("pcrs")
                .and_then(values)
                .ok_or_else(|| malformed("no usable pcrs of tpm_quote"))?,
            // What is missing, whoever needs it says.
            td_quote: evidence.member("td_quote").and_then(Value::in_base64),
            certified_key: evidence.member("certified_key").map(certified).transpose()?,
            event_log: match evidence.member("event_log") {
                Some(log) => Some(needed("event_log", log.in_base64())?),
                None => None,
            },
            attachments: attachments.into_iter().chain(vcek).collect(),
        })
    }
}

/// Values in a list from PCR 0 on, or by their indexes.
fn values(pcrs: &Value<'_>) -> Option<Values> {
    match pcrs {
        Value::List(pcrs) if pcrs.len() <= MAX_PCRS => Values::listed(Bank::Sha256, pcrs),
        Value::Object(pcrs) if pcrs.len() <= MAX_PCRS => {
            let mut values = Values::default();
            for (index, value) in pcrs {
                // One spelling of an index, or two values could stand under one.
                let number: u32 =
                    index.parse().ok().filter(|number| format!("{number}") == *index)?;
                values.add_json(Bank::Sha256, number, value).then_some(())?;
            }
            Some(values)
        }
        _ => None,
    }
}

fn certified(key: &Value<'_>) -> Result<CertifiedKey, Rejection> {
    let member = |name: &str| {
        let bytes = key.member(name).and_then(Value::in_hex);
        bytes.ok_or_else(|| malformed(&format!("no usable {name} of certified_key")))
    };
    Ok(CertifiedKey {
        public: member("public")?,
        certificate: member("certificate")?,
        signature: member("signature")?,
        attestation_key: member("attestation_key")?,
    })
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Evidence, Rejection> {
        let evidence = text.as_bytes().to_vec();
        let attachments = vec![vec![9]];
        Evidence::read(Request { evidence_type: JSON.into(), evidence, attachments, at: 0 })
    }

    const NEW: &str = r#"{"version": 1, "hcl_report": "AQI", "td_quote": "_-8",
        "tpm_quote": {"message": "ff", "signature": "0a", "pcrs": ["01", "02"]}, "vcek": "Aw"}"#;

    #[test]
    fn both_forms_say_the_same() {
        let old = r#"{"report": [1, 2], "td_quote": [255, 239], "vcek": [3],
            "quote": {"message": [255], "signature": [10], "pcrs": [[1], [2]]}}"#;
        let new = read(NEW).unwrap();
        assert_eq!(read(old).unwrap(), new);
        assert_eq!(read(&format!(r#"{{"platform": "x", "evidence": {NEW}}}"#)).unwrap(), new);
        let listed = ["01", "02"].map(|value| Value::Text(value.into()));
        assert_eq!(new.pcrs, Values::listed(Bank::Sha256, &listed).unwrap());
        let by_index = NEW.replace(r#"["01", "02"]"#, r#"{"1": "02", "0": "01"}"#);
        assert_eq!(read(&by_index).unwrap(), new);
        assert_eq!(new.attachments, [vec![9], vec![3]]);
        assert_eq!(new.td_quote, Some(vec![255, 239]));
    }

    #[test]
    fn a_certified_key_and_a_log_may_come_along() {
        let more = NEW.replace(
            r#""vcek": "Aw""#,
            r#""certified_key": {"public": "00", "certificate": "01", "signature": "02",
                "attestation_key": "03"}, "event_log": "AQI""#,
        );
        let read = read(&more).unwrap();
        let key = read.certified_key.unwrap();
        assert_eq!((key.public, key.certificate), (vec![0], vec![1]));
        assert_eq!((key.signature, key.attestation_key), (vec![2], vec![3]));
        assert_eq!(read.event_log, Some(vec![1, 2]));
    }

    #[test]
    fn what_is_missing_or_new_is_refused() {
        for (from, to) in [
            (r#""hcl_report": "AQI""#, r#""hcl_report": null"#),
            (r#""message": "ff""#, r#""message": "f""#),
            (r#""signature": "0a", "#, ""),
            (r#"["01", "02"]"#, r#"["01", 2]"#),
            (r#"["01", "02"]"#, r#""01""#),
            (r#"["01", "02"]"#, r#"{"0": "01", "00": "02"}"#),
            (r#"["01", "02"]"#, r#"{"+1": "01"}"#),
            (r#"["01", "02"]"#, r#"{"1": 2}"#),
            (r#""vcek": "Aw""#, r#""event_log": 1"#),
            (r#""vcek": "Aw""#, r#""certified_key": {}"#),
            (
                r#""vcek": "Aw""#,
                r#""certified_key": {"public": "00", "certificate": "00", "signature": "0"}"#,
            ),
            ("tpm_quote", "tpm_quotes"),
        ] {
            let text = NEW.replace(from, to);
            assert!(matches!(read(&text), Err(Rejection::Malformed(_))), "{text}");
        }
        let newer = NEW.replace(r#""version": 1"#, r#""version": 3"#);
        assert!(matches!(read(&newer), Err(Rejection::Unsupported(_))));
        assert!(read("{").is_err());
    }
}
