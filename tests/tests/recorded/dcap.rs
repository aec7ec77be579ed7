//! What is special about Intel's evidence: collateral that a case has only in part, and event logs.

use std::fs;

use claviger::quote::AuthorityBuilder;
use claviger_tests::vectors::{self, Case};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha384};

/// Supplies the certificates that sign Intel's collateral, which some cases leave out, and does without the
/// quoting enclave's identity where there is none of the time.
pub(crate) fn authority(mut builder: AuthorityBuilder) -> AuthorityBuilder {
    let Some(folder) = vectors::folder() else { return builder };
    let files = fs::read_dir(folder.join("roots/intel")).into_iter().flatten().flatten();
    let mut files: Vec<_> = files.map(|file| file.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "pem")) {
        builder = builder.collateral(fs::read(file).unwrap());
    }
    builder.waive_qe_identity()
}

/// Every event log of a case, and whether it leads to the registers that others read in the quote.
pub(crate) fn logs(case: &Case) -> Vec<(String, Vec<u8>, bool)> {
    // What is neither evidence nor text counts as certificates.
    let files = case.certificates.iter().chain(&case.others).filter(|file| is_log(&file.bytes));
    files.map(|file| (file.name.clone(), file.bytes.clone(), leads(case, &file.bytes))).collect()
}

/// Whether this is an event log, of which evidence may bring one.
pub(crate) fn is_log(bytes: &[u8]) -> bool {
    bytes.get(32..48) == Some(b"Spec ID Event03\0".as_slice())
}

/// By a reader of its own.
fn leads(case: &Case, log: &[u8]) -> bool {
    let register = |number: usize| {
        let field = case.expected.pointer(&format!("/fields/rtmr{number}"))?.as_str()?;
        HEXLOWER.decode(field.as_bytes()).ok()
    };
    let registers = replayed(log);
    let read = registers.iter().take(3).enumerate();
    read.into_iter().all(|(number, value)| register(number).as_deref() == Some(value.as_slice()))
}

fn replayed(log: &[u8]) -> [[u8; 48]; 4] {
    let number =
        |at: usize| log.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    let mut registers = [[0; 48]; 4];
    let mut at = 32 + number(28).unwrap() as usize;
    // One bank, of SHA-384: 2 bytes of its name and 48 of the digest.
    while let (Some(register), Some(kind), Some(1)) = (number(at), number(at + 4), number(at + 8)) {
        let Some(value) = registers.get_mut((register as usize).wrapping_sub(1)) else { break };
        if kind != 3 {
            let digest = log.get(at + 14..at + 62).unwrap();
            *value = Sha384::digest([value.as_slice(), digest].concat()).into();
        }
        at += 66 + number(at + 62).unwrap() as usize;
    }
    registers
}
