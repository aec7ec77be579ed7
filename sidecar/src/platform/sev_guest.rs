//! AMD SEV-SNP by `/dev/sev-guest` (Linux 5.19 and later).

use std::fs::File;
use std::path::Path;

use claviger_client::{Evidence, PlatformError};

use super::{Attester, device};

/// What a host's verifier calls a report.
pub(super) const MEDIA_TYPE: &str = "application/vnd.amd.sev-snp-report";
/// Bytes of a report.
pub(crate) const REPORT: usize = 1184;
/// Bytes in front of the report in `MSG_REPORT_RSP`: status, size, reserved.
const HEADER: usize = 32;

/// The device.
pub(super) struct SevGuest(File);

impl SevGuest {
    pub(super) const PATH: &str = "/dev/sev-guest";

    pub(super) fn open(path: &Path) -> Result<Self, PlatformError> {
        device::open(path).map(Self).map_err(|error| PlatformError::new(Self::PATH, error))
    }
}

impl Attester for SevGuest {
    fn name(&self) -> &'static str {
        "sev-guest"
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let mut user_data = [0; 64];
        for (to, from) in user_data.iter_mut().zip(data) {
            *to = *from;
        }
        let (response, certificates) = device::snp_report(&self.0, user_data)
            .map_err(|error| PlatformError::new(Self::PATH, error))?;
        let report = report(&response)?;
        let mut evidence = Evidence::new("snp", MEDIA_TYPE, report.to_vec());
        if certificates.iter().any(|byte| *byte != 0) {
            evidence.attachments.push(certificates);
        }
        Ok(evidence)
    }
}

/// The report in `MSG_REPORT_RSP` (SEV-SNP firmware ABI, table 24), where its status is success.
fn report(response: &[u8]) -> Result<&[u8], PlatformError> {
    let wrong = |reason: &str| PlatformError::new(SevGuest::PATH, reason);
    let (status, rest) = response.split_at_checked(4).ok_or_else(|| wrong("a short answer"))?;
    if status != [0; 4] {
        return Err(wrong(&format!("the firmware refused with status {status:02x?}")));
    }
    let size = rest.get(..4).and_then(|size| <[u8; 4]>::try_from(size).ok());
    if size.map(u32::from_le_bytes) != u32::try_from(REPORT).ok() {
        return Err(wrong("the report has an unknown size"));
    }
    response.get(HEADER..HEADER + REPORT).ok_or_else(|| wrong("a short answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_taken_only_out_of_an_answer_of_success() {
        let mut response = vec![0; 4000];
        response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
        response[32] = 5;
        assert_eq!(report(&response).unwrap()[0], 5);
        assert_eq!(report(&response).unwrap().len(), 1184);
        assert!(report(&response[..1000]).is_err());
        response[4] = 0;
        assert!(report(&response).is_err());
        response[4..8].copy_from_slice(&1184_u32.to_le_bytes());
        response[0] = 0x16;
        assert!(report(&response).is_err());
    }
}
