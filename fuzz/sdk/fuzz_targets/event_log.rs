//! Event logs of the TCG, every register in every bank.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::tcg::{Bank, EventLog, Summary};

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = EventLog::read(bytes) else { return };
    let mut summary = Summary::default();
    for bank in [Bank::Sha1, Bank::Sha256, Bank::Sha384] {
        for register in 0..8 {
            if let Ok(register) = log.register(register, bank) {
                assert_eq!(register.entries.len(), register.events.len());
                assert!(register.entries.iter().all(|entry| entry.len() == bank.size()));
            }
        }
        for event in log.events() {
            let _ = event.variable();
            summary.tell("pcr0", bank, &event, |words| words.len() % 2 == 0);
        }
    }
    // As much as a host takes of one verdict.
    for claim in summary.claims() {
        if let claviger_plugin_sdk::verifier::types::Value::Texts(texts) = claim.value {
            assert!(texts.len() <= 256 && texts.iter().map(String::len).sum::<usize>() <= 16 << 10);
        }
    }
});
