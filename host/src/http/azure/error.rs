//! Refusals in the services' own envelope:
//! `{"error":{"code","message","innererror":{"code"}}}`, with the code once more in a header.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;

use super::path::Service;
use super::visit::Visit;
use crate::error::{Code, Refusal};

/// The request's identifier, where Microsoft's clients look for it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The error's code, where Microsoft's clients look for it.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// A refusal that one of the services says in words of its own.
#[derive(Debug)]
pub(super) struct Fault {
    refusal: Refusal,
    said: Option<Said>,
}

/// What the caller is told.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// `error.code`: `BadParameter`, `Forbidden`, …
    pub(super) code: &'static str,
    /// `error.innererror.code`.
    pub(super) inner: Option<&'static str>,
    /// `error.message`.
    pub(super) message: String,
}

impl Fault {
    /// A refusal, and what the caller is told of it.
    pub(super) fn new(refusal: Refusal, said: Said) -> Self {
        Self { refusal, said: Some(said) }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, said: None }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.refusal.code.status());
        let extensions = response.extensions_mut();
        extensions.insert(self.refusal);
        if let Some(said) = self.said {
            extensions.insert(said);
        }
        response
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<Inner<'a>>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
}

/// Finishes an answer of this face; headers that stand in `response` stay.
pub(in crate::http) fn render(
    response: &mut Response,
    refusal: Option<&Refusal>,
    visit: &Visit,
    request_id: &str,
) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let Some(refusal) = refusal else { return };
    let said = response.extensions_mut().remove::<Said>();
    let Said { status, code, inner, message } = said.unwrap_or_else(|| of(refusal, visit.service));
    let innererror = inner.map(|code| Inner { code });
    let envelope = Envelope { error: ErrorBody { code, message: &message, innererror } };
    *response.status_mut() = status;
    *response.body_mut() = Body::from(serde_json::to_vec(&envelope).unwrap_or_default());
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(ERROR_CODE, HeaderValue::from_static(code));
    if let Some(delay) = refusal.retry_after {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}

/// What the service would say of a refusal that nobody has put into its words.
fn of(refusal: &Refusal, service: Service) -> Said {
    let plain = refusal.code.status();
    let (code, inner) = match (service, refusal.code) {
        (_, Code::Unauthenticated) => ("Unauthorized", None),
        (_, Code::RateLimited) => ("Throttled", None),
        (_, Code::MethodNotAllowed) => ("MethodNotAllowed", None),
        (_, Code::Conflict) => ("Conflict", None),
        (_, Code::KmsUnsupported) => ("NotSupported", None),
        (Service::Vault, Code::KeyNotFound) => ("KeyNotFound", None),
        (Service::Vault, Code::KeyDisabled) => ("Forbidden", Some("KeyDisabled")),
        (Service::Vault, Code::Forbidden) => ("Forbidden", Some("AccessDenied")),
        (Service::Vault, _) if plain == 400 => ("BadParameter", None),
        (Service::Attestation, _) if plain == 400 => ("InvalidParameter", None),
        _ => match plain {
            400..403 => ("BadRequest", None),
            403 => ("Forbidden", None),
            404 => ("NotFound", None),
            405..500 => ("BadRequest", None),
            503 => ("ServiceUnavailable", None),
            _ => ("InternalServerError", None),
        },
    };
    let message = refusal.code.title().to_owned();
    Said { status: status(plain), code, inner, message }
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
