//! Reports of NVIDIA's devices: how they are packed, the SPDM exchange, its opaque data, what a
//! certificate says of firmware.
#![no_main]
#![allow(missing_docs, dead_code, reason = "a fuzz target over a plugin's own files")]

#[path = "../../../plugins/verifier-nvidia/src/evidence.rs"]
mod evidence;
#[path = "../../../plugins/verifier-nvidia/src/identity.rs"]
mod identity;
#[path = "../../../plugins/verifier-nvidia/src/opaque.rs"]
mod opaque;
#[path = "../../../plugins/verifier-nvidia/src/spdm.rs"]
mod spdm;

use claviger_plugin_sdk::verifier::types::Span;
use claviger_plugin_sdk::verifier::{Rejection, Request};
use libfuzzer_sys::fuzz_target;

fn malformed(why: &'static str) -> Rejection {
    Rejection::Malformed(why.into())
}

fuzz_target!(|bytes: &[u8]| {
    for evidence_type in [evidence::REPORT, evidence::JSON] {
        let request = Request {
            evidence: bytes.to_vec(),
            evidence_type: evidence_type.into(),
            attachments: vec![bytes.to_vec()],
            at: 0,
        };
        if let Ok(found) = evidence::read(request) {
            report(&found.transcript);
        }
    }
    report(bytes);
    let _ = (identity::composite(bytes), identity::tcb_info(bytes));
    assert!(identity::Identity::of(Some(bytes), None, None).is_err() || bytes.len() > 8);
});

/// What it points at lies in it.
fn report(transcript: &[u8]) {
    let Ok(report) = spdm::Report::read(transcript) else { return };
    let within = |span: Span| (span.start + span.length) as usize <= transcript.len();
    assert!(within(report.nonce) && report.nonce.length == 32);
    assert!(report.measurements.iter().all(|measurement| within(measurement.value)));
    for field in (0..=64).filter_map(|kind| report.opaque.field(kind)) {
        assert!(field.span().is_none_or(within));
        let _ = field.text();
    }
    let _ = report.opaque.fwid();
}
