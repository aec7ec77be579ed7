//! How a report is packed: raw, in hexadecimal, or in the JSON of NVIDIA's SDK and of those who follow
//! it.

use claviger_plugin_sdk::json::{self, Value};
use claviger_plugin_sdk::verifier::{Rejection, Request};
use claviger_plugin_sdk::{base64, certificates, hex};

use crate::spdm::REQUEST_START;

/// Request and response, one behind the other, raw or in hexadecimal.
pub(crate) const REPORT: &str = "application/vnd.nvidia.attestation-report";

/// `{"evidence": …, "certificate": …}`, or a list of one such, alone or as the member `evidence_list`
/// (NVIDIA's remote service) or `device_evidence_list` (Trustee). The report is base64 or hexadecimal,
/// the certificates a PEM text, as it is or in base64.
pub(crate) const JSON: &str = "application/json";

/// A report and the certificates that came with it, still unread.
#[derive(Debug, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) transcript: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Unpacks the evidence; certificates that came attached are appended to its own.
pub(crate) fn read(request: Request) -> Result<Evidence, Rejection> {
    let mut evidence = match request.evidence_type.as_str() {
        REPORT => Evidence { transcript: raw(request.evidence)?, certificates: Vec::new() },
        JSON => from_json(&request.evidence)?,
        other => return Err(Rejection::Unsupported(other.into())),
    };
    let attached = request.attachments.iter().flat_map(|bytes| certificates::read(bytes));
    evidence.certificates.extend(attached);
    Ok(evidence)
}

/// No hexadecimal text begins as a request does.
fn raw(bytes: Vec<u8>) -> Result<Vec<u8>, Rejection> {
    if bytes.starts_with(&REQUEST_START) {
        return Ok(bytes);
    }
    let text = std::str::from_utf8(&bytes).ok();
    let digits = text.map(|text| text.split_ascii_whitespace().collect::<String>());
    digits.and_then(|digits| hex::decode(&digits)).ok_or_else(|| {
        malformed("neither a GET_MEASUREMENTS request of SPDM 1.1 nor one in hexadecimal")
    })
}

fn from_json(text: &[u8]) -> Result<Evidence, Rejection> {
    let value = json::parse(text).map_err(|why| malformed(&format!("JSON: {why}")))?;
    let lists = ["evidence_list", "device_evidence_list"];
    let list = lists.iter().find_map(|name| value.member(name)).unwrap_or(&value);
    let device = match list {
        Value::List(devices) => match devices.as_slice() {
            [device] => device,
            [] => return Err(malformed("evidence of no device")),
            // One verdict is about one attester: claims of two would stand under the same names.
            several => {
                return Err(Rejection::Unsupported(format!(
                    "evidence of {} devices: each is to be sent for itself",
                    several.len()
                )));
            }
        },
        device => device,
    };
    let Some(Value::Text(report)) = device.member("evidence") else {
        return Err(malformed("no evidence"));
    };
    let certificates = match device.member("certificate") {
        Some(Value::Text(chain)) => chain_of(chain)?,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err(malformed("certificate is no text")),
    };
    let digits: String = report.split_ascii_whitespace().collect();
    let readings = [hex::decode(&digits), base64::decode(&digits)];
    let transcript = readings.into_iter().flatten().find(|bytes| bytes.starts_with(&REQUEST_START));
    let transcript = transcript.ok_or_else(|| {
        malformed("evidence is no GET_MEASUREMENTS request of SPDM 1.1 in base64 or hexadecimal")
    })?;
    Ok(Evidence { transcript, certificates })
}

fn chain_of(text: &str) -> Result<Vec<Vec<u8>>, Rejection> {
    let chain = certificates::read(text.as_bytes());
    if !chain.is_empty() {
        return Ok(chain);
    }
    let digits: String = text.split_ascii_whitespace().collect();
    let chain = base64::decode(&digits).map(|bytes| certificates::read(&bytes));
    chain.filter(|chain| !chain.is_empty()).ok_or_else(|| malformed("certificate is none"))
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";

    fn request(evidence_type: &str, evidence: &[u8]) -> Result<Evidence, Rejection> {
        read(Request {
            evidence_type: evidence_type.into(),
            evidence: evidence.to_vec(),
            attachments: vec![PEM.into(), b"words".to_vec()],
            at: 0,
        })
    }

    #[test]
    fn a_report_is_raw_or_hexadecimal() {
        for evidence in [&[0x11, 0xe0, 1, 0xff][..], b"11E001ff", b"11e0\n01ff\n"] {
            let evidence = request(REPORT, evidence).unwrap();
            assert_eq!(evidence.transcript, [0x11, 0xe0, 1, 0xff]);
            assert_eq!(evidence.certificates, [[1, 2, 3]]);
        }
        for other in [&b"11e0f"[..], b"quote", &[0x30, 0xff]] {
            assert!(matches!(request(REPORT, other), Err(Rejection::Malformed(_))), "{other:?}");
        }
        assert!(matches!(request("text/plain", b""), Err(Rejection::Unsupported(_))));
    }

    #[test]
    fn the_known_json_forms_are_read() {
        let pem = PEM.replace('\n', "\\n");
        let coded =
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFRSUQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
        for certificate in [pem.as_str(), coded] {
            for report in ["EeAB/w==", "11e001ff"] {
                let device = format!(
                    r#"{{"arch": "HOPPER", "certificate": "{certificate}", "evidence": "{report}", "nonce": "00"}}"#
                );
                for text in [
                    device.clone(),
                    format!("[{device}]"),
                    format!(r#"{{"nonce": "00", "evidence_list": [{device}]}}"#),
                    format!(r#"{{"device_evidence_list": [{device}]}}"#),
                ] {
                    let evidence = request(JSON, text.as_bytes()).unwrap();
                    assert_eq!(evidence.transcript, [0x11, 0xe0, 1, 0xff], "{text}");
                    assert_eq!(evidence.certificates, [[1, 2, 3], [1, 2, 3]]);
                }
            }
        }
    }

    #[test]
    fn evidence_of_several_devices_is_refused_in_these_words() {
        let two = br#"[{"evidence": "EeAB"}, {"evidence": "EeAB"}]"#;
        let Err(Rejection::Unsupported(why)) = request(JSON, two) else { panic!() };
        assert!(why.contains("2 devices"), "{why}");
    }

    #[test]
    fn other_json_is_refused_with_a_reason() {
        for text in [
            "[]",
            "{}",
            "7",
            r#"{"evidence": "quote"}"#,
            r#"{"evidence": [17, 224]}"#,
            r#"{"evidence": "EeAB", "certificate": 7}"#,
            r#"{"evidence": "EeAB", "certificate": "AQID"}"#,
        ] {
            assert!(
                matches!(request(JSON, text.as_bytes()), Err(Rejection::Malformed(_))),
                "{text}"
            );
        }
    }
}
