//! `quotes`: whole quote formats checked natively in one call, with their parsed fields.

use wasmtime::Result;

use crate::plugin::bindings::claviger::plugin::custody::Fault;
use crate::plugin::bindings::claviger::plugin::quotes::{
    DcapBody, DcapReport, EnclaveReport, Host, SnpEndorsementKey, SnpReport, SnpTcb, TdReport,
};
use crate::plugin::limits::Metered;
use crate::plugin::verifier::VerifierCall;
use crate::quote;
use crate::quote::dcap::{self, Body};
use crate::quote::snp::EndorsementKey;
use crate::quote::snp::Tcb;

impl Host for VerifierCall {
    fn snp(
        &mut self,
        report: Vec<u8>,
        certificates: Vec<Vec<u8>>,
    ) -> Result<Result<SnpReport, Fault>> {
        self.meter().host_call()?;
        match self.examine(|examination| examination.snp_or_broken(report, &certificates)) {
            Ok(report) => {
                self.held(&report.statement);
                Ok(Ok(self.snp_report(report)?))
            }
            Err(broken) => Ok(Err(self.broke(broken).into())),
        }
    }

    fn dcap(
        &mut self,
        quote: Vec<u8>,
        attachments: Vec<Vec<u8>>,
    ) -> Result<Result<DcapReport, Fault>> {
        self.meter().host_call()?;
        match self.examine(|examination| examination.dcap_or_broken(quote, &attachments)) {
            Ok(report) => {
                self.held(&report.statement);
                Ok(Ok(self.dcap_report(report)?))
            }
            Err(broken) => Ok(Err(self.broke(broken).into())),
        }
    }
}

impl VerifierCall {
    fn snp_report(&mut self, report: quote::SnpReport) -> Result<SnpReport> {
        let meter = self.meter();
        Ok(SnpReport {
            statement: meter.push(report.statement)?,
            endorser: meter.push(report.endorser)?,
            version: report.version,
            product: report.product.to_string(),
            endorsement_key: match report.endorsement_key {
                EndorsementKey::Vcek => SnpEndorsementKey::Vcek,
                EndorsementKey::Vlek => SnpEndorsementKey::Vlek,
            },
            guest_svn: report.guest_svn,
            policy: report.policy,
            family_id: report.family_id.to_vec(),
            image_id: report.image_id.to_vec(),
            vmpl: report.vmpl,
            platform_info: report.platform_info,
            report_data: report.report_data.to_vec(),
            measurement: report.measurement.to_vec(),
            host_data: report.host_data.to_vec(),
            id_key_digest: report.id_key_digest.to_vec(),
            author_key_digest: report.author_key_digest.to_vec(),
            report_id: report.report_id.to_vec(),
            chip_id: report.chip_id.to_vec(),
            reported_tcb: tcb(report.reported_tcb),
            committed_tcb: tcb(report.committed_tcb),
            current_tcb: tcb(report.current_tcb),
            launch_tcb: tcb(report.launch_tcb),
        })
    }
}

impl VerifierCall {
    fn dcap_report(&mut self, report: quote::DcapReport) -> Result<DcapReport> {
        let meter = self.meter();
        Ok(DcapReport {
            statement: meter.push(report.statement)?,
            endorser: meter.push(report.endorser)?,
            version: report.version,
            body: match report.body {
                Body::Sgx(body) => DcapBody::Sgx(body.into()),
                Body::Tdx(body) => DcapBody::Tdx(body.into()),
            },
            tcb_status: report.status.name().to_owned(),
            tcb_date: report.tcb_date.0,
            advisory_ids: report.advisories,
            fmspc: report.fmspc.to_vec(),
        })
    }
}

impl From<dcap::EnclaveReport> for EnclaveReport {
    fn from(report: dcap::EnclaveReport) -> Self {
        Self {
            cpusvn: report.cpu_svn.to_vec(),
            miscselect: report.misc_select.to_vec(),
            attributes: report.attributes.to_vec(),
            mrenclave: report.mr_enclave.to_vec(),
            mrsigner: report.mr_signer.to_vec(),
            config_id: report.config_id.to_vec(),
            isv_prod_id: report.isv_prod_id,
            isv_svn: report.isv_svn,
            config_svn: report.config_svn,
            report_data: report.report_data.to_vec(),
        }
    }
}

impl From<dcap::TdReport> for TdReport {
    fn from(report: dcap::TdReport) -> Self {
        let [rtmr0, rtmr1, rtmr2, rtmr3] = report.rtmr.map(|register| register.to_vec());
        Self {
            tee_tcb_svn: report.tee_tcb_svn.to_vec(),
            mrseam: report.mr_seam.to_vec(),
            mrsignerseam: report.mr_signer_seam.to_vec(),
            seam_attributes: report.seam_attributes.to_vec(),
            td_attributes: report.td_attributes.to_vec(),
            xfam: report.xfam.to_vec(),
            mrtd: report.mr_td.to_vec(),
            mrconfigid: report.mr_config_id.to_vec(),
            mrowner: report.mr_owner.to_vec(),
            mrownerconfig: report.mr_owner_config.to_vec(),
            rtmr0,
            rtmr1,
            rtmr2,
            rtmr3,
            report_data: report.report_data.to_vec(),
            tee_tcb_svn2: report.later.map(|later| later.tee_tcb_svn2.to_vec()),
            mrservicetd: report.later.map(|later| later.mr_service_td.to_vec()),
        }
    }
}

fn tcb(tcb: Tcb) -> SnpTcb {
    SnpTcb {
        fmc: tcb.fmc,
        bootloader: tcb.bootloader,
        tee: tcb.tee,
        snp: tcb.snp,
        microcode: tcb.microcode,
    }
}
