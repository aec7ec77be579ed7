//! Azure's confidential VMs, which speak through a TPM of software.

use claviger::assemble::Plan;
use claviger::quote::DigestAlgorithm;
use claviger::simulated::SimulatedGuest;
use claviger::simulated::report::{POLICY_DEBUG, ReportTemplate};
use claviger_tests::minted::azure::{Hardware, Vm};
use claviger_tests::site::chip;
use data_encoding::HEXLOWER;

use super::intel::{domain, intel};
use super::{Attester, MadeFor, change_quote, group, parts};

/// A confidential VM of Azure's on SEV-SNP; the second may be debugged.
pub(super) struct SnpVms([Vm; 2]);

impl SnpVms {
    pub(super) fn new() -> Self {
        let vm = |policy| {
            let mut guest = SimulatedGuest::new(chip());
            guest.template.policy |= policy;
            Vm::on(Hardware::Snp(Box::new(guest)))
        };
        Self([vm(0), vm(POLICY_DEBUG)])
    }
}

impl Attester for SnpVms {
    const TEE: &'static str = "az-snp";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        let paravisor = ReportTemplate::default().measurement;
        plan.configured.push(group("az-snp", "measurement", &paravisor));
        plan.configured.push(self.0[0].approved());
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let vm = &self.0[usize::from(debugged)];
        parts(vm.answer(made_for.0.digest_by(DigestAlgorithm::Sha256).as_ref()))
    }

    fn change(data: &mut Vec<u8>) {
        change_quote(data, "/tpm_quote/message", &HEXLOWER);
    }
}

/// A confidential VM of Azure's on TDX; the second may be debugged.
pub(super) struct TdxVms([Vm; 2]);

impl TdxVms {
    pub(super) fn new() -> Self {
        let vm = |debugged| {
            let quote = move |report_data| domain(report_data, debugged);
            Vm::on(Hardware::Tdx(Box::new(quote)))
        };
        Self([vm(false), vm(true)])
    }
}

impl Attester for TdxVms {
    const TEE: &'static str = "az-tdx";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        plan.simulated_roots.push(intel().root());
        plan.configured.push(group("az-tdx", "mrtd", &[0x3d; 48]));
        plan.configured.push(self.0[0].approved());
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let vm = &self.0[usize::from(debugged)];
        // The longest that a TPM takes.
        parts(vm.answer(&made_for.digest()))
    }

    fn change(data: &mut Vec<u8>) {
        change_quote(data, "/tpm_quote/message", &HEXLOWER);
    }
}
