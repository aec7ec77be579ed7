//! Evidence of hardware that is none, in the formats of attesters whose anchors the operator names: made by
//! keys of the tests' own.

pub mod cca;
pub mod nitro;
pub mod tpm;
