//! The services that the operator lists, each with where its keys come from.

use std::sync::Arc;

use super::discovery::{Discovery, https};
use super::jwks::KeySet;
use super::{ForeignError, jwt};
use crate::clock::Timestamp;

/// A service, as the operator lists it.
#[derive(Clone, Debug)]
pub struct IssuerPlan {
    /// `iss` of its tokens, exactly; an https URL without query.
    pub issuer: String,
    /// The `aud` that its tokens must have; none: any, or none.
    pub audience: Option<String>,
    /// The certificate authorities of its server, PEM.
    pub ca: Option<Vec<u8>>,
    /// Its keys, a JWK Set, in place of discovery.
    pub jwks: Option<Vec<u8>>,
    /// Another host (`host` or `host:port`) that `jwks_uri` may be on.
    pub jwks_host: Option<String>,
    /// How old a token may be, in seconds since `iat`.
    pub max_token_age: u64,
}

/// A service whose tokens are looked at.
pub struct Issuer {
    issuer: String,
    audience: Option<String>,
    max_token_age: u64,
    source: Source,
    own: bool,
}

enum Source {
    Pinned(Arc<KeySet>),
    Discovered(Arc<Discovery>),
}

impl Issuer {
    fn new(plan: IssuerPlan) -> Result<Self, String> {
        https(&plan.issuer)?;
        let source = match (&plan.jwks, &plan.ca) {
            (Some(keys), None) if plan.jwks_host.is_none() => {
                Source::Pinned(Arc::new(KeySet::read(keys)?))
            }
            (None, Some(ca)) => {
                Source::Discovered(Arc::new(Discovery::new(&plan.issuer, ca, plan.jwks_host)?))
            }
            _ => return Err("one of `jwks` (pinned keys) and `ca` (discovery)".to_owned()),
        };
        let IssuerPlan { issuer, audience, max_token_age, .. } = plan;
        Ok(Self { issuer, audience, max_token_age, source, own: false })
    }

    /// The service that this host is itself, by keys of its own: what it says of its results is believed.
    ///
    /// # Errors
    /// What is wrong with URL or keys.
    pub fn own(issuer: String, jwks: Vec<u8>, max_token_age: u64) -> Result<Self, String> {
        let jwks = Some(jwks);
        let plan =
            IssuerPlan { issuer, audience: None, ca: None, jwks, jwks_host: None, max_token_age };
        Ok(Self { own: true, ..Self::new(plan)? })
    }

    pub(super) fn is_own(&self) -> bool {
        self.own
    }

    /// `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.issuer
    }

    pub(super) fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    pub(super) fn max_token_age(&self) -> u64 {
        self.max_token_age
    }

    /// The service's keys, as good as they can be had now to find `kid` among them.
    pub(super) async fn keys(
        &self,
        kid: &str,
        now: Timestamp,
    ) -> Result<Arc<KeySet>, ForeignError> {
        match &self.source {
            Source::Pinned(keys) => Ok(Arc::clone(keys)),
            Source::Discovered(discovery) => discovery.keys(kid, now).await,
        }
    }
}

/// Every service that is listed.
#[derive(Default)]
pub struct Issuers(Vec<Issuer>);

impl Issuers {
    /// From what the operator lists; `own` is this host's `iss`, which nobody else has.
    ///
    /// # Errors
    /// Which service is listed wrongly, and how.
    pub fn new(plans: Vec<IssuerPlan>, own: &str) -> Result<Self, String> {
        let plain = |url: &str| url.strip_suffix('/').unwrap_or(url).to_owned();
        let mut taken = vec![plain(own)];
        let mut issuers = Vec::new();
        for plan in plans {
            let place = plan.issuer.clone();
            // A release policy does not tell a URL from the same one with a slash at its end.
            if taken.contains(&plain(&place)) {
                return Err(format!("{place}: is listed twice, or this host's own"));
            }
            taken.push(plain(&place));
            let issuer = Issuer::new(plan).map_err(|reason| format!("{place}: {reason}"))?;
            issuers.push(issuer);
        }
        Ok(Self(issuers))
    }

    /// The service that a token says it is of.
    #[must_use]
    pub fn of_token(&self, token: &str) -> Option<&Issuer> {
        if self.0.is_empty() {
            return None;
        }
        let said = jwt::said_issuer(token)?;
        self.0.iter().find(|issuer| issuer.issuer == said)
    }
}
