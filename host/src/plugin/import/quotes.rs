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
            vmpl: report.vmpl,
            platform_info: report.platform_info,
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
            body_at: u32::try_from(dcap::layout::body(report.version)).unwrap_or(u32::MAX),
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
        let [attributes, xfrm] = halves(report.attributes);
        Self {
            miscselect: u32::from_le_bytes(report.misc_select),
            attributes,
            xfrm,
            isv_prod_id: report.isv_prod_id,
            isv_svn: report.isv_svn,
            config_svn: report.config_svn,
        }
    }
}

impl From<dcap::TdReport> for TdReport {
    fn from(report: dcap::TdReport) -> Self {
        Self {
            seam_attributes: u64::from_le_bytes(report.seam_attributes),
            td_attributes: u64::from_le_bytes(report.td_attributes),
            xfam: u64::from_le_bytes(report.xfam),
        }
    }
}

fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(bytes);
    [both as u64, (both >> 64) as u64]
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
