//! What the host itself read in a checked quote, as named facts.

use super::Appraised;
use super::frame::Kind;
use super::report::{Body, EnclaveReport, TdReport};
use super::signed_json::Dated;
use crate::claim::{Claim, Value};

/// The facts of a checked quote.
pub(crate) fn facts(appraised: &Appraised) -> Vec<Claim> {
    let mut facts = Facts { names: names(appraised.kind), claims: Vec::with_capacity(56) };
    match &appraised.body {
        Body::Sgx(report) => facts.enclave(report),
        Body::Tdx(report) => facts.trust_domain(report),
    }
    facts.platform(appraised);
    facts.claims
}

/// Names of facts that both kinds have.
#[derive(Clone, Copy)]
struct Names {
    version: &'static str,
    fmspc: &'static str,
    pce_id: &'static str,
    pce_svn: &'static str,
    ppid: &'static str,
    instance: &'static str,
    status: &'static str,
    platform: &'static str,
    qe: &'static str,
    qe_svn: &'static str,
    date: &'static str,
    advisories: &'static str,
    evaluation: &'static str,
    tcb_evaluation: &'static str,
    qe_evaluation: &'static str,
    expires: &'static str,
    revocation: &'static str,
}

macro_rules! names {
    ($tee:literal) => {
        Names {
            version: concat!($tee, ".quote_version"),
            fmspc: concat!($tee, ".fmspc"),
            pce_id: concat!($tee, ".pce_id"),
            pce_svn: concat!($tee, ".pce_svn"),
            ppid: concat!($tee, ".ppid"),
            instance: concat!($tee, ".platform_instance_id"),
            status: concat!($tee, ".tcb_status"),
            platform: concat!($tee, ".platform_status"),
            qe: concat!($tee, ".qe_status"),
            qe_svn: concat!($tee, ".qe_isvsvn"),
            date: concat!($tee, ".tcb_date"),
            advisories: concat!($tee, ".advisory_ids"),
            evaluation: concat!($tee, ".tcb_evaluation_data_number"),
            tcb_evaluation: concat!($tee, ".tcb_info_evaluation"),
            qe_evaluation: concat!($tee, ".qe_identity_evaluation"),
            expires: concat!($tee, ".collateral_expires"),
            revocation: concat!($tee, ".revocation"),
        }
    };
}

fn names(kind: Kind) -> Names {
    match kind {
        Kind::Sgx => names!("sgx"),
        Kind::Td10 | Kind::Td15 => names!("tdx"),
    }
}

struct Facts {
    names: Names,
    claims: Vec<Claim>,
}

impl Facts {
    fn platform(&mut self, appraised: &Appraised) {
        let Appraised { endorsement, standing, .. } = appraised;
        let names = self.names;
        let pck = &endorsement.pck;
        self.unsigned(names.version, appraised.version.into());
        self.bytes(names.fmspc, &pck.fmspc);
        self.bytes(names.pce_id, &pck.pce_id);
        self.unsigned(names.pce_svn, pck.pce_svn.into());
        self.bytes(names.ppid, &pck.ppid);
        if let Some(instance) = &pck.platform_instance_id {
            self.bytes(names.instance, instance);
        }
        self.text(names.status, appraised.status.name());
        self.text(names.platform, standing.platform.name());
        self.text(names.qe, appraised.qe_status.map_or("waived", |status| status.name()));
        self.unsigned(names.qe_svn, appraised.qe_svn.into());
        if !matches!(appraised.kind, Kind::Sgx) {
            if let Some(module) = standing.module {
                self.text("tdx.module_status", module.name());
            }
            if let Some(running) = appraised.running {
                self.text("tdx.running_status", running.name());
            }
        }
        self.text(names.date, &standing.date.to_string());
        let advisories = Value::Texts(standing.advisories.clone());
        self.claims.push(Claim::new(names.advisories, advisories));
        self.unsigned(names.evaluation, appraised.evaluation.into());
        self.unsigned(names.tcb_evaluation, endorsement.tcb.says.evaluation().into());
        if let Some(identity) = &endorsement.qe {
            self.unsigned(names.qe_evaluation, identity.says.evaluation().into());
        }
        self.text(names.expires, &endorsement.until.to_string());
        self.text(names.revocation, endorsement.standing.name());
    }

