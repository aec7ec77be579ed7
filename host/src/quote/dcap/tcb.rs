//! TCB info: which TCB level a platform is at, and what Intel says of it.
//!
//! Source: Intel PCS API v4, "Get TCB Info", version 3 ("Appendix A" for its use: a level matches where
//! every component of the platform is at least the level's).

use serde::Deserialize;

use super::super::fault::Fault;
use super::pck::Pck;
use super::report::TdReport;
use super::signed_json::{Dated, Hex, Moment};
use super::status::TcbStatus;

/// TCB info of one kind of platform.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcbInfo {
    id: String,
    version: u32,
    issue_date: Moment,
    next_update: Moment,
    pub(crate) fmspc: Hex<6>,
    pce_id: Hex<2>,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    tdx_module: Option<Module>,
    #[serde(default)]
    tdx_module_identities: Vec<Identity>,
    tcb_levels: Vec<Level>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Level {
    tcb: Tcb,
    tcb_date: Moment,
    tcb_status: TcbStatus,
    #[serde(rename = "advisoryIDs", default)]
    advisories: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Tcb {
    #[serde(rename = "sgxtcbcomponents")]
    sgx: [Component; 16],
    #[serde(rename = "tdxtcbcomponents")]
    tdx: Option<[Component; 16]>,
    #[serde(rename = "pcesvn")]
    pce_svn: u16,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Component {
    svn: u8,
}

/// What a TDX module's signer and attributes must be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    mrsigner: Hex<48>,
    attributes: Hex<8>,
    attributes_mask: Hex<8>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    id: String,
    #[serde(flatten)]
    module: Module,
    tcb_levels: Vec<ModuleLevel>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ModuleLevel {
    tcb: ModuleTcb,
    tcb_date: Moment,
    tcb_status: TcbStatus,
    #[serde(rename = "advisoryIDs", default)]
    advisories: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ModuleTcb {
    isvsvn: u8,
}

/// What TCB info says of one platform.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Standing {
    /// Platform and TDX module together.
    pub(crate) status: TcbStatus,
    /// The platform's alone.
    pub(crate) platform: TcbStatus,
    /// The TDX module's, where it is judged by itself.
    pub(crate) module: Option<TcbStatus>,
    /// The oldest of the levels that matched.
    pub(crate) date: crate::clock::Timestamp,
    pub(crate) advisories: Vec<String>,
}

impl Dated for TcbInfo {
    fn window(&self) -> (Moment, Moment) {
        (self.issue_date, self.next_update)
    }

    fn evaluation(&self) -> u32 {
        self.tcb_evaluation_data_number
    }
}

impl TcbInfo {
    /// Whether it speaks of this platform, for this kind of TEE.
    pub(crate) fn is_for(&self, tee: &str, pck: &Pck) -> bool {
        self.is_of(tee) && self.fmspc.0 == pck.fmspc && self.pce_id.0 == pck.pce_id
    }

    /// Whether it speaks of this kind of TEE.
    pub(crate) fn is_of(&self, tee: &str) -> bool {
        self.id.eq_ignore_ascii_case(tee)
    }

    /// Refuses versions that are not read here. Orders the levels as Intel's library does, the highest
    /// first, whatever order they came in.
    pub(crate) fn prepared(mut self) -> Result<Self, Fault> {
        if self.version != 3 || self.tcb_type != 0 {
            return Err(Fault::Unsupported(format!(
                "TCB info of version {} and type {}",
                self.version, self.tcb_type
            )));
        }
        self.tcb_levels.sort_by(|one, other| {
            let key = |level: &Level| (level.tcb.sgx, level.tcb.pce_svn, level.tcb.tdx);
            key(other).cmp(&key(one))
        });
        for identity in &mut self.tdx_module_identities {
            identity.tcb_levels.sort_by_key(|level| std::cmp::Reverse(level.tcb.isvsvn));
        }
        Ok(self)
    }

    /// Judges a platform on which an enclave runs.
    pub(crate) fn judge_sgx(&self, pck: &Pck) -> Result<Standing, Fault> {
        self.level(pck, None).map(Standing::of)
    }

    /// Judges a platform on which a TD runs, with its TDX module: the one that the TD was launched on
    /// and, where the report tells, the one that runs now.
    pub(crate) fn judge_tdx(&self, pck: &Pck, report: &TdReport) -> Result<Standing, Fault> {
        self.check_module(report)?;
        self.with_module(pck, &report.tee_tcb_svn)
    }

    /// What runs now, where the report tells; see [`TcbStatus::running`].
    pub(crate) fn judge_running(
        &self,
        pck: &Pck,
        report: &TdReport,
    ) -> Result<Option<Standing>, Fault> {
        let later = report.later.map(|later| self.with_module(pck, &later.tee_tcb_svn2));
        later.transpose()
    }

    fn with_module(&self, pck: &Pck, svn: &[u8; 16]) -> Result<Standing, Fault> {
        let mut standing = Standing::of(self.level(pck, Some(svn))?);
        let [isv_svn, ..] = *svn;
        if let Some(identity) = self.identity(svn)? {
            let level = identity.tcb_levels.iter().find(|level| isv_svn >= level.tcb.isvsvn);
            let level = level.ok_or_else(|| {
                Fault::Outdated(format!("a TDX module {} of ISVSVN {isv_svn}", identity.id))
            })?;
            standing.module = Some(level.tcb_status);
            standing.status = standing.status.with(level.tcb_status);
            standing.date = standing.date.min(level.tcb_date.0);
            standing.add(&level.advisories);
        }
        Ok(standing)
    }

    /// The identity of the TDX module of that version (the second byte of TEE_TCB_SVN); none for
    /// version 0.
    fn identity(&self, svn: &[u8; 16]) -> Result<Option<&Identity>, Fault> {
        let [_, version, ..] = *svn;
        if version == 0 {
            return Ok(None);
        }
        let name = format!("TDX_{version:02X}");
        let found =
            self.tdx_module_identities.iter().find(|one| one.id.eq_ignore_ascii_case(&name));
        found.map(Some).ok_or_else(|| {
            Fault::Outdated(format!("TCB info knows no TDX module of version {version}"))
        })
    }

    /// Who signed the TDX module, and with what attributes it runs.
    fn check_module(&self, report: &TdReport) -> Result<(), Fault> {
        let identity = self.identity(&report.tee_tcb_svn)?.map(|identity| &identity.module);
        let module = identity
            .or(self.tdx_module.as_ref())
            .ok_or_else(|| Fault::malformed("TCB info for TDX without a TDX module"))?;
        let signed = module.mrsigner.0 == report.mr_signer_seam;
        if !signed || !module.attributes.covers(&module.attributes_mask, &report.seam_attributes) {
            return Err(Fault::untrusted("the TDX module is not the one that TCB info describes"));
        }
        Ok(())
    }

    /// The highest level that the platform meets in every component.
    fn level(&self, pck: &Pck, tdx: Option<&[u8; 16]>) -> Result<&Level, Fault> {
        let meets = |has: &[u8], needs: &[Component]| {
            has.iter().zip(needs).all(|(has, needs)| *has >= needs.svn)
        };
        let matches = |level: &&Level| {
            let sgx = meets(&pck.components, &level.tcb.sgx) && pck.pce_svn >= level.tcb.pce_svn;
            sgx && tdx.is_none_or(|svn| {
                // A module with an identity is judged by that: its own two bytes are left out here.
                let skip = if matches!(svn, [_, version, ..] if *version > 0) { 2 } else { 0 };
                level.tcb.tdx.as_ref().is_some_and(|needs| {
                    let behind = (svn.get(skip..), needs.get(skip..));
                    matches!(behind, (Some(svn), Some(needs)) if meets(svn, needs))
                })
            })
        };
        self.tcb_levels.iter().find(matches).ok_or_else(|| {
            Fault::Outdated(format!(
                "the platform (FMSPC {}) meets no TCB level: components {}, PCESVN {}{}",
                data_encoding::HEXLOWER.encode(&pck.fmspc),
                data_encoding::HEXLOWER.encode(&pck.components),
                pck.pce_svn,
                tdx.map(|svn| format!(", TEE_TCB_SVN {}", data_encoding::HEXLOWER.encode(svn)))
                    .unwrap_or_default()
            ))
        })
    }
}

impl Standing {
    fn of(level: &Level) -> Self {
        Self {
            status: level.tcb_status,
            platform: level.tcb_status,
            module: None,
            date: level.tcb_date.0,
            advisories: level.advisories.clone(),
        }
    }

    /// Advisories that are not there yet.
    pub(crate) fn add(&mut self, advisories: &[String]) {
        for advisory in advisories {
            if !self.advisories.contains(advisory) {
                self.advisories.push(advisory.clone());
            }
        }
    }
}
