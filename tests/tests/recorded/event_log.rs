//! Event logs without a quote. Nobody signed them, so no verifier takes them for evidence; what is tried is
//! the reader that verifiers have, and whether its events lead to the values that others computed.

use aws_lc_rs::digest::{self, Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512};
use claviger_plugin_sdk::tcg::{Bank, EventLog};
use claviger_tests::vectors::{Case, File};
use data_encoding::HEXLOWER;
use serde_json::Value;

/// The log of a case that has nothing else.
pub(crate) fn alone(case: &Case) -> Option<&File> {
    let log = case.files().find(|file| file.name.starts_with("eventlog"));
    log.filter(|_| case.files().count() == 1)
}

/// Compares verdict and registers.
pub(crate) fn judge(case: &Case, log: &File) -> Result<String, String> {
    let read = EventLog::read(&log.bytes);
    let log = match (case.verdict(), read) {
        ("malformed", Err(why)) => return Ok(format!("refused, {why}")),
        (verdict @ ("parse_ok" | "incomplete_log"), Ok(log)) => {
            let complete = log.events().any(|event| event.is_exit_of_boot_services());
            if verdict == "incomplete_log" && complete {
                return Err("expected a log of a start that was not completed".to_owned());
            }
            log
        }
        (verdict, Ok(_)) => return Err(format!("expected {verdict}, the log is whole")),
        (verdict, Err(why)) => return Err(format!("expected {verdict}, found {why}")),
    };
    let banks = case.expected.get("fields").and_then(|fields| fields.get("pcrs"));
    let mut compared = 0;
    for (name, registers) in banks.and_then(Value::as_object).into_iter().flatten() {
        let (bank, algorithm) = bank(name).ok_or_else(|| format!("the bank {name}"))?;
        for (index, expected) in registers.as_object().into_iter().flatten() {
            let number = index.parse().map_err(|_| format!("PCR {index}"))?;
            let found = replay(&log, number, bank, algorithm)?;
            if expected.as_str() != Some(&found) {
                return Err(format!("{name}, PCR {index}: expected {expected}, found {found}"));
            }
            compared += 1;
        }
    }
    if compared == 0 {
        Err("no register to compare".into())
    } else {
        Ok(format!("whole, {compared} registers agree"))
    }
}

fn bank(name: &str) -> Option<(Bank, &'static Algorithm)> {
    match name {
        "sha1" => Some((Bank::Sha1, &SHA1_FOR_LEGACY_USE_ONLY)),
        "sha256" => Some((Bank::Sha256, &SHA256)),
        "sha384" => Some((Bank::Sha384, &SHA384)),
        "sha512" => Some((Bank::Sha512, &SHA512)),
        _ => None,
    }
}

fn replay(
    log: &EventLog<'_>,
    number: u32,
    bank: Bank,
    algorithm: &'static Algorithm,
) -> Result<String, String> {
    let register = log.register(number, bank).map_err(ToOwned::to_owned)?;
    let extend = |value: Vec<u8>, entry: &Vec<u8>| {
        digest::digest(algorithm, &[value.as_slice(), entry].concat()).as_ref().to_vec()
    };
    Ok(HEXLOWER.encode(&register.entries.iter().fold(register.initial, extend)))
}
