//! The bearer token for Key Vault: given with the request, by workload identity, or by the machine's
//! managed identity.

use std::sync::Arc;
use std::time::Duration;

use claviger_client::http::Service;
use claviger_client::{PlatformError, Secret};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::metadata::Metadata;

/// Who gives out tokens for workload identities.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// When the metadata service is asked again: it is known to be slow after a machine's start.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Where tokens come from.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) metadata: Option<Metadata>,
    /// The managed identity among several.
    pub(crate) client_id: Option<String>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
}

impl Identity {
    /// A token for the vault. Managed HSMs are known by their name.
    pub(super) async fn token(&self, endpoint: &str) -> Result<Secret, PlatformError> {
        let resource = match endpoint.contains("managedhsm") {
            true => "https://managedhsm.azure.net",
            false => "https://vault.azure.net",
        };
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let named = (
            variable("AZURE_CLIENT_ID"),
            variable("AZURE_TENANT_ID"),
            variable("AZURE_FEDERATED_TOKEN_FILE"),
        );
        match named {
            (Some(client), Some(tenant), Some(file)) => {
                self.by_workload(&client, &tenant, &file, resource).await
            }
            _ => self.by_machine(resource).await,
        }
    }

    /// The machine's managed identity, by the metadata service.
    async fn by_machine(&self, resource: &str) -> Result<Secret, PlatformError> {
        let metadata = self.metadata.as_ref();
        let metadata =
            metadata.ok_or_else(|| PlatformError::new("azure", "no identity is configured"))?;
        let resource = encode(resource);
        let mut path =
            format!("/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}");
        if let Some(client) = &self.client_id {
            path.push_str(&format!("&client_id={}", encode(client)));
        }
        let mut waits = AGAIN.into_iter();
        let answer = loop {
            match (metadata.fetch(&path).await, waits.next()) {
                (Ok(answer), _) => break answer,
                (Err(_), Some(wait)) => tokio::time::sleep(wait).await,
                (Err(error), None) => return Err(error),
            }
        };
        token(serde_json::from_value(answer).ok())
    }

    /// Workload identity federation: the cluster's token for one of the directory.
    async fn by_workload(
        &self,
        client: &str,
        tenant: &str,
        file: &str,
        resource: &str,
    ) -> Result<Secret, PlatformError> {
        let failed = |error: &dyn std::fmt::Display| PlatformError::new("azure", error);
        let assertion = std::fs::read_to_string(file).map(Zeroizing::new);
        let assertion = assertion.map_err(|error| failed(&error))?;
        let scope = format!("{resource}/.default");
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", scope.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.trim()),
        ];
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let service = Service::https(AUTHORITY, Arc::clone(&self.tls));
        let service = service.map_err(|error| failed(&error))?;
        let path = format!("/{}/oauth2/v2.0/token", encode(tenant));
        let request = service.request(Method::POST, &path, form.join("&").into_bytes());
        let mut request = request.map_err(|error| failed(&error))?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        let answer = service.send(request).await.map_err(|error| failed(&error))?;
        if !answer.status().is_success() {
            return Err(failed(&format!("the identity service answers {}", answer.status())));
        }
        token(serde_json::from_slice(answer.body()).ok())
    }
}

fn token(answer: Option<Answer>) -> Result<Secret, PlatformError> {
    answer
        .map(|answer| Secret::new(answer.access_token.into_bytes()))
        .ok_or_else(|| PlatformError::new("azure", "the identity service gives no token"))
}

/// Percent-encoding (RFC 3986, section 2.1) of everything but unreserved characters.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_query_is_encoded() {
        assert_eq!(encode("https://vault.azure.net"), "https%3A%2F%2Fvault.azure.net");
        assert_eq!(encode("a&b=c d"), "a%26b%3Dc%20d");
    }
}
