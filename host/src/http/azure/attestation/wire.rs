//! Requests as clients write them. Microsoft's Go sidecar pads its base64url, sends `nonce` as a number
//! and init data as two empty texts; its SDK for Python sends neither; others write standard base64.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use serde::Deserialize;
use serde_json::Value;

use super::guest;
use crate::error::{Code, Refusal};
use crate::flow::{AttestationKind, Evidence, MaaRequest, RuntimeData};
use crate::json::{self, Limits};

/// The longest nonce that is repeated, in bytes.
const LONGEST_NONCE: usize = 1024;

/// Open Enclave's frame around a remote report: version 1, type 2, and the length of what follows;
/// little-endian (`oe_report_header_t`).
const ENCLAVE_FRAME: usize = 16;

/// `POST /attest/…`, whichever type.
#[derive(Debug, Deserialize)]
pub(super) struct AttestBody {
    report: Option<String>,
    quote: Option<String>,
    #[serde(rename = "runtimeData")]
    runtime_data: Option<Data>,
    #[serde(rename = "initTimeData")]
    init_time_data: Option<Data>,
    #[serde(rename = "draftPolicyForAttestation")]
    draft: Option<String>,
    nonce: Option<Value>,
    /// Of a guest with a virtual TPM; clients write it with a capital, the service's reference without.
    #[serde(rename = "AttestationInfo", alias = "attestationInfo")]
    guest: Option<String>,
}

/// Bytes, and what they are: `Binary` or `JSON`.
#[derive(Debug, Deserialize)]
struct Data {
    #[serde(default)]
    data: Option<String>,
    #[serde(rename = "dataType", default)]
    kind: Option<String>,
}

/// Inside `report` of SEV-SNP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnpEvidence {
    snp_report: String,
    vcek_cert_chain: Option<String>,
    endorsements: Option<String>,
}

/// Inside `Endorsements`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endorsements {
    #[serde(default)]
    uvm: Vec<String>,
}

impl AttestBody {
    /// The request, as the host takes it. `limits`: of documents inside.
    pub(super) fn request(
        self,
        kind: AttestationKind,
        limits: Limits,
    ) -> Result<MaaRequest, Refusal> {
        let (report, quote, info) = (self.report, self.quote, self.guest);
        let of = |what: Option<String>, name: &str| {
            let text = what.ok_or_else(|| malformed(format!("`{name}` is missing")))?;
            octets(&text, name)
        };
        let mut uvm = Vec::new();
        let evidence = match kind {
            AttestationKind::SevSnpVm => snp(&of(report, "report")?, limits, &mut uvm)?,
            AttestationKind::OpenEnclave => {
                evidence("sgx", unframed(of(report, "report")?)?, Vec::new())
            }
            AttestationKind::SgxEnclave => evidence("sgx", of(quote, "quote")?, Vec::new()),
            AttestationKind::TdxVm => evidence("tdx", of(quote, "quote")?, Vec::new()),
            AttestationKind::AzureGuest => {
                let missing = || malformed("`AttestationInfo` is missing".to_owned());
                return guest::request(&info.ok_or_else(missing)?, limits);
            }
            AttestationKind::Tpm => {
                return Err(Refusal::new(Code::EvidenceUnsupported, "not attested here"));
            }
        };
        let runtime = self.runtime_data.map(|data| data.read("runtimeData", limits)).transpose()?;
        let initial =
            self.init_time_data.map(|data| data.read("initTimeData", limits)).transpose()?;
        Ok(MaaRequest {
            kind,
            evidence,
            runtime: runtime.unwrap_or_default(),
            guest: None,
            initial: initial.filter(|initial| !initial.bytes.is_empty()),
            nonce: self.nonce.map(nonce).transpose()?.flatten(),
            uvm,
            draft: self.draft.filter(|draft| !draft.is_empty()),
        })
    }
}

impl Data {
    fn read(self, name: &str, limits: Limits) -> Result<RuntimeData, Refusal> {
        let bytes = octets(&self.data.unwrap_or_default(), name)?;
        let kind = self.kind.unwrap_or_default();
        let json = match kind.to_ascii_lowercase().as_str() {
            _ if bytes.is_empty() => None,
            "json" => {
                let read: Value = json::parse(&bytes, limits)
                    .map_err(|error| malformed(format!("{name}, called JSON: {error}")))?;
                Some(read)
            }
            "binary" | "" => None,
            _ => return Err(malformed(format!("the dataType of {name} is JSON or Binary"))),
        };
        Ok(RuntimeData { bytes, json })
    }
}

pub(super) fn snp(
    report: &[u8],
    limits: Limits,
    uvm: &mut Vec<Vec<u8>>,
) -> Result<Evidence, Refusal> {
    let SnpEvidence { snp_report, vcek_cert_chain, endorsements } = json::parse(report, limits)
        .map_err(|error| malformed(format!("the JSON in `report`: {error}")))?;
    if let Some(endorsements) = endorsements.filter(|text| !text.is_empty()) {
        let endorsements: Endorsements =
            json::parse(&octets(&endorsements, "Endorsements")?, limits)
                .map_err(|error| malformed(format!("the JSON in `Endorsements`: {error}")))?;
        for one in &endorsements.uvm {
            uvm.push(octets(one, "Uvm")?);
        }
    }
    let chain = vcek_cert_chain.map(|chain| octets(&chain, "VcekCertChain")).transpose()?;
    let chain = chain.filter(|chain| !chain.is_empty());
    Ok(evidence("snp", octets(&snp_report, "SnpReport")?, chain.into_iter().collect()))
}

