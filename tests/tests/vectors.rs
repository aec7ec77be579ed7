//! Evidence that real hardware made gets the verdict that others gave it, through the plugin and the
//! native gate. A verdict speaks of the evidence itself: policies are not asked.
//!
//! Any folder of the same form will do (`CLAVIGER_VECTORS`); no case is known here by its name.
//! There is a row for each case, and a closing line with the sums, on standard output itself: the
//! test harness keeps only what `print!` writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

mod recorded;

use std::io::Write;

use claviger_tests::vectors;
use recorded::{Bench, Outcome};

/// Attesters that sign all of their evidence.
const WHOLLY_SIGNED: [&str; 2] = ["cca", "nvidia"];

// attack 16, attack 27
#[test]
fn no_bit_of_evidence_that_is_wholly_signed_may_be_another() {
    let Some(folder) = vectors::folder() else { return };
    let bench = Bench::new();
    for tee in WHOLLY_SIGNED {
        let cases = vectors::cases(&folder).into_iter();
        let cases = cases.filter_map(|(name, case)| Some((name, case.ok()?)));
        let genuine = cases.filter(|(_, case)| case.tee() == tee && case.verdict() == "valid");
        // The smallest stands for the others: each takes two calls of the plugin for a byte.
        let size = |case: &vectors::Case| case.evidence.iter().map(|file| file.bytes.len()).min();
        let Some((name, case)) = genuine.min_by_key(|(_, case)| size(case)) else { continue };
        let changes = bench.change(&case).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(changes > 1000, "{name}: {changes}");
    }
}

/// Attesters whose evidence is taken apart to be flipped bit by bit. That of SEV-SNP, SGX and TDX is beside
/// the checks, under `host/src/quote/tests`.
const TAKEN_APART: [&str; 6] = ["az-snp", "az-tdx", "cca", "nitro", "nvidia", "tpm"];

// attack 16
#[test]
fn no_bit_under_a_signature_may_be_flipped() {
    let Some(folder) = vectors::folder() else { return };
    // Many minutes for all of them (`CLAVIGER_EVERY_BIT`); else one of each kind, of the fewest bytes.
    let all = recorded::flips::asked_for_all();
    for tee in TAKEN_APART {
        let cases = vectors::cases(&folder).into_iter();
        let cases = cases.filter_map(|(name, case)| Some((name, case.ok()?)));
        // What is genuine: out of date or to be debugged, perhaps.
        let genuine =
            |case: &vectors::Case| ["valid", "debug", "out_of_date_tcb"].contains(&case.verdict());
        let mut cases: Vec<_> =
            cases.filter(|(_, case)| case.tee() == tee && genuine(case)).collect();
        cases.sort_by_key(|(_, case)| case.evidence.iter().map(|file| file.bytes.len()).min());
        let mut flipped = 0;
        for (name, case) in cases {
            let Some(bits) = recorded::flips::exhaust(&case) else { continue };
            flipped += bits.unwrap_or_else(|why| panic!("{name}: {why}"));
            if !all {
                break;
            }
        }
        assert!(flipped > 1000, "{tee}: {flipped}");
        println!("{tee}: {flipped} bits");
    }
}

#[test]
fn recorded_vectors_get_their_verdicts_through_plugin_and_gate() {
    let Some(folder) = vectors::folder() else { return };
    let bench = Bench::new();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut output = std::io::stdout().lock();
    // The harness may have begun a line.
    writeln!(output).unwrap();
    for (name, case) in vectors::cases(&folder) {
        let (word, remark) = match case.and_then(|case| bench.run(&case)) {
            Ok(Outcome::Passed(how)) => {
                passed += 1;
                ("passed", how)
            }
            Ok(Outcome::Skipped(why)) => {
                skipped += 1;
                ("skipped", why)
            }
            Err(why) => {
                failed += 1;
                ("FAILED", why)
            }
        };
        writeln!(output, "{word:<8} {name:<42} {remark}").unwrap();
    }
    writeln!(output, "vectors: {passed} passed, {failed} failed, {skipped} skipped").unwrap();
    drop(output);
    assert_eq!(failed, 0);
    assert!(passed > 0, "nothing was verified");
}
