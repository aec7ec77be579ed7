//! The world of KMS connectors: keys released, and where a connector can, created and managed.

/// The generated bindings of the world `versioned-kms-plugin`, as they are.
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "versioned-kms-plugin",
        pub_export_macro: true,
        export_macro_name: "export_kms",
        default_bindings_module: "claviger_plugin_sdk::kms::bindings",
    });
}

pub use bindings::claviger::plugin::release_context::Context;
pub use bindings::claviger::plugin::{
    clock, http, log, material, release_context, sealed_keys, sealed_store, secrets, settings,
};
pub use bindings::exports::claviger::plugin::key_management::{
    Guest as KeyManagement, KeySummary, NewKey,
};
pub use bindings::exports::claviger::plugin::key_release::{
    Error, Guest as KeyRelease, Held, KeyReference, Released, Wrapped,
};
pub use bindings::exports::claviger::plugin::key_versions::Guest as KeyVersions;

impl From<sealed_keys::Error> for Error {
    /// What the host said of a key, in a connector's words.
    fn from(error: sealed_keys::Error) -> Self {
        use sealed_keys::Error as Host;
        match error {
            Host::Denied(why) => Self::Denied(why),
            Host::Exists => Self::Conflict("there is a key of that name".into()),
            Host::Invalid(why) => Self::Malformed(why),
            Host::NotFound => Self::NotFound,
            Host::Unavailable(why) => Self::Unavailable(why),
            Host::Unsupported(why) => Self::Unsupported(why),
        }
    }
}

impl From<sealed_store::Error> for Error {
    /// What the host said of a record. A name that it refuses the connector made up itself.
    fn from(error: sealed_store::Error) -> Self {
        use sealed_store::Error as Host;
        match error {
            Host::Invalid(why) => Self::Malformed(why),
            Host::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<http::Error> for Error {
    /// Why there is no answer: what the operator did not grant is configured wrongly, all else may be
    /// over the next time.
    fn from(error: http::Error) -> Self {
        use http::Error as Host;
        match error {
            Host::Denied(why) => Self::Misconfigured(why),
            Host::Unresolved(why) | Host::Unreachable(why) => Self::Unavailable(why),
            Host::Timeout => Self::Unavailable("the service did not answer in time".into()),
            Host::TooLarge => Self::Unavailable("the service's answer is too large".into()),
            Host::Tls(why) => Self::Misconfigured(why),
            Host::Protocol(why) => Self::Unavailable(why),
        }
    }
}

/// What an HTTP status that is no success says, by common usage (RFC 9110); nothing of the answer's
/// body, which may repeat what was sent.
#[must_use]
pub fn of_status(status: u16) -> Error {
    let words = format!("the service answered {status}");
    match status {
        401 | 403 => Error::Denied(words),
        404 | 410 => Error::NotFound,
        409 | 412 => Error::Conflict(words),
        400 | 405 | 415 | 422 => Error::Misconfigured(words),
        501 => Error::Unsupported(words),
        _ => Error::Unavailable(words),
    }
}
