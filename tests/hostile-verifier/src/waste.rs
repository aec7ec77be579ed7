//! Deeds against the host's time, memory and log.

use std::hint::black_box;

use claviger_plugin_sdk::verifier::custody::Signer;
use claviger_plugin_sdk::verifier::log::{self, Level};
use claviger_plugin_sdk::verifier::types::{Claim, Value};
use claviger_plugin_sdk::verifier::{Rejection, Verdict, quotes, settings};

use crate::{Case, verdict};

/// Does the deed, if it is one of these.
pub(crate) fn run(deed: &str, case: &Case<'_>) -> Option<Result<Verdict, Rejection>> {
    Some(match deed {
        "endless-loop" => endless(),
        "recursion" => Err(Rejection::Malformed(recurse(1).to_string())),
        "memory" => hoard(),
        "statements" => statements(case),
        "signers" => signers(case),
        "giant-result" => giant(case),
        "giant-words" => Err(Rejection::Malformed("w".repeat(6 << 20))),
        "giant-line" => after(case, || log::write(Level::Info, &"l".repeat(6 << 20))),
        "log-flood" => after(case, flood),
        "log-forgery" => after(case, || {
            log::write(Level::Info, "forgery\r\n2026-11-24 INFO key released\u{1b}[2K\u{202e}");
        }),
        "host-calls" => storm(),
        "panic" => panic(case),
        "words" => Err(Rejection::Malformed("words\n2026 INFO released \u{1b}[31m".into())),
        _ => return None,
    })
}

fn endless() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count.wrapping_add(1));
    }
}

/// Not a loop: each frame is looked at after the one below it.
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 { 0 } else { black_box(recurse(depth + 1)).wrapping_mul(3) ^ depth }
}

fn hoard() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn statements(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let mut held = Vec::new();
    loop {
        held.push(case.genuine(0)?);
    }
}

fn signers(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let mut held: Vec<Signer> = Vec::new();
    loop {
        held.push(case.signer()?);
    }
}

/// A verdict that is right but for its size.
fn giant(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let value = Value::Bytes(vec![7; 6 << 20]);
    let claims = vec![Claim { name: "giant.claim".into(), value }];
    Ok(Verdict { claims, ..verdict(case.genuine(0)?) })
}

/// Something first, then a sound verdict.
fn after(case: &Case<'_>, first: impl FnOnce()) -> Result<Verdict, Rejection> {
    first();
    Ok(verdict(quotes::snp(case.report(0)?, case.certificates)?))
}

fn flood() {
    for line in 0..500 {
        log::write(Level::Info, &format!("flood {line} {}", "f".repeat(1000)));
    }
}

fn storm() -> ! {
    loop {
        black_box(settings::get("anything"));
    }
}

#[expect(clippy::panic, reason = "that is the deed")]
fn panic(case: &Case<'_>) -> ! {
    panic!("last words of {} reports\nand a second line", case.reports.len())
}
