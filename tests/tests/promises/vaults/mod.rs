//! What a vault takes in, gives out sealed, keeps its policies through, and writes down.

mod backups;
mod immutable;
mod imports;
mod older;
mod recoverable;
mod refusals;
mod secrets;

use claviger::http::KeyVersionRequest;

/// A key or version of this kind, to be generated.
fn version(kind: &str) -> KeyVersionRequest {
    KeyVersionRequest {
        kind: kind.to_owned(),
        material: None,
        wrapped: None,
        release_policy: None,
        enabled: None,
        not_before: None,
        expires: None,
        operations: None,
        tags: std::collections::BTreeMap::new(),
    }
}
