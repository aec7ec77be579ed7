//! Init data: what a guest was started with beside its image, a security policy or the agent's
//! configuration. Its digest stands in HOST_DATA, which the hypervisor gives at launch and the guest cannot
//! change; the data themselves come attached.

use claviger_plugin_sdk::sha256;
use claviger_plugin_sdk::verifier::custody::{self, Digest, Statement};
use claviger_plugin_sdk::verifier::{Rejection, types::Span};

/// HOST_DATA: 32 bytes at 0xC0 (AMD 56860, table 23 "ATTESTATION_REPORT").
const HOST_DATA: Span = Span { start: 0xc0, length: 32 };

/// Longer ones are not told: every result would carry them.
const LONGEST: usize = 8 << 10;

/// The attachment whose SHA-256 stands in HOST_DATA, as the report vouches for it, and its length.
pub(crate) fn of(
    report: &Statement,
    attachments: &[Vec<u8>],
) -> Result<Option<(Statement, u32)>, Rejection> {
    let host_data = report.read(HOST_DATA)?;
    let Some((data, length)) = find(&host_data, attachments) else { return Ok(None) };
    Ok(Some((custody::vouch(report, HOST_DATA, Digest::Sha256, data)?, length)))
}

fn find<'a>(host_data: &[u8], attachments: &'a [Vec<u8>]) -> Option<(&'a [u8], u32)> {
    let mut short = attachments.iter().filter(|data| (1..=LONGEST).contains(&data.len()));
    let found = short.find(|data| sha256::digest(data) == *host_data)?;
    Some((found, u32::try_from(found.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_host_data_has_the_digest_of_is_found_and_nothing_else() {
        let policy = b"package policy".to_vec();
        let digest = sha256::digest(&policy);
        let attachments = [vec![0xff, 0xfe], policy.clone(), b"other".to_vec()];
        assert_eq!(find(&digest, &attachments), Some((&policy[..], 14)));
        assert_eq!(find(&[0; 32], &attachments), None);
        assert_eq!(find(&digest, &attachments[..1]), None);
        let long = vec![b'x'; LONGEST + 1];
        assert_eq!(find(&sha256::digest(&long), &[long]), None);
        assert_eq!(find(&sha256::digest(b""), &[Vec::new()]), None);
    }
}
