//! `quotes`: whole quote formats checked natively in one call, with their parsed fields.

use wasmtime::Result;

use crate::plugin::bindings::claviger::plugin::custody::Fault;
use crate::plugin::bindings::claviger::plugin::quotes::{
    Host, SnpEndorsementKey, SnpReport, SnpTcb,
};
use crate::plugin::limits::Metered;
use crate::plugin::verifier::VerifierCall;
use crate::quote;
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

fn tcb(tcb: Tcb) -> SnpTcb {
    SnpTcb {
        fmc: tcb.fmc,
        bootloader: tcb.bootloader,
        tee: tcb.tee,
        snp: tcb.snp,
        microcode: tcb.microcode,
    }
}
