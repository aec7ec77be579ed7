//! Tokens of Arm CCA: the collection, and both tokens in it.
#![no_main]
#![allow(missing_docs, dead_code, reason = "a fuzz target over a plugin's own files")]

#[path = "../../../plugins/verifier-cca/src/field.rs"]
mod field;
#[path = "../../../plugins/verifier-cca/src/platform.rs"]
mod platform;
#[path = "../../../plugins/verifier-cca/src/realm.rs"]
mod realm;
#[path = "../../../plugins/verifier-cca/src/token.rs"]
mod token;

use claviger_plugin_sdk::verifier::Rejection;
use libfuzzer_sys::fuzz_target;

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

fn unsupported(what: &str, found: &str) -> Rejection {
    Rejection::Unsupported(format!("{what} {}", found.escape_debug()))
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(token) = token::Token::read(bytes) {
        if let Ok(signed) = token.platform()
            && let Ok(platform) = platform::Platform::read(signed.payload)
        {
            let _ = platform.lifecycle();
        }
        if let Ok(signed) = token.realm() {
            let _ = realm::Realm::read(signed.payload);
        }
    }
    let _ = (platform::Platform::read(bytes).is_ok(), realm::Realm::read(bytes).is_ok());
});
