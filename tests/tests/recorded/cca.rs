//! Arm CCA platforms as their operators enrol them: the platform's key, under its instance id.

use claviger::quote::AuthorityBuilder;
use claviger_tests::vectors::Case;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// The set in which the verifier looks for them.
const SET: &str = "cca";

/// Pins every key of the case that is written as a JWK, wherever it stands in whatever JSON, under the
/// instance id that the case's token has.
pub(crate) fn enrolled(case: &Case, builder: AuthorityBuilder) -> AuthorityBuilder {
    let instance = case.expected.pointer("/fields/instance_id").and_then(Value::as_str);
    let Some(instance) = instance.and_then(|id| HEXLOWER.decode(id.as_bytes()).ok()) else {
        return builder;
    };
    let texts = case.others.iter().filter_map(|file| serde_json::from_slice(&file.bytes).ok());
    let mut keys = Vec::new();
    texts.for_each(|json: Value| collect(&json, &mut keys));
    keys.into_iter().fold(builder, |builder, key| builder.pin(SET, &instance, key))
}

fn collect(json: &Value, keys: &mut Vec<Vec<u8>>) {
    match json {
        Value::Object(members) if members.contains_key("kty") => {
            // The public part alone: some cases bring the private one, too.
            let member = |name: &str| members.get(name).cloned().unwrap_or_default();
            let key = json!({
                "kty": member("kty"), "crv": member("crv"), "x": member("x"), "y": member("y"),
            });
            keys.push(key.to_string().into_bytes());
        }
        Value::Object(members) => members.values().for_each(|value| collect(value, keys)),
        Value::Array(entries) => entries.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}
