//! Intel's: trust domains and enclaves.

use std::sync::OnceLock;

use claviger::assemble::Plan;
use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
use claviger_tests::site::NOW;

use super::{Attester, MadeFor, change_at, group};

pub(super) fn intel() -> &'static Intel {
    static INTEL: OnceLock<Intel> = OnceLock::new();
    INTEL.get_or_init(|| Intel::mint(NOW).unwrap())
}

pub(super) struct Domain;

impl Attester for Domain {
    const TEE: &'static str = "tdx";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        plan.simulated_roots.push(intel().root());
        plan.configured.push(group("tdx", "mrtd", &[0x3d; 48]));
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        domain(made_for.digest(), debugged)
    }

    fn change(data: &mut Vec<u8>) {
        change_at(data, &[0x3d; 48]);
    }
}

pub(super) fn domain(report_data: [u8; 64], debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut template = intel().quote_template(QuoteBody::Td4, report_data);
    // TDATTRIBUTES, bit 0: DEBUG.
    template.body[120] |= u8::from(debugged);
    (intel().quote(&template).unwrap(), collateral("TDX", "TD_QE"))
}

/// A trust domain that was launched with this MRCONFIGID, and attaches this as its init data.
pub(super) struct Started {
    pub(super) mrconfigid: [u8; 48],
    pub(super) attached: Vec<u8>,
}

impl Attester for Started {
    const TEE: &'static str = Domain::TEE;
    const SIMULATED: bool = Domain::SIMULATED;

    fn configure(&self, plan: &mut Plan) {
        Domain.configure(plan);
    }

    fn evidence(&self, made_for: &MadeFor<'_>, _: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut template = intel().quote_template(QuoteBody::Td4, made_for.digest());
        template.body[184..232].copy_from_slice(&self.mrconfigid);
        let mut attachments = collateral("TDX", "TD_QE");
        attachments.push(self.attached.clone());
        (intel().quote(&template).unwrap(), attachments)
    }

    fn change(data: &mut Vec<u8>) {
        Domain::change(data);
    }
}

pub(super) struct Enclave;

impl Attester for Enclave {
    const TEE: &'static str = "sgx";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        plan.simulated_roots.push(intel().root());
        let template = intel().quote_template(QuoteBody::Sgx3, [0; 64]);
        plan.configured.push(group("sgx", "mrenclave", &template.body[64..96]));
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut template = intel().quote_template(QuoteBody::Sgx3, made_for.digest());
        // ATTRIBUTES, bit 1: DEBUG.
        template.body[48] |= u8::from(debugged) << 1;
        (intel().quote(&template).unwrap(), collateral("SGX", "QE"))
    }

    fn change(data: &mut Vec<u8>) {
        // MRENCLAVE, at 64 of the report behind the header.
        data[48 + 64] ^= 1;
    }
}

pub(super) fn collateral(tcb: &'static str, qe: &'static str) -> Vec<Vec<u8>> {
    let [root, pck] = intel().lists(Revocations::default()).unwrap();
    let tcb = intel().tcb_info(&intel().tcb_template(tcb)).unwrap();
    let qe = intel().qe_identity(&intel().qe_template(qe)).unwrap();
    vec![tcb, qe, intel().tcb_signer(), root, pck]
}
