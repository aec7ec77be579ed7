//! What a line must look like when it is read back.

use std::borrow::Cow;

use serde::Deserialize;

use super::encoding::is_printable;
use super::error::Finding;
use crate::clock::Timestamp;

/// What every record has. Later versions may know more events and members.
#[derive(Deserialize)]
pub(super) struct Seen<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// Checks that record `index` has the form in which this host writes.
pub(super) fn inspect(index: u64, line: &[u8]) -> Result<Seen<'_>, Finding> {
    let malformed = |problem: String| Finding::RecordMalformed { index, problem };
    if !is_printable(line) {
        return Err(malformed("not printable ASCII".to_owned()));
    }
    let seen: Seen<'_> =
        serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
    if Timestamp::parse(&seen.time).is_none() {
        return Err(malformed("the time is not an RFC 3339 moment".to_owned()));
    }
    Ok(seen)
}

/// Watches that nothing but an opening follows the record that closed the log, where that is the
/// last one under the last checkpoint.
#[derive(Default)]
pub(super) struct Closing(bool);

impl Closing {
    /// Record `index` was read; the last checkpoint covers `covered` records.
    pub(super) fn see(&mut self, index: u64, covered: u64, seen: &Seen<'_>) -> Result<(), Finding> {
        if index.checked_add(1) == Some(covered) {
            self.0 = seen.event == "log-closed";
        }
        if index >= covered && self.0 && seen.event != "log-opened" {
            return Err(Finding::AppendedAfterClose { first: index });
        }
        Ok(())
    }
}
