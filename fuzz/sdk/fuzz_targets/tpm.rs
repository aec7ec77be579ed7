//! TPMS_ATTEST and TPMT_SIGNATURE: whatever is read stands where it says.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::tpm::{Attest, Signature};

fuzz_target!(|bytes: &[u8]| {
    let _ = Signature::read(bytes);
    if let Ok(attest) = Attest::read(bytes) {
        for at in [attest.extra_data, attest.pcr_digest] {
            assert!(at.start as usize + at.length as usize <= bytes.len());
        }
    }
});
