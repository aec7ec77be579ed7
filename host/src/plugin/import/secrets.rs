//! `secrets`: what the operator granted to this connector by value, and nothing else.

use crate::plugin::kms::bindings::claviger::plugin::secrets::Host;
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::Metered;

impl Host for KmsCall {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<Vec<u8>>> {
        self.meter().host_call()?;
        let Some(secret) = self.services().secrets.get(&name).cloned() else { return Ok(None) };
        let bytes = secret.expose().to_vec();
        self.reads(secret);
        Ok(Some(bytes))
    }
}
