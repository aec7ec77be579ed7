//! What Claviger promises, each promise in a file of its own: tests that try to break it. The
//! numbers in the comments are those of the architecture's invariants and of the attacks that the
//! host must survive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod administration;
mod at_once;
mod attestation;
mod attestation_bounds;
mod attestation_guest;
mod attestation_recorded;
mod attestation_release;
mod attestation_uvm;
mod attestation_wire;
mod attesters;
mod authorities;
mod azure;
mod azure_signed;
mod binding;
mod bodies;
mod challenges;
mod composite;
mod confusion;
mod connectors;
mod credentials;
mod dcap;
mod determinism;
mod egress;
mod endorsements;
mod examples;
mod explanations;
mod foreign;
mod grants;
mod init_data;
mod keeping;
mod key_vault;
mod keys;
mod languages;
mod leaks;
mod meanwhile;
mod moment;
mod nitro;
mod plugins;
mod production;
mod reach;
mod readme;
mod recipients;
mod recorded_sources;
mod recording;
mod references;
mod registry;
mod release_policies;
mod release_rego;
mod reports;
mod results;
mod rotation;
mod rusty_vault;
mod secrecy;
mod sigstore;
mod sources;
mod swaps;
mod tcb;
mod tdx_quote;
mod tenants;
mod tokens;
mod unknown;
mod vault;
mod vaults;
mod vouching;
mod zoo;
