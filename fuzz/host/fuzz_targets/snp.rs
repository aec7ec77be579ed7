//! SEV-SNP reports and what comes with them, under AMD's roots.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

use claviger::clock::Timestamp;
use claviger::quote::{Authority, Examination, Revocation};

static AUTHORITY: LazyLock<Arc<Authority>> = LazyLock::new(|| {
    Arc::new(Authority::builder().revocation(Revocation::Waived).build().unwrap())
});

fuzz_target!(|bytes: &[u8]| {
    let examination = Examination::new(Arc::clone(&AUTHORITY), Timestamp(1_767_225_600));
    let (report, rest) = bytes.split_at(bytes.len().min(1184));
    // A recorded report with its certificate is genuine: a mutation of what is not signed, too.
    if let Ok(found) = examination.snp(report.to_vec(), &[rest.to_vec()]) {
        assert_eq!(found.statement.read(claviger::quote::Span { start: 0, length: 672 }).unwrap(), &report[..672]);
    }
});
