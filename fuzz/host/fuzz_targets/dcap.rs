//! Quotes of SGX and TDX, versions 3 to 5, under Intel's root: none that is made up is genuine.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

use claviger::clock::Timestamp;
use claviger::quote::{Authority, Examination, Revocation};

static AUTHORITY: LazyLock<Arc<Authority>> = LazyLock::new(|| {
    let builder = Authority::builder().revocation(Revocation::Waived).waive_qe_identity();
    Arc::new(builder.build().unwrap())
});

fuzz_target!(|bytes: &[u8]| {
    let examination = Examination::new(Arc::clone(&AUTHORITY), Timestamp(1_767_225_600));
    // Without TCB info nothing is.
    assert!(examination.dcap(bytes.to_vec(), &[]).is_err());
    let _ = examination.wants();
});
