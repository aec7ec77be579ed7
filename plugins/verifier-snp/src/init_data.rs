//! Init data: what a guest was started with beside its image, a security policy or the agent's
//! configuration. Its digest stands in HOST_DATA, which the hypervisor gives at launch and the guest cannot
//! change; the data themselves come attached.

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
    for data in candidates(&host_data, attachments) {
        // The host computes the digest. Of other attachments it says that theirs is another.
        if let Ok(vouched) = custody::vouch(report, HOST_DATA, Digest::Sha256, data) {
            return Ok(u32::try_from(data.len()).ok().map(|length| (vouched, length)));
        }
    }
    Ok(None)
}

/// Those short enough to be told; none, where no digest was given at launch.
fn candidates<'a>(host_data: &[u8], attachments: &'a [Vec<u8>]) -> impl Iterator<Item = &'a [u8]> {
    let given = host_data.iter().any(|byte| *byte != 0);
    let short = move |data: &&Vec<u8>| given && (1..=LONGEST).contains(&data.len());
    attachments.iter().filter(short).map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_a_candidate_where_there_is_a_digest() {
        let attachments = [vec![], vec![b'x'; LONGEST + 1], vec![b'x'; LONGEST], vec![b'x']];
        let lengths = |host_data: &[u8]| {
            candidates(host_data, &attachments).map(<[u8]>::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[1; 32]), [LONGEST, 1]);
        assert!(lengths(&[0; 32]).is_empty());
    }
}
