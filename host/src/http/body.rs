//! Bodies, strictly. JSON: the right media type, no content coding, bounded before it is read,
//! no member that is unknown or stands twice.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::door::Door;
use super::problem::Refused;
use super::settings::HttpSettings;
use crate::error::{Code, Refusal};
use crate::json::{self, Limits};
use crate::plugin::Package;
use crate::plugin::package::{ArchiveError, COMPONENT_TYPE, LARGEST_PACKAGE};
use crate::reference::Container;

/// A JSON body, parsed.
pub(super) struct Json<T>(pub(super) T);

/// A JSON body that may be left out.
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Door> for Json<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refused> {
        require_json(request.headers())?;
        let bytes = read(request, &door.settings).await?;
        Ok(Self(parse(&bytes, &door.settings)?))
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Door> for OptionalJson<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refused> {
        let media_type = require_json(request.headers());
        let bytes = read(request, &door.settings).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        media_type?;
        Ok(Self(parse(&bytes, &door.settings)?))
    }
}

/// A reference document, as it came. Whoever reads it bounds it further.
pub(super) struct Document {
    pub(super) container: Container,
    pub(super) bytes: Vec<u8>,
}

impl FromRequest<Door> for Document {
    type Rejection = Refused;

    async fn from_request(request: Request, door: &Door) -> Result<Self, Refused> {
        let media_type = media_type(request.headers())?;
        let container = Container::of_media_type(media_type).ok_or_else(|| {
            Refusal::new(Code::UnsupportedMediaType, format!("content-type {media_type:?}"))
        })?;
        let bytes = read(request, &door.settings).await?.to_vec();
        Ok(Self { container, bytes })
    }
}

/// The media type of a plugin's package: a tar archive of an OCI image layout.
pub(crate) const PACKAGE_TYPE: &str = "application/x-tar";

/// From the head of an upload to its last byte; less than a request may take in all.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(25);

/// A plugin's package: an archive, or a bare component.
pub(super) struct Upload(pub(super) Package);

impl FromRequest<Door> for Upload {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &Door) -> Result<Self, Refused> {
        let archived = match media_type(request.headers())? {
            PACKAGE_TYPE => true,
            COMPONENT_TYPE => false,
            other => {
                let reason = format!("content-type {other:?}");
                return Err(Refused::new(Code::UnsupportedMediaType, reason));
            }
        };
        // Only an administrator gets this far: his body may be large, and take its time.
        let bytes = read_bounded(request, LARGEST_PACKAGE, UPLOAD_TIMEOUT).await?;
        if !archived {
            return Ok(Self(Package::unsigned(bytes.to_vec())));
        }
        let package = Package::from_archive(&bytes);
        let malformed =
            |error: ArchiveError| Refusal::new(Code::RequestMalformed, error.to_string());
        Ok(Self(package.map_err(malformed)?))
    }
}

/// The one media type, without a content coding.
fn media_type(headers: &HeaderMap) -> Result<&str, Refusal> {
    let refuse = |reason: String| Refusal::new(Code::UnsupportedMediaType, reason);
    if let Some(coding) = headers.get(CONTENT_ENCODING) {
        return Err(refuse(format!("content-encoding {coding:?}")));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(one), None) => one.to_str().map_err(|_| refuse(format!("content-type {one:?}"))),
        (found, _) => Err(refuse(format!("content-type {found:?}"))),
    }
}

/// A body is taken as it is: nothing here decompresses, so nothing small can become large.
fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let media_type = media_type(headers)?;
    if is_json(media_type.as_bytes()) {
        return Ok(());
    }
    Err(Refusal::new(Code::UnsupportedMediaType, format!("content-type {media_type:?}")))
}

/// `application/json`, with no parameter but `charset=utf-8` (RFC 8259 defines none).
fn is_json(media_type: &[u8]) -> bool {
    let mut parts = media_type.splitn(2, |byte| *byte == b';').map(<[u8]>::trim_ascii);
    let essence = parts.next().unwrap_or_default();
    let parameter = parts.next();
    essence.eq_ignore_ascii_case(b"application/json")
        && parameter.is_none_or(|parameter| parameter.eq_ignore_ascii_case(b"charset=utf-8"))
}

/// The whole body; a declared size over the limit is refused before a byte is read.
pub(super) async fn read(
    request: Request,
    settings: &HttpSettings,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    read_bounded(request, settings.body_bytes, settings.body_timeout).await
}

async fn read_bounded(
    request: Request,
    limit: usize,
    timeout: Duration,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let too_large = || Refusal::new(Code::RequestTooLarge, format!("more than {limit} bytes"));
    let declared = declared_length(request.headers(), CONTENT_LENGTH);
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let reading = collect(Limited::new(request.into_body(), limit), declared, too_large);
    tokio::time::timeout(timeout, reading).await.map_err(|_| {
        let reason = format!("the body did not arrive within {timeout:?}");
        Refusal::new(Code::RequestTimeout, reason)
    })?
}

async fn collect(
    mut body: Limited<Body>,
    declared: Option<usize>,
    too_large: impl Fn() -> Refusal,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(declared.unwrap_or(0)));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() {
                too_large()
            } else {
                Refusal::new(Code::RequestMalformed, format!("the body broke off: {error}"))
            }
        })?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

fn declared_length(headers: &HeaderMap, name: HeaderName) -> Option<usize> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn parse<T: DeserializeOwned>(bytes: &[u8], settings: &HttpSettings) -> Result<T, Refusal> {
    let limits =
        Limits { depth: settings.json_depth, ..Limits::REQUEST.with_bytes(settings.body_bytes) };
    json::parse(bytes, limits)
        .map_err(|error| Refusal::new(Code::RequestMalformed, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_media_type_is_read() {
        for taken in ["application/json", "Application/JSON", "application/json; charset=UTF-8"] {
            assert!(is_json(taken.as_bytes()), "{taken}");
        }
        for refused in [
            "",
            "text/json",
            "application/jsonp",
            "application/json; charset=utf-16",
            "application/json;",
        ] {
            assert!(!is_json(refused.as_bytes()), "{refused}");
        }
    }
}
