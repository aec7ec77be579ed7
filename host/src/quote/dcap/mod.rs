//! Intel's data center attestation primitives (DCAP): a whole quote of SGX or TDX checked in one call.
//!
//! ```text
//! Intel's root ─┬─ PCK CA ─ PCK ─ QE report ─ attestation key ─ quote
//!               └─ TCB signer ─┬─ TCB info:    is the platform, and the TDX module, up to date?
//!                              └─ QE identity: is the quoting enclave Intel's, and up to date?
//! ```
//! A platform that is out of date gives genuine evidence, with that as a fact. One that meets no TCB level
//! is refused ([`Fault::Outdated`]), one whose level is revoked as well ([`Fault::Revoked`]).

pub(crate) mod brought;
pub(crate) mod endorsement;
pub(crate) mod facts;
pub(crate) mod frame;
pub(crate) mod layout;
pub(crate) mod pck;
pub(crate) mod qe;
pub mod report;
pub(crate) mod signed_json;
pub mod status;
pub(crate) mod tcb;
pub(crate) mod wanted;

use std::sync::Arc;

use super::algorithm::KeyEncoding;
use super::authority::Authority;
use super::fault::Fault;
use super::key::{PublicKey, Scheme};
use super::signer::Signer;
use super::statement::{Format, Parts, Statement};
use super::trail::{Deed, Trail};
use super::want::Want;
use crate::clock::Timestamp;

pub use report::{Body, EnclaveReport, Later, TdReport};
pub use status::TcbStatus;

use endorsement::Endorsement;
use frame::{Frame, Kind};
use signed_json::Dated;
use tcb::Standing;

/// A quote that was checked, with its fields. Every byte of every field of the body was signed.
#[derive(Clone, Debug)]
pub struct DcapReport {
    /// The signed part: header, body descriptor (version 5) and body.
    pub statement: Statement,
    /// The platform's PCK, which vouches for the quoting enclave.
    pub endorser: Signer,
    /// The quote's version, 3 to 5.
    pub version: u16,
    /// What it is about.
    pub body: Body,
    /// Platform, quoting enclave and TDX module together.
    pub status: TcbStatus,
    /// Intel's advisories for that.
    pub advisories: Vec<String>,
    /// When Intel published the oldest of the levels that matched.
    pub tcb_date: Timestamp,
    /// The kind of platform.
    pub fmspc: [u8; 6],
}

/// What was found about a quote, beside its bytes.
pub(crate) struct Appraised {
    pub(crate) version: u16,
    pub(crate) kind: Kind,
    pub(crate) body: Body,
    pub(crate) endorsement: Arc<Endorsement>,
    pub(crate) standing: Standing,
    pub(crate) status: TcbStatus,
    /// None where the operator does without the quoting enclave's identity.
    pub(crate) qe_status: Option<TcbStatus>,
    pub(crate) qe_svn: u16,
    /// Of the TDX module that runs now, where the report tells.
    pub(crate) running: Option<TcbStatus>,
    /// The lower of the evaluation numbers of TCB info and QE identity.
    pub(crate) evaluation: u32,
}

/// Checks a quote. See [`super::Examination::dcap`]. `reached`: where it fails, the links that held;
/// `wants`: and what it would have needed.
pub(super) fn check(
    authority: &Authority,
    at: Timestamp,
    mut quote: Vec<u8>,
    attachments: &[Vec<u8>],
    reached: &mut Option<Trail>,
    wants: &mut Vec<Want>,
) -> Result<DcapReport, Fault> {
    let frame = Frame::read(&quote)?;
    let endorsed = endorse(authority, at, &frame, attachments);
    // Malformed: something that came along beside what is missing.
    if let Err(Fault::Unavailable(_) | Fault::Expired(_) | Fault::Malformed(_)) = &endorsed {
        *wants = wanted::wanted(authority, &frame);
    }
    let endorsement = endorsed?;
    let trail = endorsement.signer.parts().trail.clone();
    *reached = Some(trail.clone());
    let qe_report = EnclaveReport::read(frame.qe_report);
    let pck = &endorsement.signer.parts().key;
    pck.verify(Scheme::EcdsaFixed, frame.qe_report, frame.qe_signature)?;
    qe::check_vouches(&frame, &qe_report)?;
    let key = PublicKey::decode(frame.key, KeyEncoding::RawXy)?;
    key.verify(Scheme::EcdsaFixed, frame.signed, frame.signature)?;
    let appraised = Arc::new(appraise(&frame, endorsement, &qe_report)?);
    let endorsement = &appraised.endorsement;
    let signed = frame.signed.len();
    // From here on only what was signed.
    quote.truncate(signed);
    let statement = Statement::new(Parts {
        bytes: quote,
        expires: endorsement.until,
        simulated: endorsement.signer.simulated(),
        trail: trail.then(Deed::Dcap { appraised: Arc::clone(&appraised), length: signed }),
        bindable: true,
        format: Format::Dcap(Some(Arc::clone(&appraised))),
    });
    *reached = None;
    Ok(DcapReport {
        statement,
        endorser: endorsement.signer.clone(),
        version: appraised.version,
        body: appraised.body,
        status: appraised.status,
        advisories: appraised.standing.advisories.clone(),
        tcb_date: appraised.standing.date,
        fmspc: endorsement.pck.fmspc,
    })
}

