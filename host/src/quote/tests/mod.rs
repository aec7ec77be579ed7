//! Tests of the whole path, on recorded evidence and on forged hardware.

mod anchors;
mod attachments;
mod custody;
mod dcap_forged;
mod dcap_recorded;
mod forged_chains;
mod forged_reports;
mod lists;
mod mint;
mod ocsp;
mod oracles;
mod recorded;
mod revocation;
mod vectors;

use crate::claim::Claim;

/// Plugins make no claims under the names of native formats; whatever else there were, they could.
fn all_are_of(tee: &str, facts: &[Claim]) -> bool {
    let of_it = |fact: &Claim| fact.name.split_once('.').is_some_and(|(space, _)| space == tee);
    super::NATIVE.contains(&tee) && !facts.is_empty() && facts.iter().all(of_it)
}
