//! Evidence of TPMs, packed in JSON (two forms) and in protocol buffers, and certificates of their keys.
#![no_main]
#![allow(missing_docs, dead_code, reason = "a fuzz target over a plugin's own files")]

#[path = "../../../plugins/verifier-tpm/src/evidence.rs"]
mod evidence;
#[path = "../../../plugins/verifier-tpm/src/go.rs"]
mod go;
#[path = "../../../plugins/verifier-tpm/src/packed.rs"]
mod packed;
#[path = "../../../plugins/verifier-tpm/src/protobuf.rs"]
mod protobuf;
#[path = "../../../plugins/verifier-tpm/src/x509.rs"]
mod x509;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let read = [evidence::read(bytes), packed::read(bytes)];
    for evidence in read.into_iter().flatten() {
        for quote in &evidence.quotes {
            let _ = quote.signature();
        }
    }
    if let Some(fields) = protobuf::fields(bytes) {
        assert!(fields.len() <= bytes.len());
    }
    let _ = (x509::Certificate::read(bytes), x509::is_for_tpms(bytes));
});
