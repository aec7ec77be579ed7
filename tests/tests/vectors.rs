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
