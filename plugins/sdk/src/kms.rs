//! The world of KMS connectors: keys released, and where a connector can, created and managed.

/// The generated bindings of the world `managed-kms-plugin`, as they are.
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "managed-kms-plugin",
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
