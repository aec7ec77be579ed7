//! `endorsements`: certificates, revocation lists and TCB data from where the operator said.

use std::fmt;
use std::pin::Pin;

use tokio::time::{Instant, timeout_at};

use crate::plugin::bindings::claviger::plugin::custody::Fault as WitFault;
use crate::plugin::bindings::claviger::plugin::endorsements::Host;
use crate::plugin::limits::Metered;
use crate::plugin::verifier::VerifierCall;
use crate::quote::Fault;

/// Where endorsements come from. What a plugin names is data to look up, never an address to fetch.
pub trait EndorsementSource: fmt::Debug + Send + Sync + 'static {
    /// The bytes of this kind for these parameters, checked for freshness.
    fn get<'a>(
        &'a self,
        kind: &'a str,
        parameters: &'a [(String, String)],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send + 'a>>;
}

impl Host for VerifierCall {
    async fn get(
        &mut self,
        kind: String,
        parameters: Vec<(String, String)>,
    ) -> wasmtime::Result<Result<Vec<u8>, WitFault>> {
        self.meter().host_call()?;
        let Some(source) = self.endorsements() else {
            let fault = Fault::Unavailable("no source of endorsements is configured".into());
            return Ok(Err(fault.into()));
        };
        let ends = Instant::from_std(self.meter().ends());
        let answer = timeout_at(ends, source.get(&kind, &parameters)).await;
        self.meter().in_time()?;
        let late = Fault::Unavailable("the source of endorsements does not answer".into());
        Ok(answer.unwrap_or(Err(late)).map_err(Into::into))
    }
}
