//! Logins at Vault and OpenBao: AppRole, JWT, Kubernetes (`/v1/auth/{mount}/login` of each). The
//! token that a login gives is attached as `x-vault-token`.

use std::sync::Arc;
use std::time::Instant;

use http::header::HeaderName;
use serde_json::json;

use super::cache::{Cache, Token};
use super::endpoint::{self, Ask, Endpoint, EndpointPlan};
use super::source::{SecretSource, Source};
use super::{Attached, Attaching, CredentialError, Outline, Provider};
use crate::clock::Clock;
use crate::egress::Resolver;
use crate::secret::Secret;

/// A token without an end is fetched again all the same, in seconds.
const LONGEST: u64 = 3_600;

/// Where the login is, and how.
#[derive(Clone, Debug)]
pub struct VaultPlan {
    /// The server.
    pub endpoint: EndpointPlan,
    /// Where the method is mounted: `approle`, `kubernetes`.
    pub mount: String,
    /// The namespace of the mount.
    pub namespace: Option<String>,
    /// How.
    pub login: VaultLogin,
}

/// How a host logs in.
#[derive(Clone, Debug)]
pub enum VaultLogin {
    /// `role_id`, and a `secret_id` where the role wants one.
    AppRole {
        /// The role's identifier, which is no secret.
        role_id: String,
        /// Where the secret identifier stands.
        secret_id: Option<SecretSource>,
    },
    /// A token of another service: a JWT's issuer, or a Kubernetes service account.
    Jwt {
        /// The role that is asked for.
        role: String,
        /// Where the token stands.
        token: SecretSource,
    },
}

struct Vault {
    endpoint: Endpoint,
    path: String,
    namespace: Option<String>,
    login: Login,
    cache: Cache,
}

enum Login {
    AppRole(String, Option<Source>),
    Jwt(String, Source),
}

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");

pub(super) fn provider(
    plan: &VaultPlan,
    resolver: &Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Provider>, String> {
    let login = match &plan.login {
        VaultLogin::AppRole { role_id, secret_id } => {
            Login::AppRole(role_id.clone(), secret_id.as_ref().map(Source::new))
        }
        VaultLogin::Jwt { role, token } => Login::Jwt(role.clone(), Source::new(token)),
    };
    Ok(Box::new(Vault {
        endpoint: Endpoint::new(&plan.endpoint, resolver, clock)?,
        path: format!("/v1/auth/{}/login", plan.mount.trim_matches('/')),
        namespace: plan.namespace.clone(),
        login,
        cache: Cache::new(clock),
    }))
}

impl Vault {
    async fn log_in(&self, ends: Instant) -> Result<Token, CredentialError> {
        let text = |secret: Secret| {
            let text = std::str::from_utf8(secret.expose()).map(str::to_owned);
            text.map_err(|_| CredentialError::Misconfigured("the secret is not text".to_owned()))
        };
        let body = match &self.login {
            Login::AppRole(role_id, None) => json!({ "role_id": role_id }),
            Login::AppRole(role_id, Some(secret_id)) => {
                json!({ "role_id": role_id, "secret_id": text(secret_id.read()?)? })
            }
            Login::Jwt(role, token) => json!({ "role": role, "jwt": text(token.read()?)? }),
        };
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(namespace) = &self.namespace {
            headers.push(("x-vault-namespace".to_owned(), namespace.clone()));
        }
        let body = body.to_string().into_bytes();
        let ask = Ask { method: "POST", path: &self.path, headers, body };
        let answer = self.endpoint.ask_json(ask, ends).await?;
        let token = endpoint::text(&answer, "/auth/client_token").ok_or_else(|| {
            CredentialError::Unavailable("the login's answer has no token".to_owned())
        })?;
        let lifetime = endpoint::seconds(&answer, "/auth/lease_duration");
        let lifetime = lifetime.filter(|seconds| *seconds > 0).unwrap_or(LONGEST).min(LONGEST);
        Ok(Token { secret: Secret::new(token.as_bytes().to_vec()), lifetime })
    }
}

impl Provider for Vault {
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async {
            let token = self.cache.get(|| self.log_in(outline.ends)).await?;
            Attached::header(&TOKEN, "", &token)
        })
    }

    fn refused(&self) -> bool {
        self.cache.refused()
    }
}
