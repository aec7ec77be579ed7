//! Reads AMD SEV-SNP attestation reports. The host checks signature, chain and TCB natively; what is
//! left here is how the report is packed, and what its policy bits say about the guest.

mod evidence;
mod init_data;
mod spelled;

use claviger_plugin_sdk::places::snp::{CHIP_ID, REPORT_DATA};
use claviger_plugin_sdk::verifier::custody::Digest;
use claviger_plugin_sdk::verifier::quotes::{self, SnpEndorsementKey, SnpReport};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict,
    Verifier, settings,
};

use evidence::{Evidence, JSON, REPORT};

claviger_plugin_sdk::manifest! {
    name: "verifier-snp",
    kind: "verifier",
    imports: ["custody", "log", "quotes", "settings"],
    anchors: ["amd"],
    settings: {
        "vmpl": "The privilege level (VMPL) at which the attested software runs, 0 to 3; 0 where it is not set.",
    },
}
claviger_plugin_sdk::register_verifier!(Snp);

/// Bits of the guest policy (AMD 56860, table 9 "Guest Policy").
const MIGRATION_AGENT: u64 = 1 << 18;
const DEBUG: u64 = 1 << 19;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct Snp;

impl Verifier for Snp {
    fn describe() -> Description {
        Description { tee: "snp".into(), evidence_types: vec![REPORT.into(), JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let expected_vmpl = expected_vmpl(settings::get("vmpl"))?;
        let Evidence { report, certificates } = evidence::read(request)?;
        let report = quotes::snp(&report, &certificates)?;
        let trustworthiness = judge(&report, expected_vmpl)?;
        let init_data = init_data::of(&report.statement, &certificates)?;
        // The report is the first, whose fields the host itself reads as facts; what it vouches for the second.
        let (mut statements, mut claims) = (vec![report.statement], Vec::new());
        if let Some(init_data) = init_data {
            claims = init_data.claims(1);
            statements.push(init_data.statement);
        }
        Ok(Verdict {
            trustworthiness,
            statements,
            bindings: vec![Binding {
                statement: 0,
                at: REPORT_DATA,
                carries: Carries::ChallengeDigest(Digest::Sha512),
            }],
            claims,
        })
    }
}

fn expected_vmpl(setting: Option<String>) -> Result<u32, Rejection> {
    let Some(text) = setting else { return Ok(0) };
    match text.as_bytes() {
        [level @ b'0'..=b'3'] => Ok(u32::from(level - b'0')),
        _ => Err(Rejection::Unavailable("the setting `vmpl` is not 0, 1, 2 or 3".into())),
    }
}

fn judge(report: &SnpReport, expected_vmpl: u32) -> Result<Trustworthiness, Rejection> {
    let chip_id = || Ok(report.statement.read(CHIP_ID)?);
    Ok(Trustworthiness {
        instance_identity: instance_identity(report.endorsement_key, chip_id)?,
        configuration: Some(configuration(report.policy, report.vmpl, expected_vmpl)),
        // Genuine: the host traced the report to AMD's root.
        hardware: Some(AFFIRMING),
        // SNP encrypts the guest's memory, always.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    })
}

/// A VCEK is of one chip, even where the report masks the chip's id. A VLEK is of a provider: the chip
/// is known where the report names it.
fn instance_identity(
    key: SnpEndorsementKey,
    chip_id: impl FnOnce() -> Result<Vec<u8>, Rejection>,
) -> Result<Option<i8>, Rejection> {
    let named = match key {
        SnpEndorsementKey::Vcek => true,
        SnpEndorsementKey::Vlek => chip_id()?.iter().any(|byte| *byte != 0),
    };
    Ok(named.then_some(AFFIRMING))
}

fn configuration(policy: u64, vmpl: u32, expected_vmpl: u32) -> i8 {
    if policy & DEBUG != 0 {
        // The hypervisor may read and write the guest's memory.
        CONTRAINDICATED
    } else if policy & MIGRATION_AGENT != 0 || vmpl != expected_vmpl {
        // Another guest holds this one's keys, or a less privileged layer than expected asked.
        UNSAFE
    } else {
        AFFIRMING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 17
    #[test]
    fn a_guest_that_may_be_debugged_is_contraindicated() {
        assert_eq!(configuration(0x3_0000 | DEBUG, 0, 0), CONTRAINDICATED);
        assert_eq!(configuration(0x3_0000 | MIGRATION_AGENT, 0, 0), UNSAFE);
        assert_eq!(configuration(0x3_0000, 0, 0), AFFIRMING);
    }

    // attack 18
    #[test]
    fn a_report_from_another_privilege_level_is_not_affirmed() {
        assert_eq!(configuration(0x3_0000, 1, 0), UNSAFE);
        assert_eq!(configuration(0x3_0000, 0, 1), UNSAFE);
        assert_eq!(configuration(0x3_0000, 1, 1), AFFIRMING);
        assert_eq!(expected_vmpl(None).ok(), Some(0));
        assert_eq!(expected_vmpl(Some("3".into())).ok(), Some(3));
        for text in ["4", "", "00", "zero"] {
            assert!(expected_vmpl(Some(text.into())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_provider_key_without_a_chip_id_identifies_no_instance() {
        use SnpEndorsementKey::{Vcek, Vlek};
        let identity = |key, byte| instance_identity(key, || Ok(vec![byte; 64])).unwrap();
        assert_eq!(identity(Vcek, 0), Some(AFFIRMING));
        assert_eq!(identity(Vlek, 0), None);
        assert_eq!(identity(Vlek, 7), Some(AFFIRMING));
    }
}
