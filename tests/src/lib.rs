//! What the tests of promises share: recorded evidence, found and read in one place.
//!
//! Everything that a test starts or makes here ends with the test.

pub mod moment;
pub mod vectors;
