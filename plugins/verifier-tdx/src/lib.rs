//! Reads Intel TDX quotes. The host checks signatures, chain, quoting enclave, TDX module and TCB natively;
//! what is left here is how the quote is packed, what its attributes say about the TD, and the event log.

mod evidence;
mod init_data;
mod log;

use claviger_plugin_sdk::places::dcap::{td, within};
use claviger_plugin_sdk::verifier::custody::Digest;
use claviger_plugin_sdk::verifier::quotes::{self, DcapBody};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

use evidence::{Evidence, JSON, QUOTE};
use log::Log;

claviger_plugin_sdk::manifest! {
    name: "verifier-tdx",
    kind: "verifier",
    imports: ["custody", "log", "quotes"],
    anchors: ["intel"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(Tdx);

/// Bits of TDATTRIBUTES (Intel TDX module specification, table "TD Attributes").
const SEPT_VE_DISABLE: u64 = 1 << 28;
const MIGRATABLE: u64 = 1 << 29;
/// TUD: any of these, and the TD is under debug.
const UNDER_DEBUG: u64 = 0xff;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct Tdx;

impl Verifier for Tdx {
    fn describe() -> Description {
        Description { tee: "tdx".into(), evidence_types: vec![QUOTE.into(), JSON.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let Evidence { quote, log, collateral } = evidence::read(request)?;
        let report = quotes::dcap(&quote, &collateral)?;
        let DcapBody::Tdx(domain) = &report.body else {
            return Err(Rejection::Unsupported("a quote that is not of TDX".into()));
        };
        let body = report.body_at;
        let Log { mut statements, mut claims } = match log {
            Some(log) => log::replay(&report.statement, body, &log)?,
            None => Log::default(),
        };
        if let Some(init_data) = init_data::of(&report.statement, body, &collateral)? {
            // Behind the quote's own and the log's.
            let statement = u32::try_from(statements.len() + 1).unwrap_or(u32::MAX);
            claims.extend(init_data.claims(statement));
            statements.push(init_data.statement);
        }
        let bindings = vec![Binding {
            statement: 0,
            at: within(body, td::REPORTDATA),
            carries: Carries::ChallengeDigest(Digest::Sha512),
        }];
        let trustworthiness = judge(domain.td_attributes, &report.tcb_status);
        let statements = std::iter::once(report.statement).chain(statements).collect();
        Ok(Verdict { trustworthiness, statements, bindings, claims })
    }
}

fn judge(attributes: u64, tcb_status: &str) -> Trustworthiness {
    Trustworthiness {
        instance_identity: Some(AFFIRMING),
        configuration: Some(configuration(attributes)),
        hardware: Some(hardware(tcb_status)),
        // A TD's memory is encrypted, always.
        runtime_opaque: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

fn configuration(attributes: u64) -> i8 {
    if attributes & UNDER_DEBUG != 0 {
        // The hypervisor may read and write the TD's memory and registers.
        CONTRAINDICATED
    } else if attributes & MIGRATABLE != 0 || attributes & SEPT_VE_DISABLE == 0 {
        // Another TD may hold this one's keys; or the hypervisor may inject exceptions by taking pages away.
        UNSAFE
    } else {
        AFFIRMING
    }
}

/// Genuine: the host traced the quote to Intel's root. Firmware that is out of date is a reason to doubt it;
/// what has to be configured or hardened otherwise is for the policy.
fn hardware(tcb_status: &str) -> i8 {
    match tcb_status {
        "UpToDate"
        | "SWHardeningNeeded"
        | "ConfigurationNeeded"
        | "ConfigurationAndSWHardeningNeeded" => AFFIRMING,
        _ => UNSAFE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 17
    #[test]
    fn a_domain_that_may_be_debugged_is_contraindicated() {
        assert_eq!(configuration(SEPT_VE_DISABLE), AFFIRMING);
        for bit in 0..8 {
            assert_eq!(configuration(SEPT_VE_DISABLE | 1 << bit), CONTRAINDICATED, "{bit}");
        }
        assert_eq!(configuration(SEPT_VE_DISABLE | MIGRATABLE), UNSAFE);
        assert_eq!(configuration(0), UNSAFE);
    }

    #[test]
    fn firmware_that_is_out_of_date_is_not_affirmed() {
        for status in ["UpToDate", "SWHardeningNeeded", "ConfigurationNeeded"] {
            assert_eq!(hardware(status), AFFIRMING, "{status}");
        }
        for status in ["OutOfDate", "OutOfDateConfigurationNeeded", "TDRelaunchAdvised", "", "new"]
        {
            assert_eq!(hardware(status), UNSAFE, "{status}");
        }
    }
}
