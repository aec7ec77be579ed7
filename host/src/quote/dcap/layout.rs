//! Where the fields of a quote's signed part stand.
//!
//! Sources: Intel SGX DCAP Quote Generation Library Reference, appendix A.1 (version 3); Intel TDX DCAP
//! Quoting Library API, appendix A (versions 4 and 5, TD report 1.0 and 1.5). All numbers are
//! little-endian.

use std::ops::Range;

use super::super::span::Span;
use super::frame::Kind;

/// Bytes of the header.
pub(crate) const HEADER: usize = 48;
/// Bytes of the body descriptor of version 5: type and size.
pub(crate) const DESCRIPTOR: usize = 6;
/// Bytes of an enclave report (SGX, and the QE's own).
pub(crate) const ENCLAVE_REPORT: usize = 384;
/// Bytes of a TD report of TDX 1.0.
pub(crate) const TD_REPORT_10: usize = 584;
/// Bytes of a TD report of TDX 1.5.
pub(crate) const TD_REPORT_15: usize = 648;

/// REPORTDATA of an enclave report.
const ENCLAVE_REPORT_DATA: u64 = 320;
/// REPORTDATA of a TD report, 1.0 and 1.5.
const TD_REPORT_DATA: u64 = 520;
/// MRCONFIGID, MROWNER, MROWNERCONFIG and RTMR0 to RTMR3 of a TD report, 48 bytes each.
const TD_DIGESTS: [u64; 7] = [184, 232, 280, 328, 376, 424, 472];

/// Where the body begins.
pub(crate) fn body(version: u16) -> usize {
    if version == 5 { HEADER + DESCRIPTOR } else { HEADER }
}

/// REPORTDATA, whole: the only field that the attested software chooses by itself.
pub(crate) fn report_data(version: u16, kind: Kind) -> Span {
    let start = body(version) as u64
        + match kind {
            Kind::Sgx => ENCLAVE_REPORT_DATA,
            Kind::Td10 | Kind::Td15 => TD_REPORT_DATA,
        };
    Span { start: u32::try_from(start).unwrap_or(u32::MAX), length: 64 }
}

/// The same as a range.
pub(crate) fn report_data_range(version: u16, kind: Kind) -> Range<u64> {
    let Span { start, length } = report_data(version, kind);
    u64::from(start)..u64::from(start) + u64::from(length)
}

/// The fields that may vouch for other bytes: REPORTDATA; of a TD also what its owner and launcher say
/// (MRCONFIGID, MROWNER, MROWNERCONFIG) and the registers (RTMR), which are replayed. The measurements
/// MRTD and MRENCLAVE are built up page by page, so no blob's digest stands there.
pub(crate) fn vouching(version: u16, kind: Kind) -> impl Iterator<Item = Range<u64>> {
    let body = body(version) as u64;
    let fields: &[u64] = match kind {
        Kind::Sgx => &[],
        Kind::Td10 | Kind::Td15 => &TD_DIGESTS,
    };
    let fields = fields.iter().map(move |at| body + at..body + at + 48);
    fields.chain([report_data_range(version, kind)])
}
