//! Tokens of the machine's own identity, from its cloud's metadata service: Azure's managed identity
//! and GCP's service account. The service is reached by its very address, and by nothing else.

use std::sync::Arc;
use std::time::Instant;

use super::cache::{Cache, Token};
use super::endpoint::{Ask, Endpoint, EndpointPlan};
use super::form::Form;
use super::oauth::{access_token, bearer};
use super::{Attaching, CredentialError, Outline, Provider};
use crate::clock::Clock;
use crate::egress::{AddressRange, Resolver, TlsPlan};

/// Which cloud, and what the token is for.
#[derive(Clone, Debug)]
pub enum MetadataPlan {
    /// Azure's Instance Metadata Service.
    Azure {
        /// `https://vault.azure.net`.
        resource: String,
        /// Which of the machine's identities, where it has several.
        client_id: Option<String>,
        /// Another place than `http://169.254.169.254`, for tests and proxies.
        endpoint: Option<EndpointPlan>,
    },
    /// GCP's metadata server.
    Gcp {
        /// Another place than `http://169.254.169.254`.
        endpoint: Option<EndpointPlan>,
    },
}

struct Metadata {
    endpoint: Endpoint,
    path: String,
    header: (&'static str, &'static str),
    cache: Cache,
}

pub(super) fn provider(
    plan: &MetadataPlan,
    resolver: &Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Provider>, String> {
    let (endpoint, path, header) = match plan {
        MetadataPlan::Azure { resource, client_id, endpoint } => {
            let mut form = Form::default();
            form.add("api-version", b"2018-02-01");
            form.add("resource", resource.as_bytes());
            if let Some(client_id) = client_id {
                form.add("client_id", client_id.as_bytes());
            }
            let path = format!("/metadata/identity/oauth2/token?{}", form.as_str());
            (endpoint, path, ("metadata", "true"))
        }
        MetadataPlan::Gcp { endpoint } => {
            let path = "/computeMetadata/v1/instance/service-accounts/default/token";
            (endpoint, path.to_owned(), ("metadata-flavor", "Google"))
        }
    };
    let endpoint = endpoint.clone().map_or_else(link_local, Ok)?;
    let endpoint = Endpoint::new(&endpoint, resolver, clock)?;
    Ok(Box::new(Metadata { endpoint, path, header, cache: Cache::new(clock) }))
}

/// The address that every cloud has it at.
pub(super) fn link_local() -> Result<EndpointPlan, String> {
    let address: AddressRange = "169.254.169.254".parse()?;
    Ok(EndpointPlan {
        url: "http://169.254.169.254".to_owned(),
        tls: TlsPlan::default(),
        addresses: vec![address],
    })
}

impl Metadata {
    async fn fetch(&self, ends: Instant) -> Result<Token, CredentialError> {
        let (name, value) = self.header;
        let headers = vec![(name.to_owned(), value.to_owned())];
        let ask = Ask { method: "GET", path: &self.path, headers, body: Vec::new() };
        access_token(&self.endpoint.ask_json(ask, ends).await?)
    }
}

impl Provider for Metadata {
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async { bearer(&self.cache.get(|| self.fetch(outline.ends)).await?) })
    }

    fn refused(&self) -> bool {
        self.cache.refused()
    }
}
