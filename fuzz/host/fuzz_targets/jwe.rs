//! Recipient keys, and JWE as their holder opens it.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

use claviger::keys::{RecipientKey, RecipientKind, RecipientPrivateKey};

static KEYS: LazyLock<Vec<RecipientPrivateKey>> = LazyLock::new(|| {
    [RecipientKind::X25519, RecipientKind::P256, RecipientKind::P384]
        .map(|kind| RecipientPrivateKey::generate(kind).unwrap())
        .into()
});

fuzz_target!(|text: &str| {
    if let Ok(jwk) = serde_json::from_str(text) {
        let _ = RecipientKey::from_jwk(&jwk);
    }
    for key in KEYS.iter() {
        assert!(key.unwrap(text).is_err());
    }
});
