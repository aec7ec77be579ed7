//! CBOR and COSE_Sign1: whatever is read stands where it says.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::cbor;
use claviger_plugin_sdk::cose::Sign1;

fuzz_target!(|bytes: &[u8]| {
    for item in [cbor::parse(bytes), cbor::parse_streamed(bytes)].into_iter().flatten() {
        if let Ok(signed) = Sign1::read(&item) {
            let (message, payload) = signed.message();
            assert_eq!(&message[payload..][..signed.payload.len()], signed.payload);
        }
    }
});
