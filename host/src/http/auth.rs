//! Who administers: a bearer token (RFC 6750) or a client certificate, from the operator's list.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::caller::Asks;
use super::door::Door;
use super::gate::{Asking, Known, Peer};
use super::problem::Refused;
use super::rate::RateLimiter;
use super::settings::Rate;
use crate::error::{Code, Refusal};
use crate::flow::Caller;
use crate::flow::vault::Actor;
use crate::permission::{Permission, Permissions};
use crate::tenant::Tenant;

/// One administrator and what proves that it is him.
#[derive(Clone, Debug)]
pub struct Administrator {
    /// His name, as it stands in the audit log.
    pub name: String,
    /// The one tenant whose keys he administers; none: every tenant's.
    pub tenant: Option<Tenant>,
    /// What he may do there.
    pub permissions: Permissions,
    /// What he shows.
    pub credential: Credential,
}

/// What proves that somebody is a certain administrator. The host keeps hashes only.
#[derive(Clone, Debug)]
pub enum Credential {
    /// SHA-256 of the DER of a client certificate that leads to the operators' CA.
    Certificate([u8; 32]),
    /// SHA-256 of a bearer token, which is random enough not to be guessed from its hash.
    Token([u8; 32]),
}

impl Credential {
    /// The credential that a bearer token proves.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        Self::Token(sha256(token.as_bytes()))
    }
}

/// The administrators of one listener; on a listener without any, nobody is one.
pub(super) struct Authentication {
    administrators: Vec<Administrator>,
    failures: RateLimiter,
}

impl Authentication {
    pub(super) fn new(administrators: Vec<Administrator>, failures: Rate) -> Self {
        Self { administrators, failures: RateLimiter::new(failures) }
    }

    /// Every failure gets the same answer, whether the credential is missing, malformed or unknown.
    /// Failures are charged to the client's address; a valid credential is never made to wait, or a
    /// stranger behind the same address could lock the administrators out.
    fn authenticate(
        &self,
        peer: &Peer,
        authorization: Option<&[u8]>,
    ) -> Result<&Administrator, Refused> {
        let token = authorization.and_then(bearer_token).map(sha256);
        let found = token
            .and_then(|hash| {
                self.find(|credential| match credential {
                    Credential::Token(known) => Some((*known, hash)),
                    Credential::Certificate(_) => None,
                })
            })
            .or_else(|| {
                peer.certificate.and_then(|hash| {
                    self.find(|credential| match credential {
                        Credential::Certificate(known) => Some((*known, hash)),
                        Credential::Token(_) => None,
                    })
                })
            });
        found.ok_or_else(|| self.failed(peer.address.ip(), authorization.is_some()))
    }

    /// Compares with every administrator, in constant time, and stops at none.
    fn find(
        &self,
        pair: impl Fn(&Credential) -> Option<([u8; 32], [u8; 32])>,
    ) -> Option<&Administrator> {
        let mut found = None;
        for administrator in &self.administrators {
            if let Some((known, shown)) = pair(&administrator.credential)
                && bool::from(known.ct_eq(&shown))
            {
                found = Some(administrator);
            }
        }
        found
    }

    /// Counts a failed guess of a client.
    pub(super) fn count(&self, client: IpAddr) -> Result<(), Refusal> {
        self.failures.take(client).map_err(|wait| {
            Refusal::new(Code::RateLimited, "too many failed authentications").retry_after(wait)
        })
    }

    /// Nothing shown is no guess and does not count.
    fn failed(&self, client: IpAddr, guessed: bool) -> Refused {
        let counted = if guessed { self.count(client) } else { Ok(()) };
        let refusal = counted.err().unwrap_or_else(|| {
            Refusal::new(Code::Unauthenticated, "no credential of an administrator")
        });
        refusal.into()
    }
}

/// The administrator who asks, permitted for the tenant in the path. His name is had only by asking
/// whether he may do what is asked for.
pub(super) struct Principal {
    name: String,
    permissions: Permissions,
}

impl Principal {
    /// His name, if he may.
    pub(super) fn may(&self, permission: Permission) -> Result<&str, Refusal> {
        self.permissions.require(permission, &self.name)?;
        Ok(&self.name)
    }

    /// What a vault asks of him.
    pub(super) fn actor<'a>(&'a self, caller: &'a Caller) -> Actor<'a> {
        Actor { caller, principal: &self.name, permissions: &self.permissions }
    }
}

impl FromRequestParts<Door> for Principal {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Refused> {
        let Administrator { name, tenant, permissions, .. } = administrator(parts, door)?;
        let (name, permissions) = (name.clone(), permissions.clone());
        let Asks(caller) = Asks::from_request_parts(parts, door).await?;
        asks(parts, &caller, &name);
        if tenant.as_ref().is_some_and(|tenant| *tenant != caller.tenant) {
            let reason = format!("{name} does not administer tenant {}", caller.tenant);
            return Err(Refused::new(Code::Forbidden, reason));
        }
        if let Some(known) = parts.extensions.get::<Known>() {
            known.set();
        }
        Ok(Self { name, permissions })
    }
}

/// An administrator of every tenant, who asks for what is the host's and no tenant's.
pub(super) struct Operator(Principal);

impl Operator {
    /// His name, if he may.
    pub(super) fn may(&self, permission: Permission) -> Result<&str, Refusal> {
        self.0.may(permission)
    }
}

impl FromRequestParts<Door> for Operator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Refused> {
        let Administrator { name, tenant, permissions, .. } = administrator(parts, door)?;
        let Asks(caller) = Asks::from_request_parts(parts, door).await?;
        asks(parts, &caller, name);
        if let Some(tenant) = tenant {
            let reason = format!("{name} administers tenant {tenant} only");
            return Err(Refused::new(Code::Forbidden, reason));
        }
        if let Some(known) = parts.extensions.get::<Known>() {
            known.set();
        }
        Ok(Self(Principal { name: name.clone(), permissions: permissions.clone() }))
    }
}

/// Leaves word of who asks, for the case that he is refused.
pub(super) fn asks(parts: &Parts, caller: &Caller, name: &str) {
    if let Some(asking) = parts.extensions.get::<Asking>() {
        asking.set(caller, name);
    }
}

/// Who shows a credential.
fn administrator<'a>(parts: &Parts, door: &'a Door) -> Result<&'a Administrator, Refused> {
    let peer = parts.extensions.get::<Peer>().copied();
    let peer = peer.ok_or_else(|| Refused::new(Code::Internal, "a request without a peer"))?;
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let authorization = match (headers.next(), headers.next()) {
        (Some(only), None) => Some(only.as_bytes()),
        _ => None,
    };
    door.authentication.authenticate(&peer, authorization)
}

/// The token in `Bearer <token>`; the scheme in any case (RFC 9110, section 11.1), one space.
pub(super) fn bearer_token(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(7)?;
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let computed = digest(&SHA256, bytes);
    for (to, from) in hash.iter_mut().zip(computed.as_ref()) {
        *to = *from;
    }
    hash
}
