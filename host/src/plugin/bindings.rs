//! The host's side of the world `verifier-plugin`, generated from `wit/`. The world of KMS connectors
//! maps `log` and `settings` to the ones here.

#![allow(missing_docs, clippy::restriction, clippy::all)] // The documentation stands in `wit/`.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "verifier-plugin",
    imports: {
        "claviger:plugin/endorsements.get": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    with: {
        "claviger:plugin/custody.signer": crate::quote::Signer,
        "claviger:plugin/custody.statement": crate::quote::Statement,
    },
});
