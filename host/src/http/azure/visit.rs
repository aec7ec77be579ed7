//! A request that is for this face, as the gate found out: before anything is asked of it.

use axum::extract::{FromRequestParts, Request};
use http::Uri;
use http::header::{HOST, HeaderMap};
use http::request::Parts;

use super::authority::Addressed;
use super::path::{self, Service};
use super::{AttestationSettings, Face, VaultSettings};
use crate::error::{Code, Refusal};
use crate::flow::Caller;
use crate::http::door::Door;
use crate::http::gate::RequestId;
use crate::http::problem::Refused;
use crate::tenant::Tenant;

/// Which service is meant, and which vault.
#[derive(Clone, Debug)]
pub(in crate::http) struct Visit {
    pub(super) service: Service,
    /// The vault, or why there is none.
    addressed: Result<Addressed, Refusal>,
    /// The path is spelled plainly, or is not.
    spelled: Result<(), Refusal>,
}

impl Face {
    /// Key Vault, where it is on.
    pub(super) fn vault(&self) -> Result<&VaultSettings, Refusal> {
        self.vault.as_ref().ok_or_else(closed)
    }

    /// Attestation, where it is on.
    pub(super) fn attestation(&self) -> Result<&AttestationSettings, Refusal> {
        self.attestation.as_ref().ok_or_else(closed)
    }

    /// `https://host[:port]`, of the default tenant.
    pub(super) fn url(&self) -> String {
        self.authority.url()
    }

    /// `https://host[:port]` of whom this `Host` names.
    pub(super) fn addressed(&self, host: Option<&str>) -> Result<String, Refusal> {
        self.authority.of(host).map(|addressed| addressed.url)
    }

    /// Every URL of a tenant's.
    pub(super) fn urls_of(&self, tenant: &Tenant) -> Vec<String> {
        self.authority.urls_of(tenant)
    }

    /// Whether this `Host` is one of the face's own names, and not merely somewhere that leads here.
    pub(super) fn is_named(&self, host: Option<&str>) -> bool {
        host.is_some_and(|host| self.authority.names_it(host))
    }

    /// What the face makes of a request, whose path is put into its one spelling; none: it is the
    /// native API's.
    pub(in crate::http) fn visit(&self, request: &mut Request) -> Option<Visit> {
        let service = Service::of(request.uri().path())?;
        let on = match service {
            Service::Attestation => self.attestation.is_some(),
            Service::Vault => self.vault.is_some(),
        };
        if !on {
            return None;
        }
        let addressed = self.authority.of(host(request.uri(), request.headers()));
        let spelled = path::normal(request.uri().path()).and_then(|path| {
            let uri = match request.uri().query() {
                None => path,
                Some(query) => format!("{path}?{query}"),
            };
            let parsed = uri.parse::<Uri>();
            *request.uri_mut() =
                parsed.map_err(|error| Refusal::new(Code::NotFound, error.to_string()))?;
            Ok(())
        });
        let visit = Visit { service, addressed, spelled };
        request.extensions_mut().insert(visit.clone());
        Some(visit)
    }
}

impl Visit {
    /// Refuses a request that is for no vault, or whose path is not spelled plainly.
    pub(in crate::http) fn check(&self) -> Result<(), Refusal> {
        self.spelled.clone()?;
        self.addressed.clone().map(drop)
    }

    /// Where the vault is reached.
    pub(super) fn addressed(&self) -> Result<&Addressed, Refusal> {
        self.addressed.as_ref().map_err(Clone::clone)
    }
}

/// `host[:port]` as the client wrote it: the authority of HTTP/2, or the one header `Host`.
pub(in crate::http) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// The caller at this face: the tenant comes of the host name.
pub(super) struct Visitor {
    pub(super) caller: Caller,
    /// `https://host[:port]`.
    pub(super) url: String,
}

impl FromRequestParts<Door> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &Door) -> Result<Self, Refused> {
        let visit = parts.extensions.get::<Visit>();
        let visit = visit.ok_or_else(|| Refused::new(Code::NotFound, "not of this face"))?;
        let addressed = visit.addressed()?;
        let id = parts.extensions.get::<RequestId>();
        let id = id.ok_or_else(|| Refused::new(Code::Internal, "a request without identifier"))?;
        let caller = Caller { request_id: id.0.to_string(), tenant: addressed.tenant.clone() };
        Ok(Self { caller, url: addressed.url.clone() })
    }
}

fn closed() -> Refusal {
    Refusal::new(Code::NotFound, "the service is not turned on")
}
