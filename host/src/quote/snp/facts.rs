//! What the host itself read in a checked report, as named facts.

use super::endorsement::Endorsement;
use super::product::Product;
use super::report::Report;
use super::tcb::Tcb;
use crate::claim::{Claim, Value};

/// The facts of a checked report; none where the bytes are not one.
pub(crate) fn facts(signed: &[u8], endorsement: &Endorsement) -> Vec<Claim> {
    let Ok(report) = Report::parse(signed) else {
        return Vec::new();
    };
    let mut facts = Facts(Vec::with_capacity(80));
    facts.identity(&report, endorsement);
    facts.guest(&report);
    facts.platform(&report);
    facts.firmware(&report, endorsement.vek.product);
    facts.0
}

struct Facts(Vec<Claim>);

impl Facts {
    fn identity(&mut self, report: &Report, endorsement: &Endorsement) {
        self.unsigned("snp.version", report.version.into());
        self.text("snp.product", endorsement.vek.product.name());
        self.text("snp.endorsement_key", endorsement.vek.key.name());
        if let Some(csp_id) = &endorsement.vek.csp_id {
            self.text("snp.csp_id", csp_id);
        }
        self.text("snp.revocation", endorsement.standing.name());
        self.flag("snp.chip_id_masked", report.chip_id_masked());
        if !report.chip_id_masked() {
            self.bytes("snp.chip_id", &report.chip_id);
        }
        if let Some(hardware_id) = &endorsement.vek.hardware_id {
            // As CHIP_ID would be written: the key that signed is this chip's, masked or not.
            let mut certified = hardware_id.clone();
            certified.resize(report.chip_id.len(), 0);
            self.bytes("snp.certified_chip_id", &certified);
        }
        self.flag("snp.mask_chip_key", report.mask_chip_key());
        if let Some(cpu) = report.cpuid {
            self.unsigned("snp.cpuid_family", cpu.family.into());
            self.unsigned("snp.cpuid_model", cpu.model.into());
            self.unsigned("snp.cpuid_stepping", cpu.stepping.into());
        }
    }

    fn guest(&mut self, report: &Report) {
        self.unsigned("snp.guest_svn", report.guest_svn.into());
        self.unsigned("snp.vmpl", report.vmpl.into());
        self.unsigned("snp.policy", report.policy);
        self.unsigned("snp.policy_abi_major", report.policy >> 8 & 0xff);
        self.unsigned("snp.policy_abi_minor", report.policy & 0xff);
        let bit = |bit: u32| report.policy >> bit & 1 != 0;
        self.flag("snp.policy_smt_allowed", bit(16));
        self.flag("snp.policy_migration_agent", bit(18));
        self.flag("snp.policy_debug", bit(19));
        self.flag("snp.policy_single_socket", bit(20));
        self.flag("snp.policy_cxl_allowed", bit(21));
        self.flag("snp.policy_mem_aes_256_xts", bit(22));
        self.flag("snp.policy_rapl_disabled", bit(23));
        self.flag("snp.policy_ciphertext_hiding", bit(24));
        self.flag("snp.policy_page_swap_disabled", bit(25));
        self.bytes("snp.report_data", &report.report_data);
        self.bytes("snp.measurement", &report.measurement);
        self.bytes("snp.host_data", &report.host_data);
        self.bytes("snp.family_id", &report.family_id);
        self.bytes("snp.image_id", &report.image_id);
        self.flag("snp.author_key_enabled", report.author_key_enabled());
        self.bytes("snp.id_key_digest", &report.id_key_digest);
        self.bytes("snp.author_key_digest", &report.author_key_digest);
        self.bytes("snp.report_id", &report.report_id);
        self.bytes("snp.report_id_ma", &report.report_id_ma);
    }

    fn platform(&mut self, report: &Report) {
        self.unsigned("snp.platform_info", report.platform_info);
        let bit = |bit: u32| report.platform_info >> bit & 1 != 0;
        self.flag("snp.platform_smt", bit(0));
        self.flag("snp.platform_tsme", bit(1));
        self.flag("snp.platform_ecc", bit(2));
        self.flag("snp.platform_rapl_disabled", bit(3));
        self.flag("snp.platform_ciphertext_hiding", bit(4));
        self.flag("snp.platform_alias_check", bit(5));
        self.flag("snp.platform_tio", bit(7));
    }

    fn firmware(&mut self, report: &Report, product: Product) {
        let Report { reported_tcb, committed_tcb, current_tcb, launch_tcb, .. } = *report;
        let mut tcb = |names: [&'static str; 5], bytes| {
            let tcb = Tcb::from_bytes(product, bytes);
            let parts =
                [tcb.fmc, Some(tcb.bootloader), Some(tcb.tee), Some(tcb.snp), Some(tcb.microcode)];
            for (name, part) in names.into_iter().zip(parts) {
                if let Some(part) = part {
                    self.unsigned(name, part.into());
                }
            }
        };
        tcb(names!("reported"), reported_tcb);
        tcb(names!("committed"), committed_tcb);
        tcb(names!("current"), current_tcb);
        tcb(names!("launch"), launch_tcb);
        self.text("snp.current_version", &report.current_version.to_string());
        self.text("snp.committed_version", &report.committed_version.to_string());
        if let Some(mitigations) = report.mitigations {
            self.unsigned("snp.launch_mitigations", mitigations.launch);
            self.unsigned("snp.current_mitigations", mitigations.current);
        }
    }

    fn unsigned(&mut self, name: &'static str, value: u64) {
        self.0.push(Claim::new(name, Value::Unsigned(value)));
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.0.push(Claim::new(name, Value::Flag(value)));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.0.push(Claim::new(name, Value::Text(value.to_owned())));
    }

    fn bytes(&mut self, name: &'static str, value: &[u8]) {
        self.0.push(Claim::new(name, Value::Bytes(value.to_vec())));
    }
}

/// The names of one TCB version's parts.
macro_rules! names {
    ($which:literal) => {
        [
            concat!("snp.", $which, "_tcb_fmc"),
            concat!("snp.", $which, "_tcb_bootloader"),
            concat!("snp.", $which, "_tcb_tee"),
            concat!("snp.", $which, "_tcb_snp"),
            concat!("snp.", $which, "_tcb_microcode"),
        ]
    };
}
use names;
