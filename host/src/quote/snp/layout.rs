//! Where the fields of an attestation report stand.
//!
//! Source: AMD SEV-SNP Firmware ABI Specification (56860), table "ATTESTATION_REPORT Structure".
//! Numbers are little-endian.

use std::ops::Range;

use crate::quote::Span;

/// A report's length in bytes.
pub const LENGTH: usize = 0x4a0;
/// The signature is over this many bytes from the start.
pub(crate) const SIGNED: usize = 0x2a0;
/// REPORT_DATA: what the guest asked to have signed.
pub(crate) const REPORT_DATA: Range<u64> = 0x50..0x90;
/// The same, whole.
pub(crate) const REPORT_DATA_SPAN: Span = Span { start: 0x50, length: 64 };
/// HOST_DATA: what the hypervisor supplied at launch.
pub(crate) const HOST_DATA: Range<u64> = 0xc0..0xe0;
/// ID_KEY_DIGEST and AUTHOR_KEY_DIGEST: SHA-384 of the keys behind the launch's ID block.
pub(crate) const ID_KEY_DIGEST: Range<u64> = 0xe0..0x110;
pub(crate) const AUTHOR_KEY_DIGEST: Range<u64> = 0x110..0x140;
/// The fields that may hold a digest of something else.
pub(crate) const DIGESTS: [Range<u64>; 4] =
    [REPORT_DATA, HOST_DATA, ID_KEY_DIGEST, AUTHOR_KEY_DIGEST];
