//! What the tests stand on: hosts, guests, adversaries, and recorded evidence, found and read in one
//! place. Everything that a test starts or makes here ends with the test.

pub mod azure_model;
pub mod components;
pub mod crates;
pub mod fake_vault;
pub mod hostile;
pub mod minted;
pub mod moment;
pub mod python;
pub mod server;
pub mod service;
pub mod site;
pub mod swtpm;
pub mod vectors;
