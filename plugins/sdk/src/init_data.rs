//! Init data: what a guest was started with beside its image, a security policy or the agent's
//! configuration. Their digest stands in a field that who launches the guest fills and the guest cannot
//! change; the data themselves come attached.

use crate::claims::Claims;
use crate::verifier::custody::{self, Digest, Statement};
use crate::verifier::types::{Claim, Span};

/// Longer ones are not told: every result would carry them.
const LONGEST: usize = 8 << 10;

/// Init data as a statement vouches for them.
pub struct InitData {
    /// The data.
    pub statement: Statement,
    length: u32,
}

impl InitData {
    /// The attachment whose digest stands in the statement at this place, which is not all zeros.
    #[must_use]
    pub fn find(by: &Statement, at: Span, digest: Digest, attachments: &[Vec<u8>]) -> Option<Self> {
        // The host computes the digest. Of other attachments it says that theirs is another.
        candidates(attachments).find_map(|data| {
            let statement = custody::vouch(by, at, digest, data).ok()?;
            Some(Self { statement, length: u32::try_from(data.len()).ok()? })
        })
    }

    /// The claim `guest.init_data`; `statement`: the number of theirs in the verdict.
    #[must_use]
    pub fn claims(&self, statement: u32) -> Vec<Claim> {
        let whole = Span { start: 0, length: self.length };
        Claims::of("guest").quoted("init_data", statement, whole).finish()
    }
}

/// Those that are there and short enough to be told.
fn candidates(attachments: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    attachments.iter().map(Vec::as_slice).filter(|data| (1..=LONGEST).contains(&data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_and_there_is_a_candidate() {
        let attachments = [vec![], vec![b'x'; LONGEST + 1], vec![b'x'; LONGEST], vec![b'x']];
        let lengths: Vec<_> = candidates(&attachments).map(<[u8]>::len).collect();
        assert_eq!(lengths, [LONGEST, 1]);
    }
}
