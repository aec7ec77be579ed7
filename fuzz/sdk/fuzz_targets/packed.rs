//! Quotes in text, certificates and chains of them.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::{certificates, quote_text};

fuzz_target!(|bytes: &[u8]| {
    let _ = (quote_text::raw(bytes.to_vec()), quote_text::object(bytes));
    let found = certificates::read(bytes);
    for chain in certificates::chains(&found) {
        assert!(chain.len() <= found.len());
    }
});
