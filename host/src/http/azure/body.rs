//! Bodies at this face: JSON, in which members may be `null` or unknown (clients of newer versions
//! send more than was documented), but never stand twice. The media type is not looked at: neither
//! do Microsoft's services, and not all clients say one.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::{Code, Refusal};
use crate::http::body::read;
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::json::{self, Limits};

/// A JSON body, parsed; an empty one is read as `{}`.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Door> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refused> {
        let bytes = read(request, &door.settings).await?;
        Ok(Self(parse(&bytes, limits(door))?))
    }
}

/// A body whose shape depends on the path.
pub(super) struct Raw {
    bytes: Zeroizing<Vec<u8>>,
    limits: Limits,
}

impl Raw {
    /// Reads it; an empty one is read as `{}`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        parse(&self.bytes, self.limits)
    }
}

impl FromRequest<Door> for Raw {
    type Rejection = Refused;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refused> {
        let bytes = read(request, &door.settings).await?;
        Ok(Self { bytes, limits: limits(door) })
    }
}

fn limits(door: &Door) -> Limits {
    Limits {
        depth: door.settings.json_depth,
        nulls: true,
        ..Limits::REQUEST.with_bytes(door.settings.body_bytes)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, Refusal> {
    let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    json::parse(text, limits)
        .map_err(|error| Refusal::new(Code::RequestMalformed, error.to_string()))
}
