//! Reads the attestation reports of NVIDIA GPUs and NVSwitches: an SPDM measurement request and the
//! device's signed answer. The host checks the certificates and the signature over both; what is left
//! here is where things stand in them.

mod claims;
mod evidence;
mod identity;
mod opaque;
mod spdm;

use claviger_plugin_sdk::certificates;
use claviger_plugin_sdk::verifier::custody::{self, Algorithm, Digest, Signer, Statement};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

use evidence::{Evidence, JSON, REPORT};
use identity::Identity;
use spdm::Report;

claviger_plugin_sdk::manifest! {
    name: "verifier-nvidia",
    kind: "verifier",
    imports: ["custody", "log"],
    anchors: ["nvidia"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(Nvidia);

/// The host's set with NVIDIA's root for devices.
const ANCHORS: &str = "nvidia";

/// Extensions of the device's certificate: subject alternative name (RFC 5280, section 4.2.1.6), and
/// what its firmware is (TCG DICE Attestation Architecture 1.1, section 6.1.1), in the form of Hopper
/// and in that of Blackwell.
const ALTERNATIVE_NAME: &str = "2.5.29.17";
const COMPOSITE_ID: &str = "2.23.133.5.4.1";
const TCB_INFO: &str = "2.23.133.5.4.1.1";

/// A tier of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;

struct Nvidia;

impl Verifier for Nvidia {
    fn describe() -> Description {
        Description { tee: "nvidia".into(), evidence_types: vec![REPORT.into(), JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let Evidence { transcript, certificates } = evidence::read(request)?;
        let report = Report::read(&transcript).map_err(malformed)?;
        let (device, statement) = check(&report, &certificates)?;
        let firmware = match device.extension(TCB_INFO) {
            Some(extension) => identity::tcb_info(&extension),
            None => device.extension(COMPOSITE_ID).and_then(|value| identity::composite(&value)),
        };
        let name = device.extension(ALTERNATIVE_NAME);
        let identity = Identity::of(name.as_deref(), firmware, report.opaque.fwid())?;
        let claims = claims::all(&report, &identity, ANCHORS)?;
        Ok(Verdict {
            statements: vec![statement],
            bindings: vec![Binding {
                statement: 0,
                at: report.nonce,
                carries: Carries::ChallengeDigest(Digest::Sha256),
            }],
            claims,
            trustworthiness: Trustworthiness {
                // A device certificate is of one chip.
                instance_identity: Some(AFFIRMING),
                // Genuine: the host traced the report to NVIDIA's root.
                hardware: Some(AFFIRMING),
                ..NO_CLAIM
            },
        })
    }
}

/// Chains that are tried: a device has one, and some that lead elsewhere may have come along.
const MAX_CHAINS: usize = 4;

/// Request and answer, by the first chain that leads to NVIDIA's root and signed them.
fn check(report: &Report<'_>, pool: &[Vec<u8>]) -> Result<(Signer, Statement), Rejection> {
    let mut first_fault = None;
    for chain in certificates::chains(pool).iter().take(MAX_CHAINS) {
        let checked = custody::chain(chain, ANCHORS).and_then(|device| {
            let algorithm = Algorithm::EcdsaP384Sha384;
            let statement = custody::check(&device, algorithm, report.signed, report.signature)?;
            Ok((device, statement))
        });
        match checked {
            Ok(checked) => return Ok(checked),
            Err(fault) => {
                first_fault.get_or_insert(fault);
            }
        }
    }
    Err(match first_fault {
        Some(fault) => fault.into(),
        None => Rejection::Untrusted("no certificate of the device came along".into()),
    })
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::Malformed(why.into())
}
