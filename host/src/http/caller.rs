//! Who asks, and for what, as far as the request's path says.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::gate::RequestId;
use super::problem::Refused;
use crate::error::Code;
use crate::flow::Caller;
use crate::tenant::Tenant;

/// The caller: the tenant stands in the path (`/t/{tenant}/…`) or is the default one.
pub(super) struct Asks(pub(super) Caller);

/// The key's name in the path. Whether it is a name is for the flow to say.
pub(super) struct KeyName(pub(super) String);

/// The plugin's name in the path. Whether there is one is for the flow to say.
pub(super) struct PluginName(pub(super) String);

/// The identifier of another request in the path. Whether it is one is for the flow to say.
pub(super) struct RequestName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Asks {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let tenant = match parameter(parts, state, "tenant").await? {
            None => Tenant::default(),
            Some(name) => Tenant::parse(&name)
                .map_err(|error| Refused::new(Code::NotFound, format!("{error}: {name:?}")))?,
        };
        let id = parts.extensions.get::<RequestId>();
        let id = id.ok_or_else(|| Refused::new(Code::Internal, "a request without identifier"))?;
        Ok(Self(Caller { request_id: id.0.to_string(), tenant }))
    }
}

/// The identifier in the path. Whether it names something is for the flow to say.
pub(super) struct Identifier(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Identifier {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let id = parameter(parts, state, "id").await?;
        id.map(Self).ok_or_else(|| Refused::new(Code::Internal, "the route has no {id}"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for KeyName {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let name = parameter(parts, state, "name").await?;
        name.map(Self).ok_or_else(|| Refused::new(Code::Internal, "the route has no {name}"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PluginName {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let name = parameter(parts, state, "name").await?;
        name.map(Self).ok_or_else(|| Refused::new(Code::Internal, "the route has no {name}"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestName {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let id = parameter(parts, state, "id").await?;
        id.map(Self).ok_or_else(|| Refused::new(Code::Internal, "the route has no {id}"))
    }
}

async fn parameter<S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<Option<String>, Refused> {
    let parameters = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|error| Refused::new(Code::NotFound, error.to_string()))?;
    let found = parameters.iter().find(|(key, _)| *key == name);
    Ok(found.map(|(_, value)| value.to_owned()))
}
