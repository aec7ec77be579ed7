//! How a report is packed: raw, raw with AMD's certificate table behind it, or in JSON.

use claviger_plugin_sdk::json::{self, Value};
use claviger_plugin_sdk::verifier::{Rejection, Request};

use crate::spelled;

/// A raw report: 1184 bytes (AMD 56860, table 23), and behind it perhaps the certificate table that
/// the extended guest request returns (GHCB 56421, section 4.1.8.1), as a guest's driver gives both.
pub(crate) const REPORT: &str = "application/vnd.amd.sev-snp-report";

/// `{"attestation_report": …, "cert_chain": …}`, alone or under `evidence`. The report is base64, a
/// list of bytes, or an object of its fields; the chain null, one certificate, or a list or object
/// of certificates, each in base64, in PEM, as a list of bytes, or one of these as the member `data`.
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
        None => return Err(malformed("no attestation_report")),
        Some(fields @ Value::Object(_)) => spelled::report(fields)
            .map_err(|field| malformed(&format!("{field} of attestation_report")))?,
        Some(value) => value
            .in_base64()
            .ok_or_else(|| malformed("attestation_report is neither base64, bytes nor fields"))?,
    };
    if report.len() != REPORT_SIZE {
        return Err(malformed("attestation_report has another size"));
    }
    Ok(Evidence { report, certificates: chain(evidence.member("cert_chain")) })
}

/// The certificates of a chain. What is none is passed over, as among attachments: what is missing,
/// the host names.
fn chain(chain: Option<&Value<'_>>) -> Vec<Vec<u8>> {
    match chain {
        Some(Value::Object(members)) => {
            members.iter().filter_map(|(_, value)| certificate(value)).collect()
        }
        // A list of bytes is one certificate.
        Some(Value::List(entries)) if !matches!(entries.first(), Some(Value::Number(_))) => {
            entries.iter().filter_map(certificate).collect()
        }
        Some(value) => certificate(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn certificate(value: &Value<'_>) -> Option<Vec<u8>> {
    value.member("data").unwrap_or(value).in_pem()
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
        for (chain, certificates) in [
            ("null", &[][..]),
            ("[]", &[]),
            (r#"{"vcek": "AQID", "ask": null}"#, &[[1, 2, 3]]),
            (r#"{"product": "Milan", "year": 1, "vcek": "AQID"}"#, &[[1, 2, 3]]),
            (r#"[{"cert_type": "VCEK", "data": [1, 2, 3]}, {"data": [256]}]"#, &[[1, 2, 3]]),
            (r#"[{"cert_type": "VCEK", "data": "AQID"}, {}]"#, &[[1, 2, 3]]),
            (r#"["AQID", [1, 2, 3]]"#, &[[1, 2, 3], [1, 2, 3]]),
            (r#"[1, 2, 3]"#, &[[1, 2, 3]]),
            (r#""AQ\u0049D\n""#, &[[1, 2, 3]]),
        ] {
            let inner = format!(r#"{{"attestation_report": "{report}", "cert_chain": {chain}}}"#);
            let evidence = json(&inner).unwrap();
            let wrapped = format!(r#"{{"platform": "snp", "evidence": {inner}}}"#);
            assert_eq!(json(&wrapped).unwrap(), evidence);
            let mut expected: Vec<Vec<u8>> = certificates.iter().map(|one| one.to_vec()).collect();
            expected.push(vec![9]);
            assert_eq!(evidence.certificates, expected, "{chain}");
        }
        let pem = r#"{"vcek": "text\n-----BEGIN CERTIFICATE-----"}"#;
        let text = format!(r#"{{"attestation_report": "{report}", "cert_chain": {pem}}}"#);
        assert_eq!(json(&text).unwrap().certificates[0], b"text\n-----BEGIN CERTIFICATE-----");
    }

    #[test]
    fn a_report_is_base64_bytes_or_fields() {
        let report = report();
        let (half, rest) = report.split_at(800);
        let lines = json(&format!(r#"{{"attestation_report": "{half}\n{rest}\n"}}"#)).unwrap();
        let list = format!("{:?}", vec![0; REPORT_SIZE]);
        assert_eq!(json(&format!(r#"{{"attestation_report": {list}}}"#)).unwrap(), lines);
        let fields = json(r#"{"attestation_report": {"version": 3}}"#);
        let Err(Rejection::Malformed(why)) = fields else { panic!("{fields:?}") };
        assert!(why.contains("guest_svn"), "{why}");
    }

    #[test]
    fn other_json_is_refused_with_a_reason() {
        for text in [
            "{}",
            "[]",
            r#"{"attestation_report": null}"#,
            r#"{"attestation_report": "AAAA"}"#,
            r#"{"attestation_report": "*"}"#,
            r#"{"attestation_report": [1, 2]}"#,
        ] {
            assert!(matches!(json(text), Err(Rejection::Malformed(_))), "{text}");
        }
        let other = read(request("application/cbor", b""));
        assert!(matches!(other, Err(Rejection::Unsupported(_))));
    }
}
