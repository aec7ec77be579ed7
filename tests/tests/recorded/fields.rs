//! The fields that others read in the evidence, compared with the facts that the host read
//! and what the verifier says beyond them.

use std::collections::BTreeMap;

use claviger::flow::Verified;
use claviger_tests::vectors::Case;
use serde_json::{Number, Value};

/// What others call otherwise: their name, ours.
const OTHER_NAMES: [(&str, &str); 15] = [
    ("author_key_en", "author_key_enabled"),
    ("cpuid_fam_mod_step_0", "cpuid_family"),
    ("cpuid_fam_mod_step_1", "cpuid_model"),
    ("cpuid_fam_mod_step_2", "cpuid_stepping"),
    ("debug", "policy_debug"),
    ("driver", "driver_version"),
    ("hash_alg", "platform_hash_algo"),
    ("migrate_ma", "policy_migration_agent"),
    ("platform_nonce", "platform_challenge"),
    ("rak_hash_alg", "public_key_hash_algo"),
    ("realm_hash_alg", "realm_hash_algo"),
    ("rpv", "personalization_value"),
    ("signing_key", "endorsement_key"),
    ("smt", "policy_smt_allowed"),
    ("vsi", "verification_service"),
];

/// And the ends of names.
const OTHER_ENDS: [(&str, &str); 2] =
    [("_tcb_bl", "_tcb_bootloader"), ("_tcb_ucode", "_tcb_microcode")];

/// Compares every field that the case and the facts both have; answers how many there are.
pub(crate) fn compare(case: &Case, verified: &Verified) -> Result<usize, String> {
    let facts: BTreeMap<&str, Value> = verified
        .facts()
        .iter()
        .chain(verified.claims())
        .map(|fact| (fact.name.as_ref(), serde_json::to_value(&fact.value).unwrap_or_default()))
        .collect();
    let mut fields = Vec::new();
    if let Some(object) = case.expected.get("fields") {
        flatten(String::new(), object, &mut fields);
    }
    let mut compared = 0;
    for (name, expected) in &fields {
        // What a vTPM rests on has its own facts: those of `az-snp` are of `snp` too.
        let kinds = [case.tee(), case.tee().trim_start_matches("az-")];
        let fact = kinds.map(|kind| format!("{kind}.{}", our_name(name)));
        let fact = fact.iter().find(|fact| facts.contains_key(fact.as_str())).unwrap_or(&fact[0]);
        let agrees = match facts.get(fact.as_str()) {
            Some(value) => same(expected, value),
            // The host gives no id where the platform masks it.
            None if name == "chip_id" => {
                is_zero(expected) && facts.get("snp.chip_id_masked") == Some(&Value::Bool(true))
            }
            None => continue,
        };
        if !agrees {
            let found = facts.get(fact.as_str()).unwrap_or(&Value::Null);
            return Err(format!("{name}: expected {expected}, found {found}"));
        }
        compared += 1;
    }
    if compared == 0 && !fields.is_empty() {
        return Err("no field of the case is one of the facts".to_owned());
    }
    Ok(compared)
}

/// Members of members by joined names, entries of lists by their numbers; nothing where it is null.
fn flatten(name: String, value: &Value, fields: &mut Vec<(String, Value)>) {
    let joined = |part: &str| {
        if name.is_empty() { part.to_owned() } else { format!("{name}_{part}") }
    };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| flatten(joined(member), value, fields));
        }
        Value::Array(entries) => {
            let numbered = entries.iter().enumerate();
            numbered
                .for_each(|(number, value)| flatten(joined(&number.to_string()), value, fields));
        }
        value => fields.push((name, value.clone())),
    }
}

fn our_name(name: &str) -> String {
    if let Some((_, ours)) = OTHER_NAMES.iter().find(|(theirs, _)| *theirs == name) {
        return (*ours).to_owned();
    }
    // One member of a list of registers.
    if let Some(number) = name.strip_prefix("pcrs_sha256_").or(name.strip_prefix("pcrs_")) {
        return format!("pcr{number}");
    }
    if let Some(number) = name.strip_prefix("rem_") {
        return format!("rem{number}");
    }
    if let Some(number) = name.strip_prefix("measurements_") {
        return format!("measurement_{number}");
    }
    if let Some(member) = name.strip_prefix("vm_configuration_") {
        return member.replace('-', "_").replace("vmUniqueId", "vm_unique_id");
    }
    let end = OTHER_ENDS.iter().find_map(|(theirs, ours)| Some((name.strip_suffix(theirs)?, ours)));
    end.map_or_else(|| name.to_owned(), |(start, ours)| format!("{start}{ours}"))
}

/// The same, whether numbers are written in decimal or hexadecimal, flags as 0 and 1, and names in
/// capitals.
fn same(expected: &Value, fact: &Value) -> bool {
    match (expected, fact) {
        (Value::Number(expected), Value::Bool(fact)) => *expected == Number::from(u8::from(*fact)),
        (Value::String(expected), Value::Number(fact)) => {
            let digits = expected.strip_prefix("0x").unwrap_or(expected);
            u64::from_str_radix(digits, 16).is_ok_and(|number| Number::from(number) == *fact)
        }
        (Value::String(expected), Value::String(fact)) => expected.eq_ignore_ascii_case(fact),
        (expected, fact) => expected == fact,
    }
}

fn is_zero(value: &Value) -> bool {
    value.as_str().is_some_and(|digits| digits.bytes().all(|digit| digit == b'0'))
}
