//! What a case's verdict asks of the host.

use claviger::claim::Value;
use claviger::error::{Code, Refusal};
use claviger::flow::Verified;

/// Genuine evidence of a guest that may be debugged: policies refuse it, later.
const DEBUG: &str = "debug";

/// Compares what the host said with what the case expects.
pub(crate) fn compare(verdict: &str, outcome: &Result<Verified, Refusal>) -> Result<(), String> {
    let genuine = verdict == "valid" || verdict == DEBUG;
    match outcome {
        Ok(_) if !genuine => Err(format!("expected {verdict}, found genuine")),
        Ok(verified) if verdict == DEBUG && !debugged(verified) => {
            Err("no fact says that the guest may be debugged".to_owned())
        }
        Ok(_) => Ok(()),
        Err(refusal) if !genuine && accepted(verdict, refusal.code) => Ok(()),
        Err(refusal) => Err(format!("expected {verdict}, found {refusal}")),
    }
}

fn debugged(verified: &Verified) -> bool {
    let mut facts = verified.facts().iter();
    facts.any(|fact| fact.name.ends_with("debug") && fact.value == Value::Flag(true))
}

/// Whether a refusal is of the class that the verdict means.
fn accepted(verdict: &str, code: Code) -> bool {
    let class: &[Code] = match verdict {
        "bad_signature" => &[Code::EvidenceSignature],
        // Who finds first that a chain does not hold: by the names, or by the signature under them.
        "bad_chain" => &[Code::EvidenceUntrusted, Code::EvidenceSignature],
        "binding_mismatch" | "unknown_key" | "untrusted_root" | "wrong_chip" => {
            &[Code::EvidenceUntrusted]
        }
        "malformed" | "unknown_claim" | "unsupported_cert_type" => {
            &[Code::EvidenceMalformed, Code::EvidenceUnsupported]
        }
        "out_of_date_tcb" | "tcb_not_supported" => &[Code::EvidenceOutdated],
        _ if verdict.contains("expired") || verdict.contains("not_yet_valid") => {
            &[Code::EvidenceExpired]
        }
        _ if verdict.starts_with("revoked") => &[Code::EvidenceRevoked],
        // A word that is new here: refused for what the evidence is, not by an accident of the host.
        _ => &[
            Code::EvidenceExpired,
            Code::EvidenceMalformed,
            Code::EvidenceOutdated,
            Code::EvidenceRevoked,
            Code::EvidenceSignature,
            Code::EvidenceUnsupported,
            Code::EvidenceUntrusted,
        ],
    };
    class.contains(&code)
}
