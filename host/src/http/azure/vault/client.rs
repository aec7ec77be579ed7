//! The caller of Key Vault: challenged, authenticated, and told apart from others, before anything of
//! the body is read. Microsoft's clients send their first request without a token and without a body,
//! and learn of the answer whom to ask for a token, and for what.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;

use super::VaultSettings;
use crate::error::{Code, Refusal};
use crate::flow::vault::Actor;
use crate::flow::{Caller, Host};
use crate::http::auth::{asks, bearer_token};
use crate::http::azure::error::{Fault, Said};
use crate::http::azure::visit::Visitor;
use crate::http::door::Door;
use crate::http::gate::Peer;
use crate::permission::Permissions;

/// The longest access token, in bytes.
const LONGEST_TOKEN: usize = 16 << 10;

/// What a request without a token is told, word for word: clients match on it.
const MISSING: &str = "AKV10000: Request is missing a Bearer or PoP token.";
const INVALID: &str = "AKV10022: Invalid token: the token is not valid for this vault.";

/// Who asks a vault.
pub(in crate::http::azure) struct Client {
    pub(in crate::http::azure) caller: Caller,
    /// His name, as it stands in the audit log.
    pub(in crate::http::azure) principal: String,
    pub(in crate::http::azure) permissions: Permissions,
    /// `https://host[:port]` of the vault.
    pub(in crate::http::azure) url: String,
    /// As the request has it.
    pub(in crate::http::azure) api_version: String,
}

impl Client {
    pub(super) fn actor(&self) -> Actor<'_> {
        let Self { caller, principal, permissions, .. } = self;
        Actor { caller, principal, permissions }
    }
}

impl FromRequestParts<Door> for Client {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, door).await;
        let Visitor { caller, url } = visitor.map_err(IntoResponse::into_response)?;
        let refuse = |refusal: Refusal| Fault::from(refusal).into_response();
        let settings = vault(door).map_err(refuse)?;
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        let token = match (headers.next(), headers.next()) {
            (Some(only), None) => bearer_token(only.as_bytes()),
            _ => None,
        };
        let token = token.and_then(|token| std::str::from_utf8(token).ok());
        let Some(token) = token.filter(|token| token.len() <= LONGEST_TOKEN) else {
            let refusal = Refusal::new(Code::Unauthenticated, "no bearer token");
            return Err(challenge(settings, door, refusal, MISSING));
        };
        let now = host(door).map_err(refuse)?.now();
        let principal = match settings.principals.of_token(token, now).await {
            Ok(principal) => principal,
            Err(refusal) if refusal.code == Code::Unauthenticated => {
                let peer = parts.extensions.get::<Peer>();
                let counted = peer.map(|peer| door.authentication.count(peer.address.ip()));
                if let Some(Err(too_many)) = counted {
                    return Err(refuse(too_many));
                }
                return Err(challenge(settings, door, refusal, INVALID));
            }
            Err(refusal) => return Err(refuse(refusal)),
        };
        asks(parts, &caller, &principal.name);
        if principal.tenant.as_ref().is_some_and(|tenant| *tenant != caller.tenant) {
            let reason = format!("{} is not of tenant {}", principal.name, caller.tenant);
            return Err(refuse(Refusal::new(Code::Forbidden, reason)));
        }
        let api_version = api_version(parts.uri.query()).ok_or_else(|| {
            let reason = "the query has no `api-version`";
            refuse(Refusal::new(Code::RequestMalformed, reason))
        })?;
        Ok(Self {
            caller,
            principal: principal.name.clone(),
            permissions: principal.permissions.clone(),
            url,
            api_version,
        })
    }
}

/// The service, which is on where its routes are reached.
pub(super) fn vault(door: &Door) -> Result<&VaultSettings, Refusal> {
    let face = door.azure.as_ref();
    face.ok_or_else(|| Refusal::new(Code::NotFound, "the face is closed"))?.vault()
}

/// The host behind this face.
pub(super) fn host(door: &Door) -> Result<&Host, Refusal> {
    door.api.azure().ok_or_else(|| Refusal::new(Code::Internal, "no host is behind this face"))
}

/// Where to get a token, and for what. The resource's host is ours, so that a client sends no token for us
/// anywhere else: Microsoft's clients check that the vault's host stands below it.
fn challenge(
    settings: &VaultSettings,
    door: &Door,
    refusal: Refusal,
    message: &'static str,
) -> Response {
    let said = Said {
        status: StatusCode::UNAUTHORIZED,
        code: "Unauthorized",
        inner: None,
        message: message.to_owned(),
    };
    let resource = settings.resource.clone().or_else(|| Some(door.azure.as_ref()?.url()));
    let value = format!(
        "Bearer authorization=\"{}\", resource=\"{}\"",
        settings.authorization,
        resource.unwrap_or_default()
    );
    let mut response = Fault::new(refusal, said).into_response();
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// `api-version` of a query: known or newer ones alike. It is repeated in signed answers, so that its
/// alphabet is narrow.
fn api_version(query: Option<&str>) -> Option<String> {
    let version = parameter(query, "api-version")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    ((1..=32).contains(&version.len()) && version.bytes().all(plain)).then(|| version.to_owned())
}

/// The one parameter of this name.
pub(super) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut found = query?.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = found.by_ref().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_taken_once_and_plain() {
        for (query, version) in [
            ("api-version=7.4", Some("7.4")),
            ("x=1&API-Version=2025-07-01&y=2", Some("2025-07-01")),
            ("api-version=9999-12-31-preview", Some("9999-12-31-preview")),
            ("api-version=7.4&api-version=7.3", None),
            ("api-version=", None),
            ("api-version=%22", None),
            ("", None),
        ] {
            assert_eq!(api_version(Some(query)).as_deref(), version, "{query}");
        }
        assert_eq!(api_version(None), None);
    }
}
