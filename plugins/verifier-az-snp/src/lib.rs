//! Reads vTPM evidence of Azure confidential VMs on AMD SEV-SNP. The host checks the SNP report natively and
//! follows the vTPM's key from its REPORT_DATA; what is left here is how all of it is packed.

use claviger_azure_vtpm::{Hardware, JSON, Platform, Vtpm, verify};
use claviger_plugin_sdk::places::snp::REPORT_DATA;
use claviger_plugin_sdk::verifier::quotes;
use claviger_plugin_sdk::verifier::{
    Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

claviger_plugin_sdk::manifest! {
    name: "verifier-az-snp",
    kind: "verifier",
    imports: ["custody", "log", "quotes"],
    anchors: ["amd"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(AzureSnp);

/// The attester's kind.
const TEE: &str = "az-snp";

/// Bits of the guest policy (AMD 56860, table 9 "Guest Policy").
const MIGRATION_AGENT: u64 = 1 << 18;
const DEBUG: u64 = 1 << 19;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct AzureSnp;

impl Verifier for AzureSnp {
    fn describe() -> Description {
        Description { tee: TEE.into(), evidence_types: vec![JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let mut policy = 0;
        let checked = verify(TEE, Platform::Snp, request, |report, evidence| {
            let snp = quotes::snp(report.hardware, &evidence.attachments)?;
            by_paravisor(snp.vmpl)?;
            policy = snp.policy;
            Ok(Hardware { statement: snp.statement, report_data: REPORT_DATA.start })
        })?;
        let Vtpm { statements, bindings, claims } = checked;
        let trustworthiness = judge(policy);
        Ok(Verdict { statements, bindings, claims, trustworthiness })
    }
}

/// The paravisor runs at VMPL 0 and the guest below it. A report that the guest asked for itself holds
/// whatever key the guest likes.
fn by_paravisor(vmpl: u32) -> Result<(), Rejection> {
    match vmpl {
        0 => Ok(()),
        vmpl => Err(Rejection::Untrusted(format!(
            "the report is from VMPL {vmpl}, not from the paravisor at VMPL 0"
        ))),
    }
}

fn judge(policy: u64) -> Trustworthiness {
    let configuration = if policy & DEBUG != 0 {
        CONTRAINDICATED
    } else if policy & MIGRATION_AGENT != 0 {
        UNSAFE
    } else {
        AFFIRMING
    };
    Trustworthiness {
        // The vTPM's key is of this one VM.
        instance_identity: Some(AFFIRMING),
        configuration: Some(configuration),
        // Genuine: the host traced the report to AMD's root.
        hardware: Some(AFFIRMING),
        // SNP encrypts the guest's memory, always.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 18
    #[test]
    fn a_report_that_the_guest_asked_for_itself_is_refused() {
        by_paravisor(0).unwrap();
        for vmpl in [1, 2, 3, u32::MAX] {
            assert!(matches!(by_paravisor(vmpl), Err(Rejection::Untrusted(_))), "{vmpl}");
        }
    }

    // attack 17
    #[test]
    fn a_guest_that_may_be_debugged_is_contraindicated() {
        assert_eq!(judge(0x3_0000 | DEBUG).configuration, Some(CONTRAINDICATED));
        assert_eq!(judge(0x3_0000 | MIGRATION_AGENT).configuration, Some(UNSAFE));
        assert_eq!(judge(0x3_0000).configuration, Some(AFFIRMING));
    }
}
