//! What plugins may call, one file per interface of `wit/`. Every function first counts itself in the
//! call's meter.

pub mod clock;
pub mod custody;
pub mod endorsements;
pub mod http;
pub mod log;
pub mod material;
pub mod quotes;
pub mod release_context;
pub mod sealed_keys;
pub mod sealed_store;
pub mod secrets;
pub mod settings;
pub mod types;
