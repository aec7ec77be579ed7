//! From a hardware report of an Azure confidential VM to the PCRs of its vTPM.
//!
//! The VM's paravisor (HCL) runs at the highest privilege, holds the vTPM, and asked the hardware for one
//! report at boot. Its REPORT_DATA is the digest of *runtime data*: JSON with the vTPM's attestation key.
//! What the guest wants to prove afterwards, it proves by quotes of the vTPM.
//!
//! | step | operation | statement |
//! |---|---|---|
//! | the hardware report is genuine | `quotes` | 0 |
//! | REPORT_DATA is the digest of the runtime data | `vouch` | 1 |
//! | the key `HCLAkPub` in it is the vTPM's | `adopt` | |
//! | it signed the quote | `check` | 2 |
//! | the quote's digest is of these PCRs | `vouch` | 3 |
//! | the vTPM certified a key, which opens only while the PCRs are these | `check`, `vouch` | 4, 5 |
//!
//! The last step is there where a key came along. What is bound then is that key: the digest in its name
//! stands where else the challenge digest in the quote would.
//!
//! Sources: Microsoft, "What is guest attestation for confidential VMs" and the HCL's attestation report
//! (openvmm, `openhcl/openhcl_attestation_protocol`).

mod evidence;
mod hcl;
mod runtime;

use claviger_plugin_sdk::tpm::{self, Quoted, RsaPublic, Signature};
use claviger_plugin_sdk::verifier::custody::{self, Digest, KeyEncoding, Statement};
use claviger_plugin_sdk::verifier::types::{Claim, Span};
use claviger_plugin_sdk::verifier::{Binding, Carries, Rejection, Request};

pub use evidence::{CertifiedKey, Evidence, JSON};
pub use hcl::{HclReport, Platform};
use runtime::RuntimeData;

/// A hardware report that holds, and where in its statement REPORT_DATA stands.
#[derive(Debug)]
pub struct Hardware {
    /// What the hardware signed.
    pub statement: Statement,
    /// The first byte of REPORT_DATA's 64.
    pub report_data: u32,
}

/// The rest of a verdict, beside the plugin's judgement.
#[derive(Debug)]
pub struct Vtpm {
    /// The hardware's statement, and those that descend from it.
    pub statements: Vec<Statement>,
    /// The challenge digest in the quote, if there is one; the certified key's in its place.
    pub bindings: Vec<Binding>,
    /// What runtime data, quote and event log say.
    pub claims: Vec<Claim>,
}

/// What a verifier for one platform does: reads the evidence, has the hardware report checked, and follows
/// the vTPM's key from there. `prefix`: of the claims, the attester's kind.
///
/// # Errors
/// The host's findings, or what is wrong with the evidence.
pub fn verify(
    prefix: &str,
    platform: Platform,
    request: Request,
    check: impl FnOnce(&HclReport<'_>, &Evidence) -> Result<Hardware, Rejection>,
) -> Result<Vtpm, Rejection> {
    let evidence = Evidence::read(request)?;
    let report = HclReport::read(&evidence.hcl_report, platform)?;
    // Read before it is vouched for, so that what is malformed is told as that; believed only after.
    let unchecked = RuntimeData::read(report.runtime_data)?;
    let hardware = check(&report, &evidence)?;
    let at = Span { start: hardware.report_data, length: size(report.digest) };
    let runtime = custody::vouch(&hardware.statement, at, report.digest, report.runtime_data)?;
    let data = unchecked;
    let key = custody::adopt(&runtime, data.attestation_key, KeyEncoding::Jwk)?;
    let signature = signature(&evidence.signature)?;
    let quoted = tpm::check(&key, &evidence.message, &signature, &evidence.pcrs)?;
    let bank = quoted.bank(None)?;
    let mut claims = data.claims(prefix);
    claims.extend(tpm::quote_claims(&[prefix, ".tpm_"].concat(), &quoted, 2));
    claims.extend(tpm::register_claims(&[prefix, "."].concat(), &quoted, bank, 3));
    let sealed = match &evidence.certified_key {
        Some(certified) => {
            data.is_of(&RsaPublic::read(&certified.attestation_key)?)?;
            Some(sealed(&key, &quoted, certified)?)
        }
        None => None,
    };
    let log = evidence.event_log.as_deref();
    if let Some(log) = log.or_else(|| tpm::find_log(&evidence.attachments)) {
        let boot = tpm::replay(&quoted, bank, log)?;
        // Whether Secure Boot is on, the runtime data say too: what is proved by PCR 7 has a name of its own.
        claims.extend(boot.claims(&format!("{prefix}.boot.")));
    }
    if let Some(list) = tpm::find_list(&evidence.attachments) {
        claims.extend(tpm::measured(&quoted, list)?.claims());
    }
    let mut bindings: Vec<Binding> = tpm::binding(&quoted.attest, 2).into_iter().collect();
    let mut statements = vec![hardware.statement, runtime, quoted.statement, quoted.registers];
    if let Some(tpm::Sealed { statement, name, key }) = sealed {
        let carries = Carries::ChallengeDigest(Digest::Sha256);
        bindings = vec![Binding { statement: 4, at: name, carries }];
        statements.extend([statement, key]);
    }
    Ok(Vtpm { bindings, statements, claims })
}

fn sealed(
    key: &custody::Signer,
    quoted: &Quoted,
    certified: &CertifiedKey,
) -> Result<tpm::Sealed, Rejection> {
    let signature = signature(&certified.signature)?;
    tpm::certified(key, quoted, &certified.certificate, &signature, &certified.public)
}

fn size(digest: Digest) -> u32 {
    match digest {
        Digest::Sha256 => 32,
        Digest::Sha384 => 48,
        Digest::Sha512 => 64,
    }
}

/// A bare RSA signature, as Azure's tools write it (the key's scheme is RSASSA with SHA-256), or a whole
/// TPMT_SIGNATURE.
fn signature(bytes: &[u8]) -> Result<Signature, Rejection> {
    match bytes.len() {
        256 | 384 | 512 => Ok(Signature::rsassa_sha256(bytes.to_vec())),
        _ => Signature::read(bytes),
    }
}
