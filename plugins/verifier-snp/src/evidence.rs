//! How a report is packed: raw, raw with AMD's certificate table behind it, or in JSON.

use claviger_plugin_sdk::verifier::{Rejection, Request};

use crate::base64;
use crate::json::{self, Value};

/// A raw report: 1184 bytes (AMD 56860, table 23), and behind it perhaps the certificate table that
/// the extended guest request returns (GHCB 56421, section 4.1.8.1), as a guest's driver gives both.
pub(crate) const REPORT: &str = "application/vnd.amd.sev-snp-report";

/// `{"attestation_report": base64, "cert_chain": …}`, alone or under `evidence`. The chain is null, a
/// list of `{"cert_type", "data": [bytes] or base64}`, or an object of base64 values.
pub(crate) const JSON: &str = "application/json";

const REPORT_SIZE: usize = 1184;

/// A report and the certificates that came with it, still unread.
#[derive(Debug, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) report: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Unpacks the evidence; what came attached is appended to its certificates.
pub(crate) fn read(request: Request) -> Result<Evidence, Rejection> {
    let mut evidence = match request.evidence_type.as_str() {
        REPORT => raw(request.evidence)?,
        JSON => from_json(&request.evidence)?,
        other => return Err(Rejection::Unsupported(other.into())),
    };
    evidence.certificates.extend(request.attachments);
    Ok(evidence)
}

fn raw(mut report: Vec<u8>) -> Result<Evidence, Rejection> {
    if report.len() < REPORT_SIZE {
        return Err(Rejection::Malformed(format!(
            "{} bytes, where a report has {REPORT_SIZE}",
            report.len()
        )));
    }
    let behind = report.split_off(REPORT_SIZE);
    // Buffers of a fixed size end in zeros; a table without entries is all zeros.
    let padding = behind.iter().all(|byte| *byte == 0);
    Ok(Evidence { report, certificates: if padding { Vec::new() } else { vec![behind] } })
}

fn from_json(text: &[u8]) -> Result<Evidence, Rejection> {
    let value = json::parse(text).map_err(|why| malformed(&format!("JSON: {why}")))?;
    let evidence = value.member("evidence").unwrap_or(&value);
    let report = match evidence.member("attestation_report") {
        Some(Value::Text(text)) => decode(text, "attestation_report")?,
        Some(_) => {
            return Err(Rejection::Unsupported(
                "attestation_report is not base64 of the raw report".into(),
            ));
        }
        None => return Err(malformed("no attestation_report")),
    };
    if report.len() != REPORT_SIZE {
        return Err(malformed("attestation_report has another size"));
    }
    let certificates = match evidence.member("cert_chain") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(entries)) => entries
            .iter()
            .map(|entry| certificate(entry.member("data")))
            .collect::<Result<_, _>>()?,
        Some(Value::Object(members)) => members
            .iter()
            .filter(|(_, value)| *value != Value::Null)
            .map(|(_, value)| certificate(Some(value)))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(malformed("cert_chain is neither a list nor an object")),
    };
    Ok(Evidence { report, certificates })
}

fn certificate(data: Option<&Value>) -> Result<Vec<u8>, Rejection> {
    match data {
        Some(Value::Text(pem)) if pem.starts_with("-----BEGIN") => Ok(pem.clone().into_bytes()),
        Some(Value::Text(text)) => decode(text, "a certificate"),
        Some(Value::List(bytes)) => bytes
            .iter()
            .map(|byte| match byte {
                Value::Number(number) => u8::try_from(*number).ok(),
                _ => None,
            })
            .collect::<Option<_>>()
            .ok_or_else(|| malformed("a certificate is not a list of bytes")),
        _ => Err(malformed("a certificate is neither text nor bytes")),
    }
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, Rejection> {
    base64::decode(text).ok_or_else(|| malformed(&format!("{what} is not base64")))
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(evidence_type: &str, evidence: &[u8]) -> Request {
        Request {
            evidence_type: evidence_type.into(),
            evidence: evidence.to_vec(),
            attachments: vec![vec![9]],
            at: 0,
        }
    }

    fn json(text: &str) -> Result<Evidence, Rejection> {
        read(request(JSON, text.as_bytes()))
    }

    /// Base64 of 1184 zero bytes.
    fn report() -> String {
        format!("{}A=", "A".repeat(1578))
    }

    #[test]
    fn a_table_behind_the_report_is_passed_on_and_padding_is_not() {
        let mut bytes = vec![7; REPORT_SIZE];
        let bare = read(request(REPORT, &bytes)).unwrap();
        assert_eq!(bare.certificates, [[9]]);
        bytes.extend([0; 4096]);
        assert_eq!(read(request(REPORT, &bytes)).unwrap(), bare);
        bytes.push(1);
        let with_table = read(request(REPORT, &bytes)).unwrap();
        assert_eq!(with_table.report, vec![7; REPORT_SIZE]);
        assert_eq!(with_table.certificates.len(), 2);
        assert_eq!(with_table.certificates[0].len(), 4097);
    }

    #[test]
    fn every_truncation_is_malformed() {
        for length in 0..REPORT_SIZE {
            let cut = read(request(REPORT, &vec![1; length]));
            assert!(matches!(cut, Err(Rejection::Malformed(_))), "{length}");
        }
    }

    #[test]
    fn the_known_json_forms_are_read() {
        let report = report();
        for chain in [
            "null",
            r#"{"vcek": "AQID", "ask": null}"#,
            r#"[{"cert_type": "VCEK", "data": [1, 2, 3]}]"#,
            r#"[{"cert_type": "VCEK", "data": "AQID"}]"#,
        ] {
            let inner = format!(r#"{{"attestation_report": "{report}", "cert_chain": {chain}}}"#);
            let evidence = json(&inner).unwrap();
            let wrapped = format!(r#"{{"platform": "snp", "evidence": {inner}}}"#);
            assert_eq!(json(&wrapped).unwrap(), evidence);
            let certificates = evidence.certificates;
            if chain == "null" {
                assert_eq!(certificates, [vec![9]]);
            } else {
                assert_eq!(certificates, [vec![1, 2, 3], vec![9]], "{chain}");
            }
        }
    }

    #[test]
    fn other_json_is_refused_with_a_reason() {
        let report = report();
        for text in [
            "{}".to_owned(),
            "[]".to_owned(),
            r#"{"attestation_report": "AAAA"}"#.to_owned(),
            r#"{"attestation_report": "*"}"#.to_owned(),
            format!(r#"{{"attestation_report": "{report}", "cert_chain": 1}}"#),
            format!(r#"{{"attestation_report": "{report}", "cert_chain": [{{}}]}}"#),
            format!(r#"{{"attestation_report": "{report}", "cert_chain": [{{"data": [256]}}]}}"#),
        ] {
            assert!(matches!(json(&text), Err(Rejection::Malformed(_))), "{text}");
        }
        let object = json(r#"{"attestation_report": {"version": 3}}"#);
        assert!(matches!(object, Err(Rejection::Unsupported(_))));
        let other = read(request("application/cbor", b""));
        assert!(matches!(other, Err(Rejection::Unsupported(_))));
    }
}
