//! Reads Intel SGX quotes. The host checks signatures, chain, quoting enclave and TCB natively; what is left
//! here is how the quote is packed, and what its attributes say about the enclave.

use claviger_plugin_sdk::places::dcap::{enclave, within};
use claviger_plugin_sdk::quote_text::{self, Packed};
use claviger_plugin_sdk::verifier::custody::Digest;
use claviger_plugin_sdk::verifier::quotes::{self, DcapBody};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

claviger_plugin_sdk::manifest! {
    name: "verifier-sgx",
    kind: "verifier",
    imports: ["custody", "log", "quotes"],
    anchors: ["intel"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(Sgx);

/// A quote as it is, or its text in hexadecimal or base64.
const QUOTE: &str = "application/vnd.intel.sgx-quote";
/// `{"quote": …}`.
const JSON: &str = "application/json";

/// ATTRIBUTES.DEBUG (Intel SDM volume 3D, table "Layout of ATTRIBUTES Structure").
const DEBUG: u64 = 1 << 1;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct Sgx;

impl Verifier for Sgx {
    fn describe() -> Description {
        Description { tee: "sgx".into(), evidence_types: vec![QUOTE.into(), JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let Packed { quote, .. } = match request.evidence_type.as_str() {
            QUOTE => quote_text::raw(request.evidence),
            JSON => quote_text::object(&request.evidence),
            other => return Err(Rejection::Unsupported(other.into())),
        }
        .map_err(|why| Rejection::Malformed(why.into()))?;
        let report = quotes::dcap(&quote, &request.attachments)?;
        let DcapBody::Sgx(body) = &report.body else {
            return Err(Rejection::Unsupported("a quote that is not of SGX".into()));
        };
        Ok(Verdict {
            trustworthiness: judge(body.attributes, &report.tcb_status),
            bindings: vec![Binding {
                statement: 0,
                at: within(report.body_at, enclave::REPORTDATA),
                carries: Carries::ChallengeDigest(Digest::Sha512),
            }],
            statements: vec![report.statement],
            // The host reads every field itself, as the statement's facts.
            claims: Vec::new(),
        })
    }
}

fn judge(attributes: u64, tcb_status: &str) -> Trustworthiness {
    let debug = attributes & DEBUG != 0;
    Trustworthiness {
        instance_identity: Some(AFFIRMING),
        configuration: Some(if debug { CONTRAINDICATED } else { AFFIRMING }),
        hardware: Some(hardware(tcb_status)),
        // Memory of an enclave is encrypted, always.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

/// Genuine: the host traced the quote to Intel's root. Firmware that is out of date is a reason to doubt it;
/// what has to be configured or hardened otherwise is for the policy.
fn hardware(tcb_status: &str) -> i8 {
    match tcb_status {
        "UpToDate"
        | "SWHardeningNeeded"
        | "ConfigurationNeeded"
        | "ConfigurationAndSWHardeningNeeded" => AFFIRMING,
        _ => UNSAFE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 17
    #[test]
    fn an_enclave_that_may_be_debugged_is_contraindicated() {
        assert_eq!(judge(5, "UpToDate").configuration, Some(AFFIRMING));
        assert_eq!(judge(7, "UpToDate").configuration, Some(CONTRAINDICATED));
    }

    #[test]
    fn firmware_that_is_out_of_date_is_not_affirmed() {
        for status in ["UpToDate", "SWHardeningNeeded", "ConfigurationNeeded"] {
            assert_eq!(judge(5, status).hardware, Some(AFFIRMING), "{status}");
        }
        for status in ["OutOfDate", "OutOfDateConfigurationNeeded", "TDRelaunchAdvised", "", "new"]
        {
            assert_eq!(judge(5, status).hardware, Some(UNSAFE), "{status}");
        }
    }
}
