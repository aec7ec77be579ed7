//! AMD SEV-SNP: a whole report checked in one call.

pub(crate) mod brought;
pub(crate) mod endorsement;
pub(crate) mod facts;
pub(crate) mod family;
pub mod layout;
pub mod product;
pub(crate) mod report;
pub(crate) mod search;
pub(crate) mod table;
pub mod tcb;
pub(crate) mod vek;

use std::sync::Arc;

use super::authority::Authority;
use super::bundle::Bundle;
use super::fault::Fault;
use super::signer::Signer;
use super::statement::{Format, Parts, Statement};
use super::trail::{Deed, Trail};
use super::want::Want;
use crate::clock::Timestamp;

pub use product::Product;
pub use report::{Cpuid, EndorsementKey, FirmwareVersion, Mitigations};
pub use tcb::Tcb;

use report::{Report, read_signature};
use search::Signed;

/// A report that was checked, with its fields. Every byte of every field was signed.
#[derive(Clone, Debug)]
pub struct SnpReport {
    /// The signed part.
    pub statement: Statement,
    /// The VCEK or VLEK that signed it.
    pub endorser: Signer,
    /// The report's version, 2 to 5.
    pub version: u32,
    /// The product line.
    pub product: Product,
    /// Which kind of key signed.
    pub endorsement_key: EndorsementKey,
    /// GUEST_SVN.
    pub guest_svn: u32,
    /// The guest policy, bit by bit.
    pub policy: u64,
    /// FAMILY_ID.
    pub family_id: [u8; 16],
    /// IMAGE_ID.
    pub image_id: [u8; 16],
    /// The privilege level that asked for the report, 0 (highest) to 3.
    pub vmpl: u32,
    /// PLATFORM_INFO, bit by bit.
    pub platform_info: u64,
    /// REPORT_DATA: what the guest asked to have signed.
    pub report_data: [u8; 64],
    /// The launch measurement.
    pub measurement: [u8; 48],
    /// HOST_DATA: what the hypervisor supplied at launch.
    pub host_data: [u8; 32],
    /// SHA-384 of the key that signed the ID block.
    pub id_key_digest: [u8; 48],
    /// SHA-384 of the key that certified the ID key.
    pub author_key_digest: [u8; 48],
    /// The guest's report id.
    pub report_id: [u8; 32],
    /// The report id of its migration agent.
    pub report_id_ma: [u8; 32],
    /// The chip; zeros where the platform masks it.
    pub chip_id: [u8; 64],
    /// The TCB that the endorsement key is bound to.
    pub reported_tcb: Tcb,
    /// The TCB below which the platform cannot be rolled back.
    pub committed_tcb: Tcb,
    /// The TCB that runs.
    pub current_tcb: Tcb,
    /// The TCB at which the guest was launched.
    pub launch_tcb: Tcb,
    /// From version 3.
    pub cpuid: Option<Cpuid>,
    /// From version 5.
    pub mitigations: Option<Mitigations>,
}

/// Checks a report. See [`super::Examination::snp`]. `reached`: where it fails, the links that held;
/// `wants`: and what it would have needed.
pub(super) fn check(
    authority: &Authority,
    at: Timestamp,
    mut bytes: Vec<u8>,
    certificates: &[Vec<u8>],
    reached: &mut Option<Trail>,
    wants: &mut Vec<Want>,
) -> Result<SnpReport, Fault> {
    if bytes.len() != layout::LENGTH {
        return Err(Fault::Malformed(format!("an SNP report of {} bytes", bytes.len())));
    }
    let report = Report::parse(&bytes)?;
    let key = check_signed_by_firmware(&report)?;
    let signature = read_signature(bytes.get(layout::SIGNED..).unwrap_or_default())?;
    let bundle = Bundle::brought(certificates.iter().map(Vec::as_slice));
    // From here on only what was signed.
    bytes.truncate(layout::SIGNED);
    let signed = Signed { report: &report, key, message: &bytes, signature: &signature };
    let found = search::endorse(authority, &bundle, &signed, at, reached);
    let endorsement = found.map_err(|unendorsed| {
        if unendorsed.lacking {
            *wants = wanted(authority, &report, key);
        }
        unendorsed.fault
    })?;
    let signer = endorsement.signer.clone();
    let product = endorsement.vek.product;
    let endorsement_key = endorsement.vek.key;
    let statement = Statement::new(Parts {
        bytes,
        expires: endorsement.until,
        simulated: signer.simulated(),
        trail: signer
            .parts()
            .trail
            .then(Deed::Snp { version: report.version, endorsement: Arc::clone(&endorsement) }),
        bindable: true,
        format: Format::Snp(Some(endorsement)),
    });
    let tcb = |bytes| Tcb::from_bytes(product, bytes);
    Ok(SnpReport {
        statement,
        endorser: signer,
        version: report.version,
        product,
        endorsement_key,
        guest_svn: report.guest_svn,
        policy: report.policy,
        family_id: report.family_id,
        image_id: report.image_id,
        vmpl: report.vmpl,
        platform_info: report.platform_info,
        report_data: report.report_data,
        measurement: report.measurement,
        host_data: report.host_data,
        id_key_digest: report.id_key_digest,
        author_key_digest: report.author_key_digest,
        report_id: report.report_id,
        report_id_ma: report.report_id_ma,
        chip_id: report.chip_id,
        reported_tcb: tcb(report.reported_tcb),
        committed_tcb: tcb(report.committed_tcb),
        current_tcb: tcb(report.current_tcb),
        launch_tcb: tcb(report.launch_tcb),
        cpuid: report.cpuid,
        mitigations: report.mitigations,
    })
}

/// What a report is checked with, where its product is known: version 2 does not say it, and a
/// provider's key is given by the provider.
fn wanted(authority: &Authority, report: &Report, key: EndorsementKey) -> Vec<Want> {
    let cpu = report.cpuid.and_then(|cpu| Product::of_cpu(cpu.family, cpu.model));
    let Some(product) = cpu else { return Vec::new() };
    let list = authority.requires_revocation().then_some(Want::AmdCrl(product));
    let named = key == EndorsementKey::Vcek && !report.chip_id_masked();
    let (chip_id, tcb) = (report.chip_id, report.reported_tcb);
    let vcek = named.then_some(Want::AmdVcek { product, chip_id, tcb });
    list.into_iter().chain(vcek).collect()
}

/// What the report says of its own signature and of who asked for it. Answers which kind of key
/// signed.
fn check_signed_by_firmware(report: &Report) -> Result<EndorsementKey, Fault> {
    const ECDSA_P384_SHA384: u32 = 1;
    if report.signature_algorithm != ECDSA_P384_SHA384 {
        return Err(Fault::Unsupported(format!(
            "SIGNATURE_ALGO {} of an SNP report",
            report.signature_algorithm
        )));
    }
    let key = report.signing_key()?;
    // The provider's key is not the chip's, and signs all the same.
    if report.mask_chip_key() && key == EndorsementKey::Vcek {
        return Err(Fault::untrusted("MASK_CHIP_KEY is set: the firmware did not sign the report"));
    }
    // The hypervisor can ask for reports too (0xffffffff); they do not speak for the guest.
    if report.vmpl > 3 {
        return Err(Fault::untrusted("a report that no privilege level of the guest asked for"));
    }
    Ok(key)
}
