//! The host's side of the worlds `kms-plugin`, `managed-kms-plugin` and `versioned-kms-plugin`, generated
//! from `wit/`.

#![allow(missing_docs, clippy::restriction, clippy::all)] // The documentation stands in `wit/`.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "kms-plugin",
    imports: {
        // These wait: for the disk, for a long computation, or for the network.
        "claviger:plugin/http.send": async | trappable,
        "claviger:plugin/http.send-with": async | trappable,
        "claviger:plugin/sealed-keys.erase": async | trappable,
        "claviger:plugin/sealed-keys.generate": async | trappable,
        "claviger:plugin/sealed-keys.perform": async | trappable,
        "claviger:plugin/sealed-keys.put": async | trappable,
        "claviger:plugin/sealed-keys.unwrap": async | trappable,
        "claviger:plugin/sealed-store.swap": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    with: {
        "claviger:plugin/log": crate::plugin::bindings::claviger::plugin::log,
        "claviger:plugin/material.secret": crate::plugin::import::material::Material,
        "claviger:plugin/release-context.context": crate::plugin::import::release_context::Context,
        "claviger:plugin/settings": crate::plugin::bindings::claviger::plugin::settings,
        "claviger:plugin/types": crate::plugin::bindings::claviger::plugin::types,
    },
});

/// A world that exports more; its imports are the ones above.
macro_rules! beside {
    ($(#[$doc:meta])* $name:ident, $world:literal) => {
        $(#[$doc])*
        pub mod $name {
            wasmtime::component::bindgen!({
                path: "../wit",
                world: $world,
                imports: { default: trappable },
                exports: { default: async },
                require_store_data_send: true,
                with: {
                    "claviger:plugin/clock": super::claviger::plugin::clock,
                    "claviger:plugin/http": super::claviger::plugin::http,
                    "claviger:plugin/log": crate::plugin::bindings::claviger::plugin::log,
                    "claviger:plugin/material": super::claviger::plugin::material,
                    "claviger:plugin/release-context": super::claviger::plugin::release_context,
                    "claviger:plugin/sealed-keys": super::claviger::plugin::sealed_keys,
                    "claviger:plugin/sealed-store": super::claviger::plugin::sealed_store,
                    "claviger:plugin/secrets": super::claviger::plugin::secrets,
                    "claviger:plugin/settings": crate::plugin::bindings::claviger::plugin::settings,
                    "claviger:plugin/types": crate::plugin::bindings::claviger::plugin::types,
                },
            });
        }
    };
}

beside! {
    /// With key management.
    managed, "managed-kms-plugin"
}

beside! {
    /// With key management, and versions that are taken in and given out.
    versioned, "versioned-kms-plugin"
}
