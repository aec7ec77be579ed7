//! Signatures of plugins: Sigstore bundles (sigstore/protobuf-specs, `sigstore_bundle.proto`, version
//! 0.3 and before) over a component's bytes, by a key that the operator listed or by an identity that
//! Sigstore's authority vouches for. Everything is verified offline.

mod bundle;
pub mod key;
pub mod sigstore;

pub use bundle::{Bundle, BundleError};
