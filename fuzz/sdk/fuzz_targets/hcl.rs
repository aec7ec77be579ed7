//! The report of Azure's paravisor.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_azure_vtpm::{HclReport, Platform};

fuzz_target!(|bytes: &[u8]| {
    for platform in [Platform::Snp, Platform::Tdx] {
        let _ = HclReport::read(bytes, platform);
    }
});
