//! `http`: requests to targets that the operator granted. No grant of a target can be written yet, so
//! every request is denied: a connector that needs the network gets this answer, not a hole.

use crate::plugin::kms::bindings::claviger::plugin::http::{Error, Host, Request, Response};
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::Metered;

impl Host for KmsCall {
    async fn send(&mut self, _: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.meter().host_call()?;
        Ok(Err(Error::Denied("no target is granted to this plugin".into())))
    }
}
