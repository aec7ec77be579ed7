//! Credentials that the host attaches to a plugin's requests, so that no plugin ever sees one.
//!
//! A token is kept until shortly before it expires and fetched by one request at a time; a file is
//! read again when it was changed. What a service refuses is thrown away and fetched anew.

mod aws;
mod cache;
mod endpoint;
mod form;
mod google;
mod header;
mod metadata;
mod oauth;
mod source;
mod vault;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::clock::Clock;
use crate::egress::{Resolver, Url};
use crate::secret::Secret;

pub use aws::{AwsKeys, AwsPlan};
pub use endpoint::EndpointPlan;
pub use google::GooglePlan;
pub use header::HeaderPlan;
pub use metadata::MetadataPlan;
pub use oauth::{OAuthPlan, OAuthProof};
pub use source::SecretSource;
pub use vault::{VaultLogin, VaultPlan};

/// A credential by its name.
#[derive(Clone, Debug)]
pub struct CredentialPlan {
    /// What grants call it.
    pub name: String,
    /// What it is.
    pub kind: CredentialKind,
}

/// What a credential is.
#[derive(Clone, Debug)]
pub enum CredentialKind {
    /// A signature by AWS' rules.
    Aws(AwsPlan),
    /// A token of a Google service account, by its key.
    Google(GooglePlan),
    /// A header with a secret of the operator's.
    Header(HeaderPlan),
    /// A token of the machine's identity, from its cloud's metadata service.
    Metadata(MetadataPlan),
    /// A token by OAuth's client credentials.
    OAuth(OAuthPlan),
    /// A token of a login at Vault or OpenBao.
    Vault(VaultPlan),
}

/// Why there is no credential.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CredentialError {
    /// What the operator configured cannot be used.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
    /// Who gives it does not give it to this host.
    #[error("refused: {0}")]
    Refused(String),
    /// Who gives it cannot be reached.
    #[error("{0}")]
    Unavailable(String),
}

/// A request, as far as a credential may depend on it.
#[derive(Debug)]
pub struct Outline<'a> {
    /// Its method.
    pub method: &'a str,
    /// Where it goes.
    pub url: &'a Url,
    /// The plugin's headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
    /// When its answer must be there.
    pub ends: Instant,
}

/// What is attached to a request.
#[derive(Debug, Default)]
pub struct Attached {
    /// Headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What must not come back to the plugin.
    pub secrets: Vec<Secret>,
}

impl Attached {
    /// One header with a secret behind a prefix (`Bearer `).
    fn header(name: &HeaderName, prefix: &str, secret: &Secret) -> Result<Self, CredentialError> {
        let mut text = zeroize::Zeroizing::new(prefix.as_bytes().to_vec());
        text.extend_from_slice(secret.expose());
        let mut value = HeaderValue::from_bytes(&text).map_err(|_| {
            CredentialError::Misconfigured("the secret is not one line of visible text".to_owned())
        })?;
        value.set_sensitive(true);
        let mut secrets = vec![secret.clone()];
        secrets.extend(password(prefix, secret));
        Ok(Self { headers: vec![(name.clone(), value)], secrets })
    }
}

/// The password alone in a credential of HTTP's basic scheme (RFC 7617).
fn password(prefix: &str, secret: &Secret) -> Option<Secret> {
    if !prefix.trim_end().eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = zeroize::Zeroizing::new(data_encoding::BASE64.decode(secret.expose()).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(|password| Secret::new(password.to_vec()))
}

/// What attaching comes to.
type Attaching<'a> = Pin<Box<dyn Future<Output = Result<Attached, CredentialError>> + Send + 'a>>;

/// One way to come by a credential.
trait Provider: Send + Sync {
    /// The headers for this request.
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a>;

    /// The service refused what was attached: forgets it. Whether a new one may be had.
    fn refused(&self) -> bool;
}

/// A credential that can be attached.
pub struct Credential {
    name: String,
    provider: Box<dyn Provider>,
}

impl Credential {
    /// A credential by its plan; nothing is fetched yet.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub fn new(
        plan: &CredentialPlan,
        resolver: &Arc<dyn Resolver>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let provider = match &plan.kind {
            CredentialKind::Aws(keys) => aws::provider(keys, resolver, clock),
            CredentialKind::Google(account) => google::provider(account, resolver, clock),
            CredentialKind::Header(header) => header::provider(header),
            CredentialKind::Metadata(machine) => metadata::provider(machine, resolver, clock),
            CredentialKind::OAuth(client) => oauth::provider(client, resolver, clock),
            CredentialKind::Vault(login) => vault::provider(login, resolver, clock),
        };
        let provider = provider.map_err(|why| format!("credential {}: {why}", plan.name))?;
        Ok(Self { name: plan.name.clone(), provider })
    }

    /// What grants call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The headers for a request.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub async fn attach(&self, outline: &Outline<'_>) -> Result<Attached, CredentialError> {
        self.provider.attach(outline).await
    }

    /// A service refused what was attached. Whether another try may go better.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.provider.refused()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}
