//! Verdicts that are not true. Each begins with what a sound verifier would say and changes one
//! thing.

use std::sync::atomic::{AtomicU64, Ordering};

use claviger_plugin_sdk::places::snp::{HOST_DATA, MEASUREMENT, REPORT_DATA};
use claviger_plugin_sdk::verifier::custody::{self, Algorithm, Digest, Statement};
use claviger_plugin_sdk::verifier::types::{Claim, Quote, Registers, Span, Value};
use claviger_plugin_sdk::verifier::{
    Binding, Carries, NO_CLAIM, Rejection, Trustworthiness, Verdict, quotes, settings,
};

use crate::{AFFIRMED, Case, challenge_at, verdict};

/// FAMILY_ID and IMAGE_ID, which whoever launches the guest fills in.
const FAMILY_AND_IMAGE_ID: Span = Span { start: 0x10, length: 32 };

/// The signed part of a report, and its signature's two numbers, little-endian in 72 bytes each.
const SIGNED: usize = 0x2a0;
const NUMBER: usize = 48;
const FIELD: usize = 72;

/// What an instance that lived on would remember.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Names under which somebody may have something.
const SETTINGS: [&str; 5] = ["mine", "vmpl", "token", "", "../kms-local/token"];

/// Says it.
pub(crate) fn tell(lie: &str, case: &Case<'_>) -> Result<Verdict, Rejection> {
    match lie {
        "anyway" => Ok(anyway(case)),
        "foreign-before-own" => foreign_beside_own(case, 0),
        "foreign-after-own" => foreign_beside_own(case, 1),
        "foreign-before-own-by-custody" => foreign_beside_own_by_custody(case),
        "two-of-one-guest" => two_of_one_guest(case),
        "host-data-vouches" => host_data_vouches(case),
        _ => changed(lie, verdict(case.genuine(0)?)),
    }
}

