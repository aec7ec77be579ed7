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
