//! Refusals on the wire: problem details (RFC 9457). The caller gets the code and the request's
//! identifier; the reason goes to the log, and only some of it to an administrator.

use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Code, Refusal};
use crate::escape::Escaped;

/// Before the code in a problem's `type`.
const TYPE_PREFIX: &str = "urn:claviger:problem:";

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// How much of a reason is shown, in characters.
const SHOWN: usize = 2048;

/// Why a request was refused (RFC 9457).
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:claviger:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for a person.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable; what a program should look at.
    pub code: String,
    /// What was wrong with the request; told to administrators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Names this request in the host's log and audit record.
    pub request_id: String,
}

impl Problem {
    fn new(code: Code, detail: Option<String>, request_id: &str) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.as_str().to_owned(),
            detail,
            request_id: request_id.to_owned(),
        }
    }
}

/// A refusal on its way out of a handler. As a response it carries the [`Refusal`] beside an empty
/// body; [`render`] writes the body where the request's identifier is known.
#[derive(Debug)]
pub(super) struct Refused(Refusal);

impl Refused {
    /// A refusal with its reason for the operator.
    pub(super) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self(Refusal::new(code, reason))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.0.code);
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Marks an answer of the 4xx or 5xx classes that is meant as it is.
#[derive(Clone, Copy)]
pub(super) struct Deliberate;

/// The refusal that a response carries. One that failed without saying why (a library's own
/// answer) gets the code of its status, so that nothing but problems leaves the host.
pub(super) fn take_refusal(response: &mut Response) -> Option<Refusal> {
    let status = response.status();
    let extensions = response.extensions_mut();
    let said = extensions.remove::<Refusal>();
    let meant = extensions.get::<Deliberate>().is_some();
    if said.is_some() || meant || !(status.is_client_error() || status.is_server_error()) {
        return said;
    }
    let code = Code::ALL
        .iter()
        .copied()
        .filter(|code| matches!(code, Code::NotFound | Code::MethodNotAllowed))
        .find(|code| code.status() == status.as_u16());
    let code = code.unwrap_or(if status.is_client_error() {
        Code::RequestMalformed
    } else {
        Code::Internal
    });
    Some(Refusal::new(code, format!("answered {status} without a reason")))
}

/// The whole answer to a refused request; headers that stand in `response` stay. An administrator
/// learns what was wrong with what he sent; a workload, who may be anybody, does not.
pub(super) fn render(
    response: &mut Response,
    refusal: &Refusal,
    administrator: bool,
    request_id: &str,
) {
    let of_the_request = matches!(
        refusal.code,
        Code::Conflict
            | Code::PluginRefused
            | Code::PolicyImmutable
            | Code::PolicyInvalid
            | Code::ReferenceRefused
            | Code::RequestMalformed
    );
    let told = administrator && of_the_request;
    let detail = told.then(|| Reason(&refusal.reason).to_string());
    let problem = Problem::new(refusal.code, detail, request_id);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let response_status = status(refusal.code);
    *response.status_mut() = response_status;
    *response.body_mut() = Body::from(body);
    let headers = response.headers_mut();
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if response_status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(delay) = refusal.retry_after {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A reason as it is shown: escaped, and its length bounded.
pub(super) struct Reason<'a>(pub(super) &'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN).and_then(|(end, _)| self.0.get(..end)) {
            None => Escaped(self.0).fmt(f),
            Some(beginning) => write!(f, "{}…", Escaped(beginning)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_a_reason_does_not_make_a_second_log_line() {
        // attack 41
        let forged = "bad\r\n2026-01-01 INFO key released\u{1b}[2K\u{2028}\u{202e}";
        let shown = Reason(forged).to_string();
        assert_eq!(
            shown,
            "bad\\u{d}\\u{a}2026-01-01 INFO key released\\u{1b}[2K\\u{2028}\\u{202e}"
        );
        assert_eq!(Reason(&"ä".repeat(9999)).to_string().chars().count(), SHOWN + 1);
        assert_eq!(Reason(&"ä".repeat(SHOWN)).to_string().chars().count(), SHOWN);
    }

    #[test]
    fn a_failure_without_a_code_becomes_a_problem() {
        for (status, code) in [
            (404, "not-found"),
            (405, "method-not-allowed"),
            (418, "request-malformed"),
            (502, "internal"),
        ] {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            assert_eq!(take_refusal(&mut response).unwrap().code.as_str(), code);
        }
        assert!(take_refusal(&mut Response::new(Body::empty())).is_none());
    }
}
