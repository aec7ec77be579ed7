//! Claviger: a host for secure key release.

#![deny(unsafe_code)]

pub mod appraisal;
pub mod assemble;
pub mod audit;
pub mod cbor;
pub mod claim;
pub mod client;
pub mod clock;
pub mod command;
pub mod config;
pub mod credentials;
pub mod egress;
pub mod endorsements;
pub mod error;
pub mod escape;
pub mod explanation;
pub mod files;
pub mod flow;
pub mod foreign;
pub mod http;
pub mod json;
pub mod keys;
mod misread;
pub mod permission;
pub mod plugin;
pub mod policy;
pub mod quote;
pub mod random;
pub mod reference;
pub mod release_policy;
pub mod result;
pub mod secret;
pub mod simulated;
pub mod store;
pub mod telemetry;
pub mod tenant;
