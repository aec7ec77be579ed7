//! The JSON in which Azure's vTPM evidence comes, by Trustee's attesters and those that follow them.
//!
//! | member | content |
//! |---|---|
//! | `hcl_report` (older: `report`) | the HCL report: base64, either alphabet, or a list of bytes |
//! | `tpm_quote` (older: `quote`) | `message`, `signature`: hexadecimal or lists of bytes; `pcrs`: 24 values likewise |
//! | `vcek` | of SEV-SNP: a certificate in PEM, or in base64 |
//! | `td_quote` | of TDX: base64 or a list of bytes |
//! | `version` | 1 or 2, or not there |
//!
//! The object may be the member `evidence` of another.

use claviger_plugin_sdk::json::{self, Value};
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
    /// Values of the SHA-256 bank, from PCR 0 on.
    pub pcrs: Vec<Vec<u8>>,
    /// The processor's certificate, DER or PEM.
    pub vcek: Option<Vec<u8>>,
    /// The TD's quote.
    pub td_quote: Option<Vec<u8>>,
    /// What came along.
    pub attachments: Vec<Vec<u8>>,
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
        let value =
            json::parse(&request.evidence).map_err(|why| malformed(&format!("JSON: {why}")))?;
        let evidence = value.member("evidence").unwrap_or(&value);
        if !matches!(evidence.member("version"), None | Some(Value::Number(1 | 2))) {
            return Err(Rejection::Unsupported("vTPM evidence of another version".into()));
        }
        let report = evidence.member("hcl_report").or_else(|| evidence.member("report"));
        let quote = evidence.member("tpm_quote").or_else(|| evidence.member("quote"));
        let part = |name| quote.and_then(|quote| quote.member(name));
        let pcrs = match part("pcrs") {
            Some(Value::List(pcrs)) if pcrs.len() <= MAX_PCRS => {
                pcrs.iter().map(Value::in_hex).collect::<Option<_>>()
            }
            _ => None,
        };
        let needed = |name: &str, bytes: Option<Vec<u8>>| {
            bytes.ok_or_else(|| malformed(&format!("no usable {name}")))
        };
        Ok(Self {
            hcl_report: needed("hcl_report", report.and_then(Value::in_base64))?,
            message: needed("message of tpm_quote", part("message").and_then(Value::in_hex))?,
            signature: needed("signature of tpm_quote", part("signature").and_then(Value::in_hex))?,
            pcrs: pcrs.ok_or_else(|| malformed("no usable pcrs of tpm_quote"))?,
            // What is missing, whoever needs it says.
            vcek: evidence.member("vcek").and_then(Value::in_pem),
            td_quote: evidence.member("td_quote").and_then(Value::in_base64),
            attachments: request.attachments,
        })
    }
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
        assert_eq!(new.pcrs, [[1], [2]]);
        assert_eq!((new.vcek, new.td_quote), (Some(vec![3]), Some(vec![255, 239])));
    }

    #[test]
    fn what_is_missing_or_new_is_refused() {
        for (from, to) in [
            (r#""hcl_report": "AQI""#, r#""hcl_report": null"#),
            (r#""message": "ff""#, r#""message": "f""#),
            (r#""signature": "0a", "#, ""),
            (r#"["01", "02"]"#, r#"["01", 2]"#),
            (r#"["01", "02"]"#, r#""01""#),
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