/// One change to a sound verdict about the first report.
fn changed(lie: &str, sound: Verdict) -> Result<Verdict, Rejection> {
    let bound = |bindings| Verdict { bindings, ..verdict_of(&sound) };
    let says = |name: &str, value| vec![Claim { name: name.into(), value }];
    let changed = match lie {
        "no-statement" => return Ok(Verdict { statements: Vec::new(), ..sound }),
        "no-binding" => bound(Vec::new()),
        "binding-outside" => bound(vec![challenge_at(Span { start: 0x290, length: 64 })]),
        "binding-beyond" => bound(vec![challenge_at(Span { start: u32::MAX, length: u32::MAX })]),
        "binding-empty" => bound(vec![challenge_at(Span { start: 0x50, length: 0 })]),
        "binding-prefix" => bound(vec![challenge_at(Span { start: 0x50, length: 1 })]),
        "binding-elsewhere" => bound(vec![Binding { statement: 1, ..challenge_at(REPORT_DATA) }]),
        "binding-measurement" => bound(vec![challenge_at(MEASUREMENT)]),
        "binding-of-the-launcher" => bound(vec![
            Binding { statement: 0, at: HOST_DATA, carries: Carries::Nonce },
            Binding { statement: 0, at: FAMILY_AND_IMAGE_ID, carries: Carries::RecipientKey },
        ]),
        "binding-nonce-only" => bound(vec![Binding {
            statement: 0,
            at: Span { start: 0x50, length: 32 },
            carries: Carries::Nonce,
        }]),
        "binding-key-only" => bound(vec![Binding {
            statement: 0,
            at: Span { start: 0x50, length: 32 },
            carries: Carries::RecipientKey,
        }]),
        "bindings-many" => bound((0..1000).map(|_| challenge_at(REPORT_DATA)).collect()),
        "affirm-everything" => Verdict { trustworthiness: EVERYTHING, ..verdict_of(&sound) },
        "claim-measurement" => {
            let approved = Value::Bytes(vec![0xc1; 48]);
            Verdict { claims: says("snp.measurement", approved), ..verdict_of(&sound) }
        }
        "claim-no-debug" => {
            Verdict { claims: says("snp.policy_debug", Value::Flag(false)), ..verdict_of(&sound) }
        }
        "claim-new-in-snp" => {
            Verdict { claims: says("snp.approved", Value::Flag(true)), ..verdict_of(&sound) }
        }
        "claim-of-nobody" => {
            let claims = says("acme.approved", Value::Flag(true));
            Verdict { claims, trustworthiness: EVERYTHING, ..verdict_of(&sound) }
        }
        "claim-twin-name" => {
            Verdict { claims: says("SNP.measurement", Value::Flag(true)), ..verdict_of(&sound) }
        }
        "claim-twice" => {
            let mut claims = says("acme.a", Value::Flag(true));
            claims.extend(says("acme.a", Value::Flag(false)));
            Verdict { claims, ..verdict_of(&sound) }
        }
        "claims-many" => {
            let claim = |n: u32| Claim { name: format!("acme.c{n}"), value: Value::Flag(true) };
            Verdict { claims: (0..5000).map(claim).collect(), ..verdict_of(&sound) }
        }
        "claim-quotes-outside" => {
            let at = Span { start: 0x2a0, length: 1 };
            let quoted = Value::Quoted(Quote { statement: 0, at });
            Verdict { claims: says("acme.quoted", quoted), ..verdict_of(&sound) }
        }
        "registers-outside"
        | "registers-beyond"
        | "registers-many"
        | "registers-in-snp"
        | "registers-twice"
        | "registers-long-name" => Verdict { claims: registers(lie), ..verdict_of(&sound) },
        "tier--1" => Verdict { trustworthiness: hardware(-1), ..verdict_of(&sound) },
        "tier-0" => Verdict { trustworthiness: hardware(0), ..verdict_of(&sound) },
        "tier-1" => Verdict { trustworthiness: hardware(1), ..verdict_of(&sound) },
        "forged-handle" => return Ok(forged_handle()),
        "remembers" => {
            let calls = Value::Unsigned(CALLS.fetch_add(1, Ordering::Relaxed) + 1);
            Verdict { claims: says("acme.calls", calls), ..verdict_of(&sound) }
        }
        "settings" => {
            let known = SETTINGS.iter().filter_map(|name| settings::get(name)).collect();
            Verdict { claims: says("acme.settings", Value::Texts(known)), ..verdict_of(&sound) }
        }
        _ => return Err(Rejection::Unsupported("no such deed".into())),
    };
    Ok(Verdict { statements: sound.statements, ..changed })
}

/// Registers that are not there, or not the plugin's to name.
fn registers(lie: &str) -> Vec<Claim> {
    let registers =
        |start, size, indexes| Value::Registers(Registers { statement: 0, start, size, indexes });
    let says = |name: &str, value| Claim { name: name.into(), value };
    match lie {
        "registers-outside" => vec![says("acme.r", registers(0x280, 16, 0b111))],
        "registers-beyond" => vec![says("acme.r", registers(u32::MAX, u32::MAX, u32::MAX))],
        "registers-many" => {
            (0..9).map(|n| says(&format!("acme.a{n}.r"), registers(0, 1, u32::MAX))).collect()
        }
        "registers-in-snp" => vec![says("snp.measurement", registers(0x90, 48, 1))],
        "registers-twice" => {
            vec![says("acme.r12", Value::Flag(true)), says("acme.r", registers(0, 1, u32::MAX))]
        }
        _ => vec![says(&"a".repeat(127), registers(0, 1, 1))],
    }
}

/// All but the statements, which can be given away only once.
fn verdict_of(sound: &Verdict) -> Verdict {
    Verdict {
        statements: Vec::new(),
        bindings: sound.bindings.clone(),
        claims: sound.claims.clone(),
        trustworthiness: sound.trustworthiness,
    }
}

