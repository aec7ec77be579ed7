//! Tokens by OAuth's client credentials (RFC 6749, section 4.4), with a secret or with a token of the
//! platform in its place (RFC 7523, section 2.2): Azure's workload identity is the latter.

use std::sync::Arc;
use std::time::Instant;

use http::header::AUTHORIZATION;

use super::cache::{Cache, Token};
use super::endpoint::{self, Endpoint, EndpointPlan};
use super::form::Form;
use super::source::{SecretSource, Source};
use super::{Attached, Attaching, CredentialError, Outline, Provider};
use crate::clock::Clock;
use crate::egress::Resolver;
use crate::secret::Secret;

/// The type of a client assertion that is a JWT.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where tokens are given, and to whom.
#[derive(Clone, Debug)]
pub struct OAuthPlan {
    /// The authorization server.
    pub endpoint: EndpointPlan,
    /// The path of its token endpoint: `/oauth2/token`.
    pub path: String,
    /// Who this host is there.
    pub client_id: String,
    /// What the token is for.
    pub scope: Option<String>,
    /// How it proves that.
    pub proof: OAuthProof,
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum OAuthProof {
    /// A JWT of the platform's.
    Assertion(SecretSource),
    /// A secret.
    Secret(SecretSource),
}

struct OAuth {
    endpoint: Endpoint,
    path: String,
    client_id: String,
    scope: Option<String>,
    assertion: bool,
    proof: Source,
    cache: Cache,
}

pub(super) fn provider(
    plan: &OAuthPlan,
    resolver: &Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Provider>, String> {
    let (assertion, proof) = match &plan.proof {
        OAuthProof::Assertion(source) => (true, source),
        OAuthProof::Secret(source) => (false, source),
    };
    Ok(Box::new(OAuth {
        endpoint: Endpoint::new(&plan.endpoint, resolver, clock)?,
        path: plan.path.clone(),
        client_id: plan.client_id.clone(),
        scope: plan.scope.clone(),
        assertion,
        proof: Source::new(proof),
        cache: Cache::new(clock),
    }))
}

impl OAuth {
    async fn fetch(&self, ends: Instant) -> Result<Token, CredentialError> {
        let proof = self.proof.read()?;
        let mut form = Form::default();
        form.add("grant_type", b"client_credentials");
        form.add("client_id", self.client_id.as_bytes());
        if let Some(scope) = &self.scope {
            form.add("scope", scope.as_bytes());
        }
        if self.assertion {
            form.add("client_assertion_type", JWT_BEARER.as_bytes());
            form.add("client_assertion", proof.expose());
        } else {
            form.add("client_secret", proof.expose());
        }
        let ask = form.ask(&self.path);
        access_token(&self.endpoint.ask_json(ask, ends).await?)
    }
}

/// The token of an answer (RFC 6749, section 5.1).
pub(super) fn access_token(answer: &serde_json::Value) -> Result<Token, CredentialError> {
    let token = endpoint::text(answer, "/access_token")
        .ok_or_else(|| CredentialError::Unavailable("the answer has no token".to_owned()))?;
    let lifetime = endpoint::seconds(answer, "/expires_in").unwrap_or(300);
    Ok(Token { secret: Secret::new(token.as_bytes().to_vec()), lifetime })
}

/// `authorization: Bearer …`.
pub(super) fn bearer(token: &Secret) -> Result<Attached, CredentialError> {
    Attached::header(&AUTHORIZATION, "Bearer ", token)
}

impl Provider for OAuth {
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async { bearer(&self.cache.get(|| self.fetch(outline.ends)).await?) })
    }

    fn refused(&self) -> bool {
        self.cache.refused()
    }
}
