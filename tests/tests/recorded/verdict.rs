//! What a case's verdict asks of the host.

use claviger::claim::Value;
use claviger::error::{Code, Refusal};
use claviger::flow::Verified;

/// Genuine evidence of a guest that may be debugged: policies refuse it, later.
const DEBUG: &str = "debug";

/// Genuine evidence of a platform whose firmware its vendor calls so (Intel's TCB status).
const STATUS: [(&str, &str); 4] = [
    ("config_and_sw_hardening_needed", "ConfigurationAndSWHardeningNeeded"),
    ("config_needed", "ConfigurationNeeded"),
    ("out_of_date_tcb", "OutOfDate"),
    ("sw_hardening_needed", "SWHardeningNeeded"),
];

/// Compares what the host said with what the case expects.
pub(crate) fn compare(verdict: &str, outcome: &Result<Verified, Refusal>) -> Result<(), String> {
    let status = STATUS.iter().find(|(name, _)| *name == verdict).map(|(_, status)| *status);
    let genuine = verdict == "valid" || verdict == DEBUG || status.is_some();
    match outcome {
        Ok(_) if !genuine => Err(format!("expected {verdict}, found genuine")),
        Ok(verified) if verdict == DEBUG && !says(verified, "debug", &Value::Flag(true)) => {
            Err("nothing says that the guest may be debugged".to_owned())
        }
        Ok(verified) => match (status, said(verified, "tcb_status")) {
            (Some(wanted), Some(Value::Text(found))) if wanted == found => Ok(()),
            (Some(wanted), found) => Err(format!("expected {wanted}, found {found:?}")),
            (None, Some(Value::Text(found))) if verdict == "valid" && found != "UpToDate" => {
                Err(format!("expected UpToDate, found {found}"))
            }
            (None, _) => Ok(()),
        },
        Err(refusal) if !genuine && accepted(verdict, refusal.code) => Ok(()),
        Err(refusal) => Err(format!("expected {verdict}, found {refusal}")),
    }
}

/// What the host read, or the verifier says, under a name that ends so.
fn said<'a>(verified: &'a Verified, end: &str) -> Option<&'a Value> {
    let mut claims = verified.facts().iter().chain(verified.claims());
    claims.find(|claim| claim.name.ends_with(end)).map(|claim| &claim.value)
}

fn says(verified: &Verified, end: &str, value: &Value) -> bool {
    let mut claims = verified.facts().iter().chain(verified.claims());
    claims.any(|claim| claim.name.ends_with(end) && claim.value == *value)
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
        "tcb_not_supported" => &[Code::EvidenceOutdated, Code::EvidenceUntrusted],
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
