//! Reads vTPM evidence of Azure confidential VMs on Intel TDX. The host checks the TD's quote natively and
//! follows the vTPM's key from its REPORTDATA; what is left here is how all of it is packed.

use claviger_azure_vtpm::{Hardware, JSON, Platform, Vtpm, verify};
use claviger_plugin_sdk::places::dcap::{td::REPORTDATA, within};
use claviger_plugin_sdk::verifier::quotes::{self, DcapBody};
use claviger_plugin_sdk::verifier::{
    Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

claviger_plugin_sdk::manifest! {
    name: "verifier-az-tdx",
    kind: "verifier",
    imports: ["custody", "log", "quotes"],
    anchors: ["intel"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(AzureTdx);

/// The attester's kind.
const TEE: &str = "az-tdx";

/// Bits of TDATTRIBUTES (Intel TDX module specification, table "TD Attributes"): those of TUD put the TD
/// under debug; a migratable one may have shared its keys.
const UNDER_DEBUG: u64 = 0xff;
const MIGRATABLE: u64 = 1 << 29;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct AzureTdx;

impl Verifier for AzureTdx {
    fn describe() -> Description {
        Description { tee: TEE.into(), evidence_types: vec![JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let mut trustworthiness = NO_CLAIM;
        // The HCL report has a TDREPORT, which only its own processor can check. The quote made of it
        // says the same, or the runtime data are not in it.
        let checked = verify(TEE, Platform::Tdx, request, |hcl, evidence| {
            let quote = evidence.td_quote.as_deref();
            let quote = quote.ok_or_else(|| Rejection::Malformed("no usable td_quote".into()))?;
            hcl.could_be_in(report_data(quote))?;
            let report = quotes::dcap(quote, &evidence.attachments)?;
            let DcapBody::Tdx(domain) = &report.body else {
                return Err(Rejection::Unsupported("a quote that is not of TDX".into()));
            };
            trustworthiness = judge(domain.td_attributes, &report.tcb_status);
            let at = within(report.body_at, REPORTDATA);
            Ok(Hardware { statement: report.statement, report_data: at.start })
        })?;
        let Vtpm { statements, bindings, claims } = checked;
        Ok(Verdict { statements, bindings, claims, trustworthiness })
    }
}

/// REPORTDATA of a quote by its version, unchecked.
fn report_data(quote: &[u8]) -> &[u8] {
    let version = quote.first_chunk().copied().map_or(0, u16::from_le_bytes);
    // Behind the header and, from version 5, the body descriptor.
    let body = if version >= 5 { 54 } else { 48 };
    let start = within(body, REPORTDATA).start as usize;
    quote.get(start..start + 64).unwrap_or_default()
}

fn judge(attributes: u64, tcb_status: &str) -> Trustworthiness {
    // SEPT_VE_DISABLE is the paravisor's to set, who handles such exceptions; policies may want it.
    let configuration = if attributes & UNDER_DEBUG != 0 {
        CONTRAINDICATED
    } else if attributes & MIGRATABLE != 0 {
        UNSAFE
    } else {
        AFFIRMING
    };
    let hardware = match tcb_status {
        "UpToDate"
        | "SWHardeningNeeded"
        | "ConfigurationNeeded"
        | "ConfigurationAndSWHardeningNeeded" => AFFIRMING,
        _ => UNSAFE,
    };
    Trustworthiness {
        // The vTPM's key is of this one VM.
        instance_identity: Some(AFFIRMING),
        configuration: Some(configuration),
        hardware: Some(hardware),
        // A TD's memory is encrypted, always.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 17
    #[test]
    fn a_domain_that_may_be_debugged_is_contraindicated() {
        for bit in 0..8 {
            assert_eq!(judge(1 << bit, "UpToDate").configuration, Some(CONTRAINDICATED), "{bit}");
        }
        assert_eq!(judge(MIGRATABLE, "UpToDate").configuration, Some(UNSAFE));
        assert_eq!(judge(0, "UpToDate").configuration, Some(AFFIRMING));
    }

    #[test]
    fn firmware_that_is_out_of_date_is_not_affirmed() {
        assert_eq!(judge(0, "UpToDate").hardware, Some(AFFIRMING));
        for status in ["OutOfDate", "", "new"] {
            assert_eq!(judge(0, status).hardware, Some(UNSAFE), "{status}");
        }
    }
}
