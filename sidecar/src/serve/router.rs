//! Requests to answers.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};

use super::{grpc, reflection};
use crate::skr::{Failure, Skr};

/// Bytes of a request's body.
const LARGEST: usize = 1 << 20;
/// How long an answer may take, everything included.
const LONGEST: Duration = Duration::from_secs(120);

/// An answer's body; that of gRPC has trailers.
pub(super) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Where requests are answered.
pub(crate) struct Desk {
    pub(crate) skr: Arc<Skr>,
    /// What `/status` says besides.
    pub(crate) status: Value,
    pub(crate) wrap_keys: Option<std::path::PathBuf>,
}

impl Desk {
    /// The answer to a request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>, named: bool) -> Response<Body> {
        // A page in a browser may be led here by a name of its own (DNS rebinding).
        if named && !is_local(&request) {
            return json_answer(StatusCode::MISDIRECTED_REQUEST, &json!({"error": "another host"}));
        }
        let (head, body) = request.into_parts();
        let grpc = head.headers.get(CONTENT_TYPE).is_some_and(grpc::is_grpc);
        let path = head.uri.path().to_owned();
        if grpc && reflection::is_asked(&path) {
            return reflection::answer(body);
        }
        let Ok(body) = Limited::new(body, LARGEST).collect().await else {
            return json_answer(
                StatusCode::PAYLOAD_TOO_LARGE,
                &json!({"error": "the request is too large or broke off"}),
            );
        };
        let body = body.to_bytes();
        let answer = async {
            match grpc {
                true => grpc::answer(self, &path, &body).await,
                false => self.route(&head.method, &path, &body).await,
            }
        };
        tokio::time::timeout(LONGEST, answer).await.unwrap_or_else(|_| {
            json_answer(StatusCode::GATEWAY_TIMEOUT, &json!({"error": "no answer in time"}))
        })
    }

    async fn route(&self, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
        let skr = &self.skr;
        let outcome = match (method, path) {
            (&Method::GET, "/status") => Ok(self.status.clone()),
            (&Method::POST, "/attest/raw") => skr.attest_raw(body).await,
            (&Method::POST, "/attest/combined") => skr.attest_combined(body).await,
            (&Method::POST, "/attest/maa") => skr.attest_maa(body).await,
            (&Method::POST, "/key/release") => skr.key_release(body).await,
            _ => return json_answer(StatusCode::NOT_FOUND, &json!({"error": "not found"})),
        };
        match outcome {
            Ok(answer) => json_answer(StatusCode::OK, &answer),
            Err(failure) => failed(&failure),
        }
    }
}

/// Whether the request was meant for this machine.
fn is_local<B>(request: &Request<B>) -> bool {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str).or(header);
    let Some(authority) = authority.and_then(|text| text.parse::<http::uri::Authority>().ok())
    else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn failed(failure: &Failure) -> Response<Body> {
    json_answer(failure.status, &json!({"error": failure.to_string()}))
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed_unsync());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_under_another_machines_name_is_not_answered() {
        let request = |host: &str| Request::builder().uri("/status").header(HOST, host).body(());
        for host in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(is_local(&request(host).unwrap()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", ""] {
            assert!(!is_local(&request(host).unwrap()), "{host}");
        }
        assert!(!is_local(&Request::builder().uri("/status").body(()).unwrap()));
    }
}
