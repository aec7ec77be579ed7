//! The crate `tdx-quote` reads recorded quotes of TDX as this host does, and finds the same signatures broken. It
//! runs in a process of its own, from a workspace of its own, for its licence is none of ours; it is asked about
//! well-formed quotes of version 4, of which alone it has a sound opinion.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use claviger::claim::Value;
use claviger::quote::{Authority, DcapReport, Examination};
use claviger_tests::vectors;
use data_encoding::HEXLOWER;

use crate::foreign::{answer, made};

/// Header, body, the length of what follows, and the quote's signature.
const SIGNED: usize = 48 + 584;
const SIGNATURE: std::ops::Range<usize> = SIGNED + 4..SIGNED + 4 + 64;

fn judge() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tdx-quote");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tdx-quote/Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&target);
    made(cargo, "crate `tdx-quote`")?;
    Some(target.join("debug/tdx-quote-judge"))
}

fn fields(report: &DcapReport) -> String {
    let names = ["report_data", "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"];
    let field = |name: &str| {
        let name = format!("tdx.{name}");
        let fact = report.statement.facts().iter().find(|fact| fact.name == name).unwrap();
        let Value::Bytes(bytes) = &fact.value else { panic!("{name}") };
        HEXLOWER.encode(bytes)
    };
    names.map(field).join(" ")
}

#[test]
fn the_crate_tdx_quote_reads_and_refuses_quotes_as_this_host_does() {
    let Some(folder) = vectors::folder() else { return };
    let Some(judge) = judge() else { return };
    let authority = Arc::new(Authority::builder().build().unwrap());
    let (mut asked, mut ours) = (String::new(), Vec::new());
    for (name, case) in vectors::cases(&folder) {
        let case = case.unwrap();
        let raw = case.evidence.iter().find(|file| file.bytes.starts_with(&[4, 0, 2, 0, 0x81]));
        let Some(raw) = raw.filter(|_| case.tee() == "tdx") else { continue };
        let length = u32::from_le_bytes(raw.bytes[SIGNED..SIGNED + 4].try_into().unwrap());
        let quote = &raw.bytes[..SIGNED + 4 + length as usize];
        let genuine = case.trials().into_iter().find_map(|trial| {
            let examination = Examination::new(Arc::clone(&authority), trial.at?);
            let collateral = [trial.collateral?.bytes];
            Some((examination.dcap(quote.to_vec(), &collateral).ok()?, examination, collateral))
        });
        let Some((report, examination, collateral)) = genuine else { continue };
        asked.push_str(&format!("{}\n", HEXLOWER.encode(quote)));
        ours.push((name.clone(), Some(fields(&report))));
        // Bytes that say nothing about the quote's form: what the guest and the platform are, and who signed.
        for at in (48..SIGNED).step_by(41).chain(SIGNATURE.step_by(9)) {
            let mut altered = quote.to_vec();
            altered[at] ^= 1 << (at % 8);
            asked.push_str(&format!("{}\n", HEXLOWER.encode(&altered)));
            let outcome = examination.dcap(altered, &collateral).ok();
            ours.push((format!("{name}, byte {at} altered"), outcome.as_ref().map(fields)));
        }
    }
    // What is asked at once and what is answered must fit into a pipe.
    let lines: Vec<&str> = asked.lines().collect();
    let theirs: Vec<String> = lines
        .chunks(32)
        .flat_map(|some| {
            let answers = answer(Command::new(&judge), &(some.join("\n") + "\n"));
            answers.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(theirs.len(), ours.len());
    let genuine = ours.iter().filter(|(_, ours)| ours.is_some()).count();
    for ((name, ours), theirs) in ours.iter().zip(&theirs) {
        match ours {
            Some(ours) => assert_eq!(ours, theirs, "{name}"),
            None => assert!(theirs.starts_with("refused: "), "{name}: {theirs}"),
        }
    }
    assert!(genuine > 3, "{genuine} of {}", ours.len());
}
