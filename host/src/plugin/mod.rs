//! Plugins: WebAssembly components that read a vendor's evidence or reach a key management service.
//!
//! Loading: [`compiled`] (or from the `cache`) → [`admission`] → linked, instantiated on trial,
//! asked for its description. Calling: a place in the [`engine`]'s pool → a fresh store with its
//! [`limits`] ([`call`]) → the imports in [`import`] → a result that is checked ([`verdict`]).
//! Living: a [`package`] is let in by its [`signature`]s and the operator's [`verification`] file,
//! loaded beside what serves, and put in its place in the [`catalogue`] ([`install`]).

pub mod admission;
pub mod annotate;
pub mod bindings;
pub mod bundled;
mod cache;
pub mod call;
pub mod catalogue;
pub mod compiled;
pub mod dropped;
pub mod engine;
pub(crate) mod grants;
pub mod import;
pub mod install;
pub mod kms;
pub mod limits;
pub mod loader;
pub mod manifest;
pub mod package;
pub mod probe;
mod register;
pub mod registry;
pub mod signature;
mod ticker;
pub mod verdict;
pub mod verification;
pub mod verifier;
mod wait;

pub use admission::{Grants, LoadError};
pub use cache::CacheSettings;
pub use catalogue::Catalogue;
pub use engine::{Engine, EngineError, EngineSettings, LARGEST_MEMORY, OnProgress, ProgressEvent};
pub use import::release_context::ReleaseContext;
pub use install::{Installer, LifePlan, NotInstalled};
pub use kms::{KeyReference, KeySummary, KmsFailure, KmsPlugin, KmsServices, NewKey, Released};
pub use limits::Limits;
pub use loader::{Loaded, Loader, NotLoaded};
pub use manifest::{Kind, Manifest};
pub use package::Package;
pub use verdict::{Binding, Carries, Trustworthiness, Verdict};
pub use verifier::{
    Description, Rejection, Settings, Unverified, VerifierFailure, VerifierPlugin, VerifierRequest,
};