fn evidence(tee: &str, data: Vec<u8>, attachments: Vec<Vec<u8>>) -> Evidence {
    Evidence { tee: tee.to_owned(), media_type: None, data, attachments }
}

/// The quote in Open Enclave's frame.
fn unframed(report: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let wrong = || malformed("`report` is not a remote report of Open Enclave".to_owned());
    let (frame, quote) = report.split_at_checked(ENCLAVE_FRAME).ok_or_else(wrong)?;
    let length = u64::try_from(quote.len()).map_err(|_| wrong())?;
    let mut expected = [1, 0, 0, 0, 2, 0, 0, 0].to_vec();
    expected.extend_from_slice(&length.to_le_bytes());
    match frame == expected {
        true => Ok(quote.to_vec()),
        false => Err(wrong()),
    }
}

/// A text, or a number as its digits.
fn nonce(nonce: Value) -> Result<Option<String>, Refusal> {
    let text = match nonce {
        Value::Null => return Ok(None),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => return Err(malformed("`nonce` is a text or a number".to_owned())),
    };
    match text.len() {
        0 => Ok(None),
        1..=LONGEST_NONCE => Ok(Some(text)),
        _ => Err(malformed(format!("`nonce` has more than {LONGEST_NONCE} bytes"))),
    }
}

/// Base64 of either alphabet, but not of both at once, padded or not.
pub(super) fn octets(text: &str, name: &str) -> Result<Vec<u8>, Refusal> {
    let text = text.trim_end_matches('=').as_bytes();
    BASE64URL_NOPAD
        .decode(text)
        .or_else(|_| BASE64_NOPAD.decode(text))
        .map_err(|_| malformed(format!("`{name}` is not base64url")))
}

pub(super) fn malformed(reason: String) -> Refusal {
    Refusal::new(Code::RequestMalformed, reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(value: Value) -> AttestBody {
        serde_json::from_value(value).unwrap()
    }

    fn read(value: Value, kind: AttestationKind) -> Result<MaaRequest, Refusal> {
        body(value).request(kind, Limits { nulls: true, ..Limits::REQUEST })
    }

    /// As `attest.Attest` of confidential-sidecar-containers writes it.
    #[test]
    fn the_go_sidecars_request_is_read() {
        let inner = json!({"SnpReport": "AAEC_w==", "VcekCertChain": "LS0tLS0="}).to_string();
        let request = json!({
            "report": data_encoding::BASE64URL.encode(inner.as_bytes()),
            "runtimeData": {"data": "eyJrZXlzIjpbXX0=", "dataType": "JSON"},
            "initTimeData": {"data": "", "dataType": ""},
            "nonce": u64::MAX,
        });
        let request = read(request, AttestationKind::SevSnpVm).unwrap();
        assert_eq!(request.evidence.data, [0, 1, 2, 255]);
        assert_eq!(request.evidence.attachments, [b"-----".to_vec()]);
        assert_eq!(request.runtime.bytes, b"{\"keys\":[]}");
        assert_eq!(request.runtime.json, Some(json!({"keys": []})));
        assert!(request.initial.is_none());
        assert_eq!(request.nonce.as_deref(), Some("18446744073709551615"));
    }

    /// As `AttestationClient` of azure-security-attestation does.
    #[test]
    fn the_python_sdks_request_is_read() {
        let mut framed = vec![1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        framed.extend([7, 8]);
        let request = json!({
            "report": BASE64URL_NOPAD.encode(&framed),
            "runtimeData": {"data": "AQI", "dataType": "Binary"},
            "initTimeData": null,
            "draftPolicyForAttestation": null,
        });
        let request = read(request, AttestationKind::OpenEnclave).unwrap();
        assert_eq!((request.evidence.data, request.runtime.bytes), (vec![7, 8], vec![1, 2]));
        assert!(request.runtime.json.is_none() && request.nonce.is_none());
        framed[8] = 3;
        let cut = json!({"report": BASE64URL_NOPAD.encode(&framed)});
        assert!(read(cut, AttestationKind::OpenEnclave).is_err());
    }

    // attacks 8, 35
    #[test]
    fn what_is_missing_or_of_another_shape_is_refused() {
        let data = json!({"data": "e30", "dataType": "JSON"});
        for wrong in [
            json!({"runtimeData": data}),
            json!({"quote": "*", "runtimeData": data}),
            json!({"quote": "AA", "runtimeData": {"data": "e30", "dataType": "XML"}}),
            json!({"quote": "AA", "runtimeData": {"data": "e3", "dataType": "JSON"}}),
            json!({"quote": "AA", "runtimeData": {"data": "eyJhIjoxLCJhIjoyfQ", "dataType": "JSON"}}),
            json!({"quote": "AA", "nonce": {"a": 1}}),
            json!({"quote": "AA", "nonce": "x".repeat(LONGEST_NONCE + 1)}),
            json!({"quote": "-_+/"}),
        ] {
            let refused = read(wrong.clone(), AttestationKind::SgxEnclave);
            assert_eq!(refused.unwrap_err().code, Code::RequestMalformed, "{wrong}");
        }
        assert!(read(json!({"quote": "AA"}), AttestationKind::Tpm).is_err());
    }
}