/// The host found the report forged (or did not): success all the same.
fn anyway(case: &Case<'_>) -> Verdict {
    let checked = case.report(0).ok().map(|report| quotes::snp(report, case.certificates));
    let statements = checked.and_then(Result::ok).map(|report| report.statement);
    Verdict {
        statements: statements.into_iter().collect(),
        bindings: vec![challenge_at(REPORT_DATA)],
        claims: Vec::new(),
        trustworthiness: EVERYTHING,
    }
}

/// The facts of somebody else's report, which is at `foreign`; the challenge in one's own.
fn foreign_beside_own(case: &Case<'_>, foreign: u32) -> Result<Verdict, Rejection> {
    let second = case.genuine(1)?;
    let mut mixed = verdict(case.genuine(0)?);
    mixed.statements.push(second.statement);
    mixed.bindings = vec![Binding { statement: 1 - foreign, ..challenge_at(REPORT_DATA) }];
    Ok(mixed)
}

/// The same, but one's own report is checked step by step, so that it has no facts of its own.
fn foreign_beside_own_by_custody(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let mut mixed = verdict(case.genuine(0)?);
    mixed.statements.push(by_custody(case, 1)?);
    mixed.bindings = vec![Binding { statement: 1, ..challenge_at(REPORT_DATA) }];
    Ok(mixed)
}

/// Two reports for one challenge: the facts of which are meant?
fn two_of_one_guest(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let second = case.genuine(1)?;
    let mut both = verdict(case.genuine(0)?);
    both.statements.push(second.statement);
    both.bindings.push(Binding { statement: 1, ..challenge_at(REPORT_DATA) });
    Ok(both)
}

/// A report checked step by step.
fn by_custody(case: &Case<'_>, index: usize) -> Result<Statement, Rejection> {
    let report = case.report(index)?;
    let signer = case.signer()?;
    let number = |at: usize| {
        let mut number = report.get(at..at + NUMBER).unwrap_or_default().to_vec();
        number.reverse();
        number
    };
    let signature = [number(SIGNED), number(SIGNED + FIELD)].concat();
    let message = report.get(..SIGNED).unwrap_or_default();
    Ok(custody::check(&signer, Algorithm::EcdsaP384Sha384, message, &signature)?)
}

/// HOST_DATA holds the SHA-256 of what the hypervisor likes to be the challenge digest: the bytes
/// behind the first report.
fn host_data_vouches(case: &Case<'_>) -> Result<Verdict, Rejection> {
    let mut lie = verdict(case.genuine(0)?);
    let blob = case.report(1)?;
    let genuine = lie.statements.first().ok_or(Rejection::Malformed("no report".into()))?;
    let vouched = custody::vouch(genuine, HOST_DATA, Digest::Sha256, blob)?;
    lie.statements.push(vouched);
    lie.bindings = vec![Binding { statement: 1, ..challenge_at(Span { start: 0, length: 64 }) }];
    Ok(lie)
}

/// A number that is no handle of this call.
#[expect(unsafe_code, reason = "that is the deed")]
fn forged_handle() -> Verdict {
    // SAFETY: a handle is a number to WebAssembly; the host has to refuse one that it did not give.
    let forged = unsafe { Statement::from_handle(4096) };
    Verdict {
        statements: vec![forged],
        bindings: vec![challenge_at(REPORT_DATA)],
        claims: Vec::new(),
        trustworthiness: AFFIRMED,
    }
}

fn hardware(tier: i8) -> Trustworthiness {
    Trustworthiness { hardware: Some(tier), ..NO_CLAIM }
}

const EVERYTHING: Trustworthiness = Trustworthiness {
    instance_identity: Some(2),
    configuration: Some(2),
    executables: Some(2),
    file_system: Some(2),
    hardware: Some(2),
    runtime_opaque: Some(2),
    storage_opaque: Some(2),
    sourced_data: Some(2),
};