    fn trust_domain(&mut self, report: &TdReport) {
        self.bytes("tdx.tee_tcb_svn", &report.tee_tcb_svn);
        self.bytes("tdx.mrseam", &report.mr_seam);
        self.bytes("tdx.mrsignerseam", &report.mr_signer_seam);
        self.bytes("tdx.seam_attributes", &report.seam_attributes);
        self.bytes("tdx.td_attributes", &report.td_attributes);
        let attributes = u64::from_le_bytes(report.td_attributes);
        let bit = |bit: u32| attributes >> bit & 1 != 0;
        self.flag("tdx.td_attributes_debug", report.debug());
        self.flag("tdx.td_attributes_lass", bit(27));
        self.flag("tdx.td_attributes_sept_ve_disable", bit(28));
        self.flag("tdx.td_attributes_migratable", bit(29));
        self.flag("tdx.td_attributes_pks", bit(30));
        self.flag("tdx.td_attributes_key_locker", bit(31));
        self.flag("tdx.td_attributes_perfmon", bit(63));
        self.bytes("tdx.xfam", &report.xfam);
        self.bytes("tdx.mrtd", &report.mr_td);
        self.bytes("tdx.mrconfigid", &report.mr_config_id);
        self.bytes("tdx.mrowner", &report.mr_owner);
        self.bytes("tdx.mrownerconfig", &report.mr_owner_config);
        let [rtmr0, rtmr1, rtmr2, rtmr3] = &report.rtmr;
        self.bytes("tdx.rtmr0", rtmr0);
        self.bytes("tdx.rtmr1", rtmr1);
        self.bytes("tdx.rtmr2", rtmr2);
        self.bytes("tdx.rtmr3", rtmr3);
        self.bytes("tdx.report_data", &report.report_data);
        if let Some(later) = &report.later {
            self.bytes("tdx.tee_tcb_svn2", &later.tee_tcb_svn2);
            self.bytes("tdx.mr_servicetd", &later.mr_service_td);
        }
    }

    fn enclave(&mut self, report: &EnclaveReport) {
        self.bytes("sgx.cpusvn", &report.cpu_svn);
        self.bytes("sgx.miscselect", &report.misc_select);
        self.bytes("sgx.attributes", &report.attributes);
        let [flags, ..] = report.attributes;
        let bit = |bit: u32| flags >> bit & 1 != 0;
        self.flag("sgx.attributes_initialized", bit(0));
        self.flag("sgx.attributes_debug", report.debug());
        self.flag("sgx.attributes_mode64", bit(2));
        self.flag("sgx.attributes_provision_key", bit(4));
        self.flag("sgx.attributes_einittoken_key", bit(5));
        self.flag("sgx.attributes_kss", bit(7));
        self.bytes("sgx.mrenclave", &report.mr_enclave);
        self.bytes("sgx.mrsigner", &report.mr_signer);
        self.bytes("sgx.config_id", &report.config_id);
        self.unsigned("sgx.isv_prod_id", report.isv_prod_id.into());
        self.unsigned("sgx.isv_svn", report.isv_svn.into());
        self.unsigned("sgx.config_svn", report.config_svn.into());
        self.bytes("sgx.isv_ext_prod_id", &report.isv_ext_prod_id);
        self.bytes("sgx.isv_family_id", &report.isv_family_id);
        self.bytes("sgx.report_data", &report.report_data);
    }

    fn unsigned(&mut self, name: &'static str, value: u64) {
        self.claims.push(Claim::new(name, Value::Unsigned(value)));
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.claims.push(Claim::new(name, Value::Flag(value)));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.claims.push(Claim::new(name, Value::Text(value.to_owned())));
    }

    fn bytes(&mut self, name: &'static str, value: &[u8]) {
        self.claims.push(Claim::new(name, Value::Bytes(value.to_vec())));
    }
}
