//! What a guest with a virtual TPM sends (guest attestation protocol 2.0), in the form in which this host's
//! verifiers for such guests read it. Only the packing is another: report and runtime data come apart, as
//! clients took them out of the paravisor's report (NV index 0x01400001), and are put together again.
//!
//! Written from what Microsoft's clients send (github.com/Azure/confidential-computing-cvm-guest-attestation)
//! and Edgeless Systems' (`go-azguestattestation`). They write base64 of either alphabet, and differ in which
//! of them encode what a client wants repeated.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wire::{malformed, octets, snp};
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::flow::{AttestationKind, Evidence, Guest, MaaRequest, RuntimeData};
use crate::json::{self, Limits};
use crate::keys::SealingKey;

/// The version of the protocol.
const VERSION: &str = "2.0";

/// What may be repeated in a token, in bytes of its JSON.
const LONGEST_PAYLOAD: usize = 4096;

/// Length of an SNP report, and of the room for a hardware report in the paravisor's.
const HARDWARE: usize = 1184;

/// Kinds of hardware in the paravisor's report.
const SNP: u32 = 2;
const TDX: u32 = 4;

/// `AttestationInfo`. What the guest says of its operating system is not read: nobody vouches for it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    attestation_protocol_version: String,
    client_payload: Option<Map<String, Value>>,
    isolation_info: Isolation,
    tcg_logs: Option<String>,
    tpm_info: Tpm,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Isolation {
    #[serde(rename = "Type")]
    kind: String,
    evidence: Option<IsolationEvidence>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct IsolationEvidence {
    proof: String,
    run_time_data: String,
}

/// The certificate of the attestation key is not read: the hardware vouches for that key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tpm {
    aik_pub: String,
    enc_key_certify_info: String,
    enc_key_certify_info_signature: String,
    enc_key_pub: String,
    pcr_quote: String,
    pcr_set: Vec<u32>,
    pcr_signature: String,
    #[serde(rename = "PCRs")]
    pcrs: Vec<Pcr>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pcr {
    index: u32,
    digest: String,
}

/// The request in `AttestationInfo`.
pub(super) fn request(info: &str, limits: Limits) -> Result<MaaRequest, Refusal> {
    let bytes = octets(info, "AttestationInfo")?;
    let info: Info = json::parse(&bytes, limits)
        .map_err(|error| malformed(format!("the JSON in `AttestationInfo`: {error}")))?;
    if info.attestation_protocol_version != VERSION {
        return Err(malformed(format!("the protocol's version is {VERSION}")));
    }
    let payload = info.client_payload.unwrap_or_default();
    if json!(payload).to_string().len() > LONGEST_PAYLOAD {
        return Err(malformed(format!("`ClientPayload` has more than {LONGEST_PAYLOAD} bytes")));
    }
    let machine = machine(info.isolation_info, limits)?;
    let log = octets(&info.tcg_logs.unwrap_or_default(), "TcgLogs")?;
    let key = octets(&info.tpm_info.enc_key_pub, "EncKeyPub")?;
    let key = SealingKey::read(&key).map_err(|error| {
        let explanation = Explanation::of("recipient").seen(error.to_string());
        Refusal::new(Code::RecipientKeyInvalid, error.to_string())
            .explain(explanation.wanted("TPM2B_PUBLIC of an RSA key for decryption"))
    })?;
    let mut evidence = info.tpm_info.evidence()?;
    let Machine { tee, hcl, quote, certificates, runtime } = machine;
    evidence.insert("version".to_owned(), 1.into());
    evidence.insert("hcl_report".to_owned(), BASE64URL_NOPAD.encode(&hcl).into());
    if let Some(quote) = quote {
        evidence.insert("td_quote".to_owned(), BASE64URL_NOPAD.encode(&quote).into());
    }
    if !log.is_empty() {
        evidence.insert("event_log".to_owned(), BASE64URL_NOPAD.encode(&log).into());
    }
    Ok(MaaRequest {
        kind: AttestationKind::AzureGuest,
        evidence: Evidence {
            tee: tee.to_owned(),
            media_type: None,
            data: Value::Object(evidence).to_string().into_bytes(),
            attachments: certificates,
        },
        runtime: RuntimeData::default(),
        guest: Some(Guest { key, machine: runtime, payload }),
        initial: None,
        nonce: None,
        uvm: Vec::new(),
        draft: None,
    })
}

impl Tpm {
    fn evidence(self) -> Result<Map<String, Value>, Refusal> {
        let hex = |text: &str, name: &str| octets(text, name).map(|bytes| HEXLOWER.encode(&bytes));
        let mut pcrs = BTreeMap::new();
        for Pcr { index, digest } in &self.pcrs {
            let digest = hex(digest, "Digest")?;
            if pcrs.insert(index.to_string(), digest).is_some() {
                return Err(malformed("a PCR stands twice".to_owned()));
            }
        }
        let named = self.pcrs.iter().map(|pcr| pcr.index);
        if !named.eq(self.pcr_set.iter().copied()) {
            return Err(malformed("`PcrSet` and `PCRs` differ".to_owned()));
        }
        let evidence = json!({
            "tpm_quote": {
                "message": hex(&self.pcr_quote, "PcrQuote")?,
                "signature": hex(&self.pcr_signature, "PcrSignature")?,
                "pcrs": pcrs,
            },
            "certified_key": {
                "attestation_key": hex(&self.aik_pub, "AikPub")?,
                "certificate": hex(&self.enc_key_certify_info, "EncKeyCertifyInfo")?,
                "public": hex(&self.enc_key_pub, "EncKeyPub")?,
                "signature":
                    hex(&self.enc_key_certify_info_signature, "EncKeyCertifyInfoSignature")?,
            },
        });
        match evidence {
            Value::Object(members) => Ok(members),
            _ => Ok(Map::new()),
        }
    }
}

/// What vouches for the vTPM.
struct Machine {
    tee: &'static str,
    hcl: Vec<u8>,
    quote: Option<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
    runtime: RuntimeData,
}

fn machine(isolation: Isolation, limits: Limits) -> Result<Machine, Refusal> {
    let Isolation { kind, evidence } = isolation;
    let tee = match kind.as_str() {
        "SevSnp" => "az-snp",
        "Tdx" => "az-tdx",
        "TrustedLaunch" => {
            let reason = "no hardware vouches for the TPM of a machine with Trusted Launch";
            return Err(Refusal::new(Code::EvidenceUnsupported, reason));
        }
        _ => return Err(malformed("`IsolationInfo` is of an unknown type".to_owned())),
    };
    let evidence =
        evidence.ok_or_else(|| malformed("`IsolationInfo` has no `Evidence`".to_owned()))?;
    let proof = octets(&evidence.proof, "Proof")?;
    let bytes = octets(&evidence.run_time_data, "RunTimeData")?;
    let json: Value = json::parse(&bytes, limits)
        .map_err(|error| malformed(format!("the JSON in `RunTimeData`: {error}")))?;
    let runtime = RuntimeData { bytes, json: Some(json) };
    let (hcl, quote, certificates) = match tee {
        "az-snp" => {
            let mut endorsements = Vec::new();
            let Evidence { data: report, attachments, .. } =
                snp(&proof, limits, &mut endorsements)?;
            if report.len() != HARDWARE {
                return Err(malformed("`SnpReport` is not of its length".to_owned()));
            }
            (paravisor(SNP, &report, &runtime.bytes), None, attachments)
        }
        // Its TDREPORT only its own processor could check, and the quote says the same.
        _ => (paravisor(TDX, &[0; HARDWARE], &runtime.bytes), Some(proof), Vec::new()),
    };
    Ok(Machine { tee, hcl, quote, certificates, runtime })
}

/// The paravisor's report, as `plugins/azure-vtpm/src/hcl.rs` describes it.
fn paravisor(kind: u32, hardware: &[u8], runtime: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 32 + HARDWARE as u32;
    const SHA256: u32 = 1;
    let size = u32::try_from(runtime.len()).unwrap_or(u32::MAX);
    let length = size.saturating_add(20);
    let mut report = b"HCLA".to_vec();
    let numbers = [2, HEADER.saturating_add(length), 2, 0, 0, 0, 0];
    report.extend(numbers.map(u32::to_le_bytes).concat());
    report.extend(hardware);
    report.extend([length, 1, kind, SHA256, size].map(u32::to_le_bytes).concat());
    report.extend(runtime);
    report
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn b64(bytes: &[u8]) -> Value {
        BASE64.encode(bytes).into()
    }

    fn key() -> Vec<u8> {
        let mut area = vec![0, 1, 0, 0x0b, 0, 2, 4, 0x32, 0, 0, 0, 0x10, 0, 0x10, 8, 0, 0, 0, 0, 0];
        area.extend([1, 0]);
        area.extend([0xc5; 256]);
        [&(area.len() as u16).to_be_bytes()[..], &area].concat()
    }

    /// As Microsoft's library writes it; nothing in it is signed.
    fn info() -> Value {
        let proof =
            json!({"SnpReport": BASE64URL_NOPAD.encode(&[7; HARDWARE]), "VcekCertChain": ""});
        json!({
            "AttestationProtocolVersion": "2.0",
            "OSType": b64(b"Linux"), "OSVersionMajor": "24", "OSVersionMinor": 4,
            "TcgLogs": b64(b"log"),
            "ClientPayload": null,
            "TpmInfo": {
                "AikCert": "", "AikPub": b64(b"a"), "PcrQuote": b64(b"q"), "PcrSignature": b64(b"s"),
                "EncKeyPub": b64(&key()), "EncKeyCertifyInfo": b64(b"i"),
                "EncKeyCertifyInfoSignature": b64(b"t"),
                "PcrSet": [0, 7],
                "PCRs": [{"Index": 0, "Digest": b64(&[1; 32])}, {"Index": 7, "Digest": b64(&[2; 32])}],
            },
            "IsolationInfo": {
                "Type": "SevSnp",
                "Evidence": {"Proof": b64(proof.to_string().as_bytes()), "RunTimeData": b64(b"{}")},
            },
        })
    }

    fn read(info: &Value) -> Result<MaaRequest, Refusal> {
        let info = BASE64URL_NOPAD.encode(info.to_string().as_bytes());
        request(&info, Limits { nulls: true, ..Limits::REQUEST })
    }

    #[test]
    fn a_guests_request_becomes_evidence_of_its_hardware() {
        let request = read(&info()).unwrap();
        assert_eq!(request.evidence.tee, "az-snp");
        let evidence: Value = serde_json::from_slice(&request.evidence.data).unwrap();
        assert_eq!(evidence["tpm_quote"]["pcrs"]["7"], "02".repeat(32));
        assert_eq!(evidence["certified_key"]["public"], HEXLOWER.encode(&key()));
        assert_eq!(evidence["event_log"], BASE64URL_NOPAD.encode(b"log"));
        let report = evidence["hcl_report"].as_str().unwrap();
        let report = BASE64URL_NOPAD.decode(report.as_bytes()).unwrap();
        assert_eq!((&report[..4], &report[32..1216]), (&b"HCLA"[..], &[7; HARDWARE][..]));
        assert_eq!(&report[1236..], b"{}");
        assert_eq!(request.guest.unwrap().machine.bytes, b"{}");
        let mut domain = info();
        domain["IsolationInfo"]["Type"] = "Tdx".into();
        let request = read(&domain).unwrap();
        assert_eq!(request.evidence.tee, "az-tdx");
        assert!(request.evidence.attachments.is_empty());
    }

    // attacks 8, 35
    #[test]
    fn what_is_missing_twice_or_of_another_shape_is_refused_before_anybody_verifies() {
        let short = json!({"SnpReport": BASE64URL_NOPAD.encode(&[7; HARDWARE - 1])});
        let pcr = |index: u32| json!({"Index": index, "Digest": b64(&[1; 32])});
        for (pointer, value) in [
            ("/AttestationProtocolVersion", json!("1.0")),
            ("/ClientPayload", json!({"nonce": "x".repeat(LONGEST_PAYLOAD)})),
            ("/ClientPayload", json!("nonce")),
            ("/TcgLogs", json!("*")),
            ("/TpmInfo/PcrSet", json!([0])),
            ("/TpmInfo/PcrSet", json!([7, 0])),
            ("/TpmInfo/PCRs/0/Digest", json!("*")),
            ("/TpmInfo/EncKeyCertifyInfo", Value::Null),
            ("/IsolationInfo/Type", json!("Vbs")),
            ("/IsolationInfo/Evidence", Value::Null),
            ("/IsolationInfo/Evidence/RunTimeData", b64(b"{")),
            ("/IsolationInfo/Evidence/Proof", b64(b"{}")),
            ("/IsolationInfo/Evidence/Proof", b64(short.to_string().as_bytes())),
        ] {
            let mut changed = info();
            *changed.pointer_mut(pointer).unwrap() = value;
            let refused = read(&changed).unwrap_err();
            assert_eq!(refused.code, Code::RequestMalformed, "{pointer}");
        }
        let mut twice = info();
        twice["TpmInfo"]["PcrSet"] = json!([0, 0]);
        twice["TpmInfo"]["PCRs"] = json!([pcr(0), pcr(0)]);
        assert_eq!(read(&twice).unwrap_err().code, Code::RequestMalformed);
        let mut weak = info();
        weak["TpmInfo"]["EncKeyPub"] = b64(&key()[..200]);
        assert_eq!(read(&weak).unwrap_err().code, Code::RecipientKeyInvalid);
        let mut bare = info();
        bare["IsolationInfo"] = json!({"Type": "TrustedLaunch"});
        assert_eq!(read(&bare).unwrap_err().code, Code::EvidenceUnsupported);
        assert!(request("*", Limits::REQUEST).is_err());
    }
}
