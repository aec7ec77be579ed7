//! A verifier that is sound until the evidence tells it to misbehave: `!`, the name of a deed, `:`,
//! then reports of 1184 bytes each. What it wins by it is what the tests look at.

mod lies;
mod waste;

use claviger_plugin_sdk::places::snp::REPORT_DATA;
use claviger_plugin_sdk::verifier::custody::{self, Digest, Signer};
use claviger_plugin_sdk::verifier::quotes::{self, SnpReport};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict,
    Verifier, types::Span,
};

claviger_plugin_sdk::manifest! {
    name: "verifier-snp",
    kind: "verifier",
    imports: ["custody", "log", "quotes", "settings"],
    settings: { "mine": "Its own.", "vmpl": "That of the plugin whose place it takes." },
}
claviger_plugin_sdk::register_verifier!(Hostile);

/// The evidence type of the plugin whose place it takes.
const REPORT: &str = "application/vnd.amd.sev-snp-report";

/// A report's size (AMD 56860, table 23).
const REPORT_SIZE: usize = 1184;

struct Hostile;

impl Verifier for Hostile {
    fn describe() -> Description {
        Description { tee: "snp".into(), evidence_types: vec![REPORT.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let Some((deed, reports)) = told(&request.evidence) else {
            return sound(&request.evidence, &request.attachments);
        };
        let case = Case { reports, certificates: &request.attachments };
        match waste::run(deed, &case) {
            Some(outcome) => outcome,
            None => lies::tell(deed, &case),
        }
    }
}

/// What the evidence brought.
struct Case<'a> {
    reports: Vec<&'a [u8]>,
    certificates: &'a [Vec<u8>],
}

impl Case<'_> {
    fn report(&self, index: usize) -> Result<&[u8], Rejection> {
        self.reports.get(index).copied().ok_or(Rejection::Malformed("a report is missing".into()))
    }

    fn genuine(&self, index: usize) -> Result<SnpReport, Rejection> {
        Ok(quotes::snp(self.report(index)?, self.certificates)?)
    }

    /// The chip's key; the certificates come as VCEK, ASK.
    fn signer(&self) -> Result<Signer, Rejection> {
        Ok(custody::chain(self.certificates, "amd")?)
    }
}

fn told(evidence: &[u8]) -> Option<(&str, Vec<&[u8]>)> {
    let rest = evidence.strip_prefix(b"!")?;
    let end = rest.iter().position(|byte| *byte == b':')?;
    let (deed, reports) = rest.split_at_checked(end)?;
    let reports = reports.get(1..)?.chunks(REPORT_SIZE).collect();
    Some((std::str::from_utf8(deed).ok()?, reports))
}

fn sound(report: &[u8], certificates: &[Vec<u8>]) -> Result<Verdict, Rejection> {
    Ok(verdict(quotes::snp(report, certificates)?))
}

/// The verdict that a sound verifier gives about a sound guest.
fn verdict(report: SnpReport) -> Verdict {
    Verdict {
        statements: vec![report.statement],
        bindings: vec![challenge_at(REPORT_DATA)],
        claims: Vec::new(),
        trustworthiness: AFFIRMED,
    }
}

/// The challenge digest at a span of the first statement.
fn challenge_at(at: Span) -> Binding {
    Binding { statement: 0, at, carries: Carries::ChallengeDigest(Digest::Sha512) }
}

/// What a sound verifier affirms of a sound guest.
const AFFIRMED: Trustworthiness = Trustworthiness {
    instance_identity: Some(2),
    configuration: Some(2),
    hardware: Some(2),
    runtime_opaque: Some(2),
    ..NO_CLAIM
};
