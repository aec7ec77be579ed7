//! A header with a secret that the operator gave: a Vault token, an API key.

use http::header::HeaderName;

use super::source::{SecretSource, Source};
use super::{Attached, Attaching, Outline, Provider};

/// Which header, and what stands in it.
#[derive(Clone, Debug)]
pub struct HeaderPlan {
    /// `x-vault-token`, `authorization`.
    pub header: String,
    /// What stands before the secret: `Bearer `.
    pub prefix: String,
    /// Where the secret stands.
    pub source: SecretSource,
}

struct Header {
    name: HeaderName,
    prefix: String,
    source: Source,
}

pub(super) fn provider(plan: &HeaderPlan) -> Result<Box<dyn Provider>, String> {
    let name = HeaderName::from_bytes(plan.header.as_bytes());
    let name = name.map_err(|_| format!("{:?} is not a header's name", plan.header))?;
    Ok(Box::new(Header { name, prefix: plan.prefix.clone(), source: Source::new(&plan.source) }))
}

impl Provider for Header {
    fn attach<'a>(&'a self, _: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async { Attached::header(&self.name, &self.prefix, &self.source.read()?) })
    }

    fn refused(&self) -> bool {
        self.source.forget()
    }
}
