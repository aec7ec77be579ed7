//! The report of the HCL as it lies in the vTPM's NV index 0x01400001. Numbers are little-endian.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `HCLA` |
//! | 4 | 4 | version of the header, 1 or 2 |
//! | 8 | 4 | length of all but the padding |
//! | 12 | 4 | request: 2, an attestation key's certificate |
//! | 16 | 4 | status, 0 |
//! | 20 | 12 | reserved, zeros |
//! | 32 | 1184 | the hardware's report; of TDX a TDREPORT in the first 1024 |
//! | 1216 | 4 | length of what follows, this number included |
//! | 1220 | 4 | version, 1 |
//! | 1224 | 4 | hardware: 2 SNP, 4 TDX |
//! | 1228 | 4 | hash of the runtime data: 1 SHA-256, 2 SHA-384, 3 SHA-512 |
//! | 1232 | 4 | length of the runtime data |
//! | 1236 | | runtime data, JSON; then zeros |

use claviger_plugin_sdk::bytes::Bytes;
use claviger_plugin_sdk::sha256;
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::custody::Digest;

/// The NV index holds less.
const MAX_LENGTH: usize = 16 << 10;
const HARDWARE: usize = 1184;
/// The five numbers before the runtime data, and all before those.
const NUMBERS: usize = 20;
const BEFORE: usize = 32 + HARDWARE;

/// Whose hardware made the report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Platform {
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
}

/// An HCL report, taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HclReport<'a> {
    /// An SNP report of 1184 bytes; or a TDREPORT, which nobody but its processor can check.
    pub hardware: &'a [u8],
    /// How the runtime data stand in REPORT_DATA.
    pub digest: Digest,
    /// JSON.
    pub runtime_data: &'a [u8],
}

impl<'a> HclReport<'a> {
    /// Refuses early where these 64 bytes of REPORT_DATA are of other runtime data, before anybody asks for
    /// what is missing to check the rest.
    ///
    /// # Errors
    /// [`Rejection::Untrusted`]. Where there is none, nothing is known yet: that the host finds out.
    pub fn could_be_in(&self, report_data: &[u8]) -> Result<(), Rejection> {
        let other = self.digest == Digest::Sha256
            && !report_data.starts_with(&sha256::digest(self.runtime_data));
        match other {
            true => Err(Rejection::Untrusted("the hardware vouches for other runtime data".into())),
            false => Ok(()),
        }
    }

    /// Reads a report that fills `report`, padding of zeros aside.
    ///
    /// # Errors
    /// [`Rejection::Malformed`]; [`Rejection::Unsupported`] for another platform, version or hash.
    pub fn read(report: &'a [u8], platform: Platform) -> Result<Self, Rejection> {
        let malformed = |why: &str| Rejection::Malformed(format!("HCL report: {why}"));
        let short = || malformed("not whole");
        if report.len() > MAX_LENGTH {
            return Err(malformed("too long"));
        }
        let mut bytes = Bytes(report);
        if bytes.take(4) != Some(b"HCLA") {
            return Err(malformed("it does not begin with HCLA"));
        }
        let header: [u32; 4] = numbers(&mut bytes).ok_or_else(short)?;
        let reserved: [u8; 12] = bytes.array().ok_or_else(short)?;
        let hardware = bytes.take(HARDWARE).ok_or_else(short)?;
        let [length, version, kind, hash, size] = numbers(&mut bytes).ok_or_else(short)?;
        let runtime_data =
            usize::try_from(size).ok().and_then(|size| bytes.take(size)).ok_or_else(short)?;
        let ([1 | 2, whole, 2, 0], true) = (header, reserved == [0; 12]) else {
            return Err(Rejection::Unsupported("an HCL report of another form".into()));
        };
        let wanted = NUMBERS + runtime_data.len();
        let agree = length as usize == wanted && whole as usize == BEFORE + wanted;
        if !agree || bytes.0.iter().fold(0, |any, byte| any | byte) != 0 {
            return Err(malformed("its lengths contradict each other"));
        }
        let expected = match platform {
            Platform::Snp => 2,
            Platform::Tdx => 4,
        };
        if version != 1 || kind != expected {
            return Err(Rejection::Unsupported(format!(
                "an HCL report of version {version} about hardware {kind}, where {expected} is wanted"
            )));
        }
        let digest = match hash {
            1 => Digest::Sha256,
            2 => Digest::Sha384,
            3 => Digest::Sha512,
            _ => return Err(Rejection::Unsupported(format!("the HCL's hash algorithm {hash}"))),
        };
        Ok(Self { hardware, digest, runtime_data })
    }
}

fn numbers<const N: usize>(bytes: &mut Bytes<'_>) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = bytes.u32_le()?;
    }
    Some(numbers)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with these runtime data.
    pub(crate) fn report(runtime_data: &[u8]) -> Vec<u8> {
        let length = (NUMBERS + runtime_data.len()) as u32;
        let mut report = b"HCLA".to_vec();
        report.extend([2, BEFORE as u32 + length, 2, 0, 0, 0, 0].map(u32::to_le_bytes).concat());
        report.extend([7; HARDWARE]);
        report.extend([length, 1, 2, 1, runtime_data.len() as u32].map(u32::to_le_bytes).concat());
        report.extend(runtime_data);
        report
    }

    #[test]
    fn a_report_is_taken_apart() {
        let padded = [report(b"{}"), vec![0; 50]].concat();
        let read = HclReport::read(&padded, Platform::Snp).unwrap();
        assert_eq!((read.hardware, read.runtime_data), (&[7; HARDWARE][..], &b"{}"[..]));
        assert_eq!(read.digest, Digest::Sha256);
    }

    #[test]
    fn what_is_cut_or_contradicts_itself_is_malformed() {
        let whole = report(b"{\"keys\": []}");
        for length in 0..whole.len() {
            let cut = HclReport::read(&whole[..length], Platform::Snp);
            assert!(matches!(cut, Err(Rejection::Malformed(_))), "{length}");
        }
        for at in [0, 8, 1216, 1232, 1234] {
            let mut other = whole.clone();
            other[at] ^= 1;
            let read = HclReport::read(&other, Platform::Snp);
            assert!(matches!(read, Err(Rejection::Malformed(_))), "{at}");
        }
        let behind = [whole, vec![0, 1]].concat();
        assert!(HclReport::read(&behind, Platform::Snp).is_err());
        assert!(HclReport::read(&vec![0; MAX_LENGTH + 1], Platform::Snp).is_err());
    }

    // attack 14
    #[test]
    fn a_report_about_other_runtime_data_is_refused_early() {
        let whole = report(b"{}");
        let read = HclReport::read(&whole, Platform::Snp).unwrap();
        let mut report_data = [sha256::digest(b"{}"), [0; 32]].concat();
        read.could_be_in(&report_data).unwrap();
        report_data[31] ^= 1;
        assert!(matches!(read.could_be_in(&report_data), Err(Rejection::Untrusted(_))));
        assert!(read.could_be_in(&[]).is_err());
    }

    #[test]
    fn another_form_or_platform_is_unsupported() {
        let whole = report(b"{}");
        let other = HclReport::read(&whole, Platform::Tdx);
        assert!(matches!(other, Err(Rejection::Unsupported(_))));
        for at in [4, 12, 16, 20, 1220, 1224, 1228] {
            let mut other = whole.clone();
            other[at] = 9;
            let read = HclReport::read(&other, Platform::Snp);
            assert!(matches!(read, Err(Rejection::Unsupported(_))), "{at}");
        }
    }
}
