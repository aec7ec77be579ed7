//! Attestation documents of AWS Nitro, with and without the signature around them.
#![no_main]
#![allow(missing_docs, dead_code, reason = "a fuzz target over a plugin's own files")]

#[path = "../../../plugins/verifier-nitro/src/document.rs"]
mod document;

use claviger_plugin_sdk::{cbor, cose};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    if let Ok(item) = cbor::parse_streamed(bytes)
        && let Ok(signed) = cose::Sign1::read(&item)
    {
        read(signed.payload);
    }
});

fn read(payload: &[u8]) {
    let Ok(document) = document::Document::read(payload) else { return };
    assert!(!document.chain().is_empty());
    let _ = document.debug();
}
