//! Certificates, revocation lists, OCSP responses, collateral: as evidence brings them and as an operator
//! supplies them. Nothing of it is trusted.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

use claviger::clock::Timestamp;
use claviger::quote::{Authority, Examination, NVIDIA};

fuzz_target!(|bytes: &[u8]| {
    let _ = Authority::builder().certificate(bytes).build();
    let _ = Authority::builder().collateral(bytes).build();
    let _ = Authority::builder().anchor("x", bytes).build();
    let authority = Arc::new(Authority::builder().build().unwrap());
    // A recorded list is genuine.
    let _ = authority.add_crl(bytes);
    let examination = Examination::new(authority, Timestamp(1_767_225_600)).with(&[bytes.to_vec()]);
    assert!(examination.chain(&[bytes.to_vec()], NVIDIA).is_err());
});
