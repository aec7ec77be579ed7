//! Lists of Linux' IMA in both forms.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::ima;

fuzz_target!(|bytes: &[u8]| {
    let _ = ima::may_be(bytes);
    if let Ok(entries) = ima::read(bytes) {
        assert!(ima::leading_to(&entries, &[0; 32]).is_none());
    }
});
