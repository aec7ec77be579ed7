//! JSON, and bytes in it.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger_plugin_sdk::json::{self, Value};

fn walk(value: &Value) {
    let _ = (value.in_base64(), value.in_hex(), value.in_pem());
    match value {
        Value::List(values) => values.iter().for_each(walk),
        Value::Object(members) => members.iter().for_each(|(_, value)| walk(value)),
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = json::parse(bytes) {
        walk(&value);
    }
});
