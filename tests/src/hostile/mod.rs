//! Plugins that misbehave, as components. Their sources are `tests/hostile-verifier`,
//! `tests/hostile-kms`, `tests/hostile-remote` and the modules in text form beside this file; `build.rs` makes them.

/// A verifier that is sound until the evidence tells it to misbehave, see `deed`.
pub const VERIFIER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile-verifier.wasm"));

/// The example that people copy, see `examples/custom-verifier`. Not hostile at all.
pub const EXAMPLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/example-verifier.wasm"));

/// A connector that is sound until a key's name tells it to misbehave.
pub const CONNECTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile-kms.wasm"));

/// A connector that has a secret and a network, and misuses them as a key's name tells it.
pub const REMOTE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile-remote.wasm"));

/// The interfaces that it wants.
pub const REMOTE_IMPORTS: [&str; 8] = [
    "http",
    "log",
    "material",
    "release-context",
    "sealed-keys",
    "sealed-store",
    "secrets",
    "settings",
];

/// A verifier that calls itself until there is no stack left.
pub const RECURSES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/recurses.wasm"));

/// A verifier that computes for ever before anybody calls it.
pub const START_LOOPS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/start-loops.wasm"));

/// A verifier that traps before anybody calls it.
pub const START_TRAPS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/start-traps.wasm"));

/// A verifier whose table grows until the host says no.
pub const TABLE_GROWS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/table-grows.wasm"));

/// A verifier that traps on every piece of evidence, without a word.
pub const UNREACHABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/unreachable.wasm"));

/// Evidence that tells [`VERIFIER`] what to do with these reports.
#[must_use]
pub fn deed(name: &str, reports: &[&[u8]]) -> Vec<u8> {
    [b"!", name.as_bytes(), b":", &reports.concat()].concat()
}
