//! A plugin that is about to take another's place is tried with what is no evidence and no key: it
//! must say no, rather than stop or say yes.

use std::sync::Arc;

use super::loader::Loaded;
use super::verifier::{VerifierFailure, VerifierPlugin, VerifierRequest};
use super::wait::block_on;
use crate::clock::Timestamp;
use crate::quote::{Authority, Examination};
use crate::tenant::Tenant;

/// Why a plugin that loaded is not fit to serve.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unfit {
    /// A connector that does not reach its service, or stops.
    #[error("it was asked how it is, and {0}")]
    Health(String),
    /// A verifier stopped.
    #[error("it was given what is no evidence, and {0}")]
    Stopped(String),
    /// A verifier took it for evidence.
    #[error("it was given what is no evidence, and took it for some")]
    Verdict,
}

impl Loaded {
    /// Tries a plugin. Waits for the service behind a connector.
    pub(super) fn probe(&self, now: Timestamp) -> Result<(), Unfit> {
        match self {
            Self::Connector(connector) => {
                let tenant = Tenant::default();
                let health = connector.health(&tenant);
                // A connector may wait for the network, which needs the runtime.
                let health = match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => runtime.block_on(health),
                    Err(_) => block_on(health),
                };
                health.map_err(|failure| Unfit::Health(failure.to_string()))
            }
            Self::Verifier(verifier) => block_on(no_evidence(verifier, now)),
        }
    }
}

async fn no_evidence(verifier: &VerifierPlugin, now: Timestamp) -> Result<(), Unfit> {
    let authority = Authority::builder().build();
    let authority = authority.map_err(|fault| Unfit::Stopped(fault.to_string()))?;
    let authority = Arc::new(authority);
    for evidence_type in &verifier.description().evidence_types {
        for evidence in [Vec::new(), vec![0], vec![0xff; 4096]] {
            let request = VerifierRequest {
                evidence_type: evidence_type.clone(),
                evidence,
                attachments: Vec::new(),
            };
            let examination = Examination::new(Arc::clone(&authority), now);
            match verifier.verify(examination, request).await {
                Err(refused) if matches!(refused.failure, VerifierFailure::Rejected(_)) => {}
                Err(stopped) => return Err(Unfit::Stopped(stopped.failure.to_string())),
                Ok(_) => return Err(Unfit::Verdict),
            }
        }
    }
    Ok(())
}
