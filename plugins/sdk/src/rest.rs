//! A KMS's REST API through the host's gate: a request, an answer in JSON, and what went wrong in the
//! words of `key-release`.

use crate::json::{self, Value};
use crate::kms::http::{self, Form, Request, Response};
use crate::kms::{Error, material::Secret};

/// The media type of requests, and of every answer that is read.
const JSON: &str = "application/json";

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null where it is empty or not JSON.
    pub body: Value<'static>,
    /// The seconds of Retry-After.
    pub retry_after: Option<u64>,
    withheld: Vec<(String, Secret)>,
}

/// Sends a request. `body` is JSON.
///
/// # Errors
/// The service was not reached, or its answer cannot be read; or a grant is missing. An answer of
/// failure is an answer.
pub fn send(
    method: &str,
    url: String,
    headers: &[(&str, &str)],
    body: Option<String>,
) -> Result<Answer, Error> {
    read(http::send(&request(method, url, headers, body)).map_err(unsent)?)
}

/// Sends a request with key material in it, which the host writes between these parts of the body.
///
/// # Errors
/// As [`send`].
pub fn send_key(
    method: &str,
    url: String,
    headers: &[(&str, &str)],
    (before, form, key, behind): (&str, Form, &Secret, &str),
) -> Result<Answer, Error> {
    let request = request(method, url, headers, Some(format!("{before}{behind}")));
    let at = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let insertion = http::Insertion { at, form, secret: key };
    read(http::send_with(&request, &[insertion]).map_err(unsent)?)
}

fn request(method: &str, url: String, headers: &[(&str, &str)], body: Option<String>) -> Request {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut headers: Vec<_> = headers.iter().map(own).collect();
    headers.push(("accept".into(), JSON.into()));
    if body.is_some() {
        headers.push(("content-type".into(), JSON.into()));
    }
    let body = body.map(String::into_bytes).unwrap_or_default();
    Request { method: method.into(), url, headers, body, credential: None }
}

fn read(response: Response) -> Result<Answer, Error> {
    let header = |wanted: &str| {
        let found = response.headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
    let is_json = header("content-type").is_some_and(|media_type| {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(JSON)
    });
    let success = (200..300).contains(&response.status);
    let body = match (is_json, json::parse(&response.body)) {
        (true, Ok(body)) => body.into_owned(),
        // Of a failure the status is enough.
        _ if !success || response.body.is_empty() => Value::Null,
        (false, _) => return Err(Error::Unavailable("its answer is not in JSON".into())),
        (true, Err(why)) => {
            return Err(Error::Unavailable(format!("its answer cannot be read: {why}")));
        }
    };
    let Response { status, withheld, .. } = response;
    Ok(Answer { status, body, retry_after, withheld })
}

impl Answer {
    /// Whether it is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value at these members, one inside the other.
    #[must_use]
    pub fn at(&self, members: &[&str]) -> Option<&Value<'static>> {
        members.iter().try_fold(&self.body, |value, member| value.member(member))
    }

    /// The text there.
    #[must_use]
    pub fn text(&self, members: &[&str]) -> Option<&str> {
        match self.at(members) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number there.
    #[must_use]
    pub fn number(&self, members: &[&str]) -> Option<u64> {
        match self.at(members) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The value that the host withheld at this JSON pointer.
    ///
    /// # Errors
    /// It is there in the clear: the operator's grant does not withhold it; or it is not there.
    pub fn take(&mut self, pointer: &str) -> Result<Secret, Error> {
        if let Some(place) = self.withheld.iter().position(|(at, _)| at == pointer) {
            return Ok(self.withheld.swap_remove(place).1);
        }
        let members: Vec<_> = pointer.split('/').skip(1).collect();
        Err(match self.at(&members) {
            None | Some(Value::Null) => Error::Malformed(format!(
                "what is stored under that name has no value at {pointer}"
            )),
            Some(_) => Error::Misconfigured(format!("the grant does not withhold {pointer}")),
        })
    }

    /// The pointers of what the host withheld.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        self.withheld.iter().map(|(pointer, _)| pointer.as_str())
    }

    /// What an answer of failure means, where the service has no rule of its own.
    #[must_use]
    pub fn failure(&self) -> Error {
        failure(self.status, self.retry_after)
    }
}

fn failure(status: u16, retry_after: Option<u64>) -> Error {
    let told = format!("it answers with status {status}");
    match status {
        401 | 403 => Error::Denied(told),
        404 => Error::NotFound,
        409 => Error::Conflict(told),
        405 | 501 => Error::Unsupported(told),
        429 => Error::Unavailable(match retry_after {
            Some(seconds) => format!("it is asked too often, and wants {seconds} seconds of rest"),
            None => "it is asked too often".into(),
        }),
        300..=399 => Error::Misconfigured(format!("{told}: it wants to be asked elsewhere")),
        400..=499 if status != 408 => Error::Misconfigured(told),
        _ => Error::Unavailable(told),
    }
}

/// What it means that a request had no answer.
fn unsent(error: http::Error) -> Error {
    match error {
        http::Error::Denied(why) | http::Error::Tls(why) => Error::Misconfigured(why),
        http::Error::Protocol(why) => {
            Error::Unavailable(format!("its answer cannot be read: {why}"))
        }
        http::Error::Timeout => Error::Unavailable("it does not answer in time".into()),
        http::Error::TooLarge => Error::Unavailable("its answer is larger than is read".into()),
        http::Error::Unreachable(why) | http::Error::Unresolved(why) => Error::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, media_type: &str, body: &str) -> Result<Answer, Error> {
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        read(Response { status, headers, body: body.into(), withheld: Vec::new() })
    }

    // attack 50
    #[test]
    fn only_json_that_says_to_be_json_is_read() {
        let good = answered(200, "application/json; charset=utf-8", r#"{"a":{"b":"c"}}"#).unwrap();
        assert_eq!(good.text(&["a", "b"]), Some("c"));
        for (media_type, body) in [
            ("text/html", r#"{"a":1}"#),
            ("application/json", "{"),
            ("application/json", "<html>"),
            ("application/json-seq", "{}"),
        ] {
            let refused = answered(200, media_type, body);
            assert!(matches!(refused, Err(Error::Unavailable(_))), "{media_type}: {body}");
            assert_eq!(answered(500, "text/html", body).unwrap().body, Value::Null);
        }
    }

    #[test]
    fn each_status_has_its_error() {
        assert!(matches!(failure(403, None), Error::Denied(_)));
        assert!(matches!(failure(404, None), Error::NotFound));
        assert!(matches!(failure(307, None), Error::Misconfigured(_)));
        assert!(matches!(failure(400, None), Error::Misconfigured(_)));
        assert!(matches!(failure(500, None), Error::Unavailable(_)));
        let Error::Unavailable(words) = failure(429, Some(7)) else { panic!("another error") };
        assert!(words.contains("7 seconds"));
    }
}
