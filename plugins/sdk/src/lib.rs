//! What a Claviger plugin is written with: the bindings of the WIT worlds in `wit/`, macros that
//! register the plugin, and a macro that writes its manifest.
//!
//! | a plugin of kind | implements | and says |
//! |---|---|---|
//! | verifier | [`verifier::Verifier`] | [`register_verifier!`] |
//! | KMS connector | [`kms::KeyRelease`] | [`register_kms!`] |
//! | KMS connector that manages keys | [`kms::KeyRelease`] and [`kms::KeyManagement`] | [`register_managed_kms!`] |
//! | the same, versions taken in too | both and [`kms::KeyVersions`] | [`register_versioned_kms!`] |
//!
//! Each adds a [`manifest!`]. A plugin is a `cdylib` for `wasm32-unknown-unknown`; a panic ends the
//! call, and its message stands in the host's log under the plugin's name. On other targets
//! everything compiles, so that pure parts can be tested natively, but calling an import there
//! stops the program.
//!
//! [`evidence`] reads bytes with a rejection for each step, [`claims`] makes claims, errors of imports
//! become a connector's by `?` ([`kms`]), and `harness` runs a plugin's cases in its tests.
//! [`json`], [`base64`], [`hex`], [`quote_text`] and [`certificates`] read what evidence is packed in,
//! with [`der`] inside certificates; [`places`] are those of a report's fields; [`cbor`] and [`cose`] read signed tokens, [`tcg`]
//! and [`ima`] logs of what was measured; [`rest`] asks a KMS's API, [`setting`] reads what connectors
//! are told alike.

pub mod base64;
pub mod bytes;
pub mod cbor;
pub mod certificates;
pub mod claims;
pub mod cose;
pub mod der;
pub mod evidence;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
#[cfg(target_arch = "wasm32")]
mod heap;
pub mod hex;
pub mod ima;
pub mod init_data;
pub mod json;
pub mod kms;
mod manifest;
mod panics;
pub mod places;
pub mod quote_text;
mod register;
pub mod rest;
pub mod setting;
pub mod sha256;
pub mod tcg;
pub mod tpm;
pub mod verifier;

#[doc(hidden)]
pub use register::{Registered, Unmanaged, Unversioned};