/// Chain and collateral, from the cache where they were checked before and the answer would be the same.
fn endorse(
    authority: &Authority,
    at: Timestamp,
    frame: &Frame<'_>,
    attachments: &[Vec<u8>],
) -> Result<Arc<Endorsement>, Fault> {
    let edition = authority.lists.load();
    let key = endorsement::key(frame, attachments);
    if let Some(known) = authority.platforms.get(&key).filter(|one| one.serves(at, &edition)) {
        return Ok(known);
    }
    let found = Arc::new(Endorsement::of(authority, frame, attachments, &edition, at)?);
    authority.platforms.insert(key, Arc::clone(&found));
    Ok(found)
}

/// What Intel says of platform, quoting enclave and TDX module.
fn appraise(
    frame: &Frame<'_>,
    endorsement: Arc<Endorsement>,
    qe_report: &EnclaveReport,
) -> Result<Appraised, Fault> {
    let (tcb, pck) = (&endorsement.tcb.says, &endorsement.pck);
    let (body, mut standing, running) = match frame.kind {
        Kind::Sgx => {
            let report = EnclaveReport::parse(frame.body())?;
            (Body::Sgx(report), tcb.judge_sgx(pck)?, None)
        }
        Kind::Td10 | Kind::Td15 => {
            let report = TdReport::parse(frame.body())?;
            let running = tcb.judge_running(pck, &report)?;
            (Body::Tdx(report), tcb.judge_tdx(pck, &report)?, running)
        }
    };
    let qe = endorsement.qe.as_ref().map(|identity| identity.says.judge(qe_report)).transpose()?;
    let mut evaluation = tcb.evaluation();
    let mut status = standing.status;
    let mut running = running.map(|running| running.status);
    if let (Some(level), Some(identity)) = (qe, &endorsement.qe) {
        evaluation = evaluation.min(identity.says.evaluation());
        status = status.with(level.tcb_status);
        running = running.map(|running| running.with(level.tcb_status));
        standing.date = standing.date.min(level.tcb_date.0);
        standing.add(&level.advisories);
    }
    if let Some(running) = running {
        status = status.running(running);
    }
    if status == TcbStatus::Revoked {
        return Err(Fault::Revoked(
            "the platform's TCB level, its QE or its TDX module".to_owned(),
        ));
    }
    let qe_status = qe.map(|level| level.tcb_status);
    let (version, kind, qe_svn) = (frame.version, frame.kind, qe_report.isv_svn);
    Ok(Appraised {
        version,
        kind,
        body,
        standing,
        status,
        qe_status,
        qe_svn,
        running,
        evaluation,
        endorsement,
    })
}

impl Appraised {
    /// For a person.
    pub(crate) fn describe(&self, length: usize) -> String {
        let Self { endorsement, standing, .. } = self;
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        format!(
            "{} quote version {} of platform FMSPC {} PPID {}: ECDSA P-256 with SHA-256 over {length} bytes \
             by a key that the quoting enclave names (SVN {}, {}); TCB {} of {}, evaluation {}, until {}",
            self.kind.tee().to_uppercase(),
            self.version,
            hex(&endorsement.pck.fmspc),
            hex(&endorsement.pck.ppid),
            self.qe_svn,
            self.qe_status.map_or("its identity WAIVED by the operator", TcbStatus::name),
            self.status.name(),
            standing.date,
            self.evaluation,
            endorsement.until,
        )
    }
}
