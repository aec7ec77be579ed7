//! Who asks at this face: a bearer token (RFC 6750) of an identity service that the operator lists, or
//! a random one whose hash stands in the configuration.

use std::collections::BTreeMap;

use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::foreign::Issuers;
use crate::http::auth::sha256;
use crate::permission::Permissions;
use crate::tenant::Tenant;

/// Somebody who may do something here.
#[derive(Clone, Debug)]
pub struct Principal {
    /// His name, as it stands in the audit log.
    pub name: String,
    /// The one tenant whose keys he sees; none: every tenant's.
    pub tenant: Option<Tenant>,
    /// What proves that it is him.
    pub proof: Proof,
    /// What he may do.
    pub permissions: Permissions,
}

/// What proves that somebody is a certain principal.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Claims that his access token has, as a listed service signed it: `oid`, `appid`, `azp`, `sub`.
    Claims {
        /// The service's `iss`.
        issuer: String,
        /// Every one of them, exactly.
        claims: BTreeMap<String, String>,
    },
    /// SHA-256 of a bearer token, which is random enough not to be guessed from its hash.
    Token([u8; 32]),
}

/// Everybody who may do something, and the services that say who somebody is.
#[derive(Default)]
pub struct Principals {
    principals: Vec<Principal>,
    issuers: Issuers,
}

impl std::fmt::Debug for Principals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.principals.iter().map(|principal| &principal.name)).finish()
    }
}

impl Principals {
    /// `issuers`: whose access tokens are looked at.
    #[must_use]
    pub fn new(principals: Vec<Principal>, issuers: Issuers) -> Self {
        Self { principals, issuers }
    }

    /// Who shows this token. A token that proves nothing and one that proves somebody who is not listed
    /// are told apart: the one is asked for again, the other is not.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], [`Code::Forbidden`], [`Code::AuthorityUnavailable`].
    pub(super) async fn of_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<&Principal, Refusal> {
        if let Some(principal) = self.of_hash(sha256(token.as_bytes())) {
            return Ok(principal);
        }
        let unknown = || Refusal::new(Code::Unauthenticated, "a token that nobody is known by");
        let issuer = self.issuers.of_token(token).ok_or_else(unknown)?;
        let claims = issuer.check_access(token, now).await.map_err(|error| {
            let refusal = error.refusal(issuer.name());
            match refusal.code {
                Code::AuthorityUnavailable => refusal,
                _ => Refusal { code: Code::Unauthenticated, ..refusal },
            }
        })?;
        let is = |principal: &&Principal| match &principal.proof {
            Proof::Token(_) => false,
            Proof::Claims { issuer: of, claims: wanted } => {
                let has = |(name, value): (&String, &String)| {
                    claims.get(name).and_then(Value::as_str) == Some(value)
                };
                of == issuer.name() && !wanted.is_empty() && wanted.iter().all(has)
            }
        };
        self.principals.iter().find(is).ok_or_else(|| {
            let reason = format!("{} vouches for somebody who is not listed", issuer.name());
            Refusal::new(Code::Forbidden, reason)
        })
    }

    /// Compares with everybody, in constant time, and stops at none.
    fn of_hash(&self, shown: [u8; 32]) -> Option<&Principal> {
        let mut found = None;
        for principal in &self.principals {
            if let Proof::Token(known) = &principal.proof
                && bool::from(known.ct_eq(&shown))
            {
                found = Some(principal);
            }
        }
        found
    }
}
