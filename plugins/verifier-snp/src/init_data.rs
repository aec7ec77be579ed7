//! Where the digest of init data stands: HOST_DATA, which the hypervisor gives at launch.

use claviger_plugin_sdk::init_data::InitData;
use claviger_plugin_sdk::places::snp::HOST_DATA;
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::custody::{Digest, Statement};

/// The attachment whose SHA-256 stands in HOST_DATA, as the report vouches for it.
pub(crate) fn of(
    report: &Statement,
    attachments: &[Vec<u8>],
) -> Result<Option<InitData>, Rejection> {
    let given = is_given(&report.read(HOST_DATA)?);
    let find = || InitData::find(report, HOST_DATA, Digest::Sha256, attachments);
    Ok(given.then(find).flatten())
}

/// Zeros: no digest was given at launch.
fn is_given(host_data: &[u8]) -> bool {
    host_data.iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_no_digest() {
        assert!(!is_given(&[0; 32]));
        let mut host_data = [0; 32];
        host_data[31] = 1;
        assert!(is_given(&host_data));
    }
}
