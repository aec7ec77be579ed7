//! Where the digest of init data stands: MRCONFIGID, which who launches the TD gives.

use claviger_plugin_sdk::init_data::InitData;
use claviger_plugin_sdk::places::dcap::{td::MRCONFIGID, within};
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::custody::{Digest, Statement};
use claviger_plugin_sdk::verifier::types::Span;

/// Bytes of MRCONFIGID.
const ROOM: usize = 48;

/// The attachment whose digest stands in MRCONFIGID, as the quote vouches for it. `body`: where the TD
/// report begins in the statement.
pub(crate) fn of(
    quote: &Statement,
    body: u32,
    attachments: &[Vec<u8>],
) -> Result<Option<InitData>, Rejection> {
    let at = within(body, MRCONFIGID);
    let room = quote.read(at)?;
    Ok(kind(&room).and_then(|(digest, length)| {
        InitData::find(quote, Span { length, ..at }, digest, attachments)
    }))
}

/// Which digest stands there, and how many bytes of it: SHA-384 fills the field; behind SHA-256 there are
/// zeros. Nothing: none was given.
fn kind(room: &[u8]) -> Option<(Digest, u32)> {
    let (first, rest) = room.split_at_checked(32).filter(|_| room.len() == ROOM)?;
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match (zero(first), zero(rest)) {
        (true, true) => None,
        (false, true) => Some((Digest::Sha256, 32)),
        _ => Some((Digest::Sha384, 48)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_known_by_how_much_of_the_field_it_fills() {
        assert!(kind(&[0; 48]).is_none());
        assert!(kind(&[1; 47]).is_none() && kind(&[]).is_none());
        let mut room = [0; 48];
        room[31] = 1;
        assert!(matches!(kind(&room), Some((Digest::Sha256, 32))));
        room[47] = 1;
        assert!(matches!(kind(&room), Some((Digest::Sha384, 48))));
    }
}
