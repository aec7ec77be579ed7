//! `release-context`: what a release is for. A connector asks for what its KMS needs to see; what
//! nobody asks for is not even made (a token costs a signature).

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::plugin::kms::bindings::claviger::plugin::release_context::{
    Evidence, Host, HostContext,
};
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::{Held, Metered};

/// What a release is for.
pub trait ReleaseContext: Send + Sync + 'static {
    /// The attested recipient's public key, as a JWK in JSON.
    fn recipient(&self) -> String;
    /// The host's attestation result (EAR, a JWT) for this connector's KMS, or why there is none.
    fn attestation(&self) -> Result<String, String>;
    /// The media type and the bytes of the evidence, where the release came with it.
    fn evidence(&self) -> Option<(String, Vec<u8>)>;
}

/// The host's side of `context`.
pub struct Context(pub(in crate::plugin) Arc<dyn ReleaseContext>);

impl Held for Context {
    fn held(&self) -> usize {
        0
    }
}

impl Host for KmsCall {}

impl HostContext for KmsCall {
    fn recipient(&mut self, context: Resource<Context>) -> wasmtime::Result<String> {
        self.meter().host_call()?;
        Ok(self.meter().table.get(&context)?.0.recipient())
    }

    fn attestation(
        &mut self,
        context: Resource<Context>,
    ) -> wasmtime::Result<Result<String, String>> {
        self.meter().host_call()?;
        Ok(self.meter().table.get(&context)?.0.attestation())
    }

    fn evidence(&mut self, context: Resource<Context>) -> wasmtime::Result<Option<Evidence>> {
        self.meter().host_call()?;
        let evidence = self.meter().table.get(&context)?.0.evidence();
        Ok(evidence.map(|(media_type, bytes)| Evidence { media_type, bytes }))
    }

    fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.meter().table.delete(context)?;
        Ok(())
    }
}
