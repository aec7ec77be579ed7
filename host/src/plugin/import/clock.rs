//! `clock`: the moment, from the host's own clock.

use crate::plugin::kms::bindings::claviger::plugin::clock::Host;
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::Metered;

impl Host for KmsCall {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.meter().host_call()?;
        Ok(self.services().clock.now().0)
    }
}
