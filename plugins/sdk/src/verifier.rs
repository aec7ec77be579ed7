//! The world of verifiers: evidence in, verdict out.

/// The generated bindings of the world `verifier-plugin`, as they are.
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "verifier-plugin",
        pub_export_macro: true,
        export_macro_name: "export_verifier",
        default_bindings_module: "claviger_plugin_sdk::verifier::bindings",
    });
}

pub use bindings::claviger::plugin::{custody, endorsements, log, quotes, settings, types};
pub use bindings::exports::claviger::plugin::verifier::{
    Binding, Carries, Description, Guest as Verifier, Rejection, Request, Trustworthiness, Verdict,
};

/// No claim in any dimension; a verifier sets those that it can speak to.
pub const NO_CLAIM: Trustworthiness = Trustworthiness {
    instance_identity: None,
    configuration: None,
    executables: None,
    file_system: None,
    hardware: None,
    runtime_opaque: None,
    storage_opaque: None,
    sourced_data: None,
};

impl From<custody::Fault> for Rejection {
    /// The rejection that says the same as the host's fault.
    fn from(fault: custody::Fault) -> Self {
        use custody::Fault;
        match fault {
            Fault::Malformed(why) => Self::Malformed(why),
            Fault::BadSignature => Self::BadSignature("found by the host".into()),
            Fault::Untrusted(why) => Self::Untrusted(why),
            Fault::Expired(why) => Self::Expired(why),
            Fault::Outdated(why) => Self::Outdated(why),
            Fault::Revoked(why) => Self::Revoked(why),
            Fault::Unavailable(why) => Self::Unavailable(why),
            Fault::Unsupported(why) => Self::Unsupported(why),
        }
    }
}
