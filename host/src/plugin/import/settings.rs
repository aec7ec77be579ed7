//! `settings`: the operator's values for this plugin, and for no other.

use std::collections::BTreeMap;

use crate::plugin::bindings::claviger::plugin::settings::Host;
use crate::plugin::limits::{Meter, Metered};
use crate::plugin::verifier::VerifierCall;

/// Names and values that the operator configured for one plugin.
pub type Values = BTreeMap<String, String>;

impl Host for VerifierCall {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let settings = self.settings();
        get(self.meter(), &settings.values, &name)
    }
}

/// `settings.get`, for every kind of plugin.
pub fn get(meter: &mut Meter, values: &Values, name: &str) -> wasmtime::Result<Option<String>> {
    meter.host_call()?;
    Ok(values.get(name).cloned())
}
