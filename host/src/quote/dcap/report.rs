//! The two bodies of a quote: an enclave's report and a trust domain's, field by field.
//!
//! Sources: Intel SDM volume 3D, table "Layout of the REPORT Structure" (enclave report body); Intel TDX
//! DCAP Quoting Library API, tables "TD Quote Body" for TDX 1.0 and 1.5.

use super::super::fault::Fault;
use super::layout::{ENCLAVE_REPORT, TD_REPORT_10, TD_REPORT_15};

/// An enclave report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EnclaveReport {
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: [u8; 4],
    /// ISVEXTPRODID: zeros without KSS.
    pub isv_ext_prod_id: [u8; 16],
    /// ATTRIBUTES: flags, then XFRM.
    pub attributes: [u8; 16],
    /// MRENCLAVE.
    pub mr_enclave: [u8; 32],
    /// MRSIGNER.
    pub mr_signer: [u8; 32],
    /// CONFIGID.
    pub config_id: [u8; 64],
    /// ISVPRODID.
    pub isv_prod_id: u16,
    /// ISVSVN.
    pub isv_svn: u16,
    /// CONFIGSVN.
    pub config_svn: u16,
    /// ISVFAMILYID: zeros without KSS.
    pub isv_family_id: [u8; 16],
    /// REPORTDATA: what the enclave asked to have signed.
    pub report_data: [u8; 64],
}

/// ATTRIBUTES.DEBUG.
const DEBUG: u8 = 1 << 1;

impl EnclaveReport {
    pub(crate) fn read(bytes: &[u8; ENCLAVE_REPORT]) -> Self {
        Self {
            cpu_svn: at(bytes, 0),
            misc_select: at(bytes, 16),
            isv_ext_prod_id: at(bytes, 32),
            attributes: at(bytes, 48),
            mr_enclave: at(bytes, 64),
            mr_signer: at(bytes, 128),
            config_id: at(bytes, 192),
            isv_prod_id: u16::from_le_bytes(at(bytes, 256)),
            isv_svn: u16::from_le_bytes(at(bytes, 258)),
            config_svn: u16::from_le_bytes(at(bytes, 260)),
            isv_family_id: at(bytes, 304),
            report_data: at(bytes, 320),
        }
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let body = body.first_chunk().filter(|_| body.len() == ENCLAVE_REPORT);
        body.map(Self::read).ok_or_else(|| Fault::malformed("an enclave report of this length"))
    }

    /// Whether it may be debugged.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.attributes.first().is_some_and(|flags| flags & DEBUG != 0)
    }
}

/// A TD report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TdReport {
    /// TEE_TCB_SVN: of the TDX module and what it rests on, when the TD was launched.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM: the TDX module's measurement.
    pub mr_seam: [u8; 48],
    /// MRSIGNERSEAM: zeros for Intel's module.
    pub mr_signer_seam: [u8; 48],
    /// SEAMATTRIBUTES.
    pub seam_attributes: [u8; 8],
    /// TDATTRIBUTES.
    pub td_attributes: [u8; 8],
    /// XFAM.
    pub xfam: [u8; 8],
    /// MRTD: the measurement of what the TD began with.
    pub mr_td: [u8; 48],
    /// MRCONFIGID: chosen by who launched the TD.
    pub mr_config_id: [u8; 48],
    /// MROWNER: chosen by who launched the TD.
    pub mr_owner: [u8; 48],
    /// MROWNERCONFIG: chosen by who launched the TD.
    pub mr_owner_config: [u8; 48],
    /// RTMR0 to RTMR3: extended by the TD as it runs.
    pub rtmr: [[u8; 48]; 4],
    /// REPORTDATA: what the TD asked to have signed.
    pub report_data: [u8; 64],
    /// TDX 1.5.
    pub later: Option<Later>,
}

/// What a TD report of TDX 1.5 has beside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Later {
    /// TEE_TCB_SVN2: of the TDX module that runs now.
    pub tee_tcb_svn2: [u8; 16],
    /// MRSERVICETD.
    pub mr_service_td: [u8; 48],
}

impl TdReport {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let later = match body.len() {
            TD_REPORT_10 => None,
            TD_REPORT_15 => {
                Some(Later { tee_tcb_svn2: at(body, 584), mr_service_td: at(body, 600) })
            }
            _ => return Err(Fault::malformed("a TD report of this length")),
        };
        Ok(Self {
            tee_tcb_svn: at(body, 0),
            mr_seam: at(body, 16),
            mr_signer_seam: at(body, 64),
            seam_attributes: at(body, 112),
            td_attributes: at(body, 120),
            xfam: at(body, 128),
            mr_td: at(body, 136),
            mr_config_id: at(body, 184),
            mr_owner: at(body, 232),
            mr_owner_config: at(body, 280),
            rtmr: [at(body, 328), at(body, 376), at(body, 424), at(body, 472)],
            report_data: at(body, 520),
            later,
        })
    }

    /// Whether it may be debugged: TUD, the lowest byte of TDATTRIBUTES.
    #[must_use]
    pub fn debug(&self) -> bool {
        self.td_attributes.first().is_some_and(|under_debug| *under_debug != 0)
    }
}

/// What a quote is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each quote, and none is kept in a list"
)]
pub enum Body {
    /// An enclave.
    Sgx(EnclaveReport),
    /// A trust domain.
    Tdx(TdReport),
}

/// The field of `N` bytes at `offset`; every caller has checked the length.
fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(bytes.iter().skip(offset)) {
        *to = *from;
    }
    field
}
