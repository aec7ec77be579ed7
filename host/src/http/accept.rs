//! Which form of a result a client wants: `Accept` (RFC 9110, section 12.5.1), of which media ranges
//! and weights are read and other parameters are not.

use axum::extract::FromRequestParts;
use http::header::ACCEPT;
use http::request::Parts;

use super::problem::Refused;
use crate::error::Code;
use crate::result::Form;

/// The answer's media type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Accepted {
    /// JSON, with a JWT in it.
    Json,
    /// The token and nothing else.
    Token(Form),
}

impl Accepted {
    /// What can be answered; of what a client likes as well, the first one.
    const OFFERED: [Self; 3] = [Self::Json, Self::Token(Form::Jwt), Self::Token(Form::Cwt)];

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Token(form) => form.media_type(),
        }
    }

    fn of(accept: &str) -> Option<Self> {
        let weighted = Self::OFFERED.map(|offered| (weight(accept, offered.media_type()), offered));
        let best = weighted.iter().map(|(weight, _)| *weight).max().filter(|best| *best > 0)?;
        weighted.iter().find(|(weight, _)| *weight == best).map(|(_, offered)| *offered)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Accepted {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let mut accept = String::new();
        for value in parts.headers.get_all(ACCEPT) {
            let value = value.to_str().map_err(|_| unacceptable())?;
            if !accept.is_empty() {
                accept.push(',');
            }
            accept.push_str(value);
        }
        match accept.trim().is_empty() {
            true => Ok(Self::Json),
            false => Self::of(&accept).ok_or_else(unacceptable),
        }
    }
}

fn unacceptable() -> Refused {
    Refused::new(Code::NotAcceptable, "nothing that `accept` names can be answered")
}

/// In thousandths, by the most specific range that the media type is in; 0: not wanted.
fn weight(accept: &str, media_type: &str) -> u16 {
    let family = media_type.split_once('/').map_or("", |(family, _)| family);
    accept
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let specific = match name.strip_suffix("/*") {
                _ if name == media_type => 2,
                Some(range) if range == family => 1,
                Some("*") => 0,
                _ => return None,
            };
            let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            Some((specific, q.map_or(Some(1000), thousandths)?))
        })
        .max()
        .map_or(0, |(_, weight)| weight)
}

/// A qvalue: 0 to 1, with at most three decimals.
fn thousandths(q: &str) -> Option<u16> {
    let (whole, decimals) = q.split_once('.').unwrap_or((q, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", _) => Some(decimals),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_a_client_likes_best_is_answered() {
        let (jwt, cwt) = (Accepted::Token(Form::Jwt), Accepted::Token(Form::Cwt));
        for (accept, wanted) in [
            ("application/json", Some(Accepted::Json)),
            ("*/*", Some(Accepted::Json)),
            ("application/*", Some(Accepted::Json)),
            ("application/eat+jwt", Some(jwt)),
            ("Application/EAT+CWT", Some(cwt)),
            // A comma inside of quotes ends no range that was wanted.
            ("application/eat+cwt; eat_profile=\"tag:ietf.org,2026:rats/ear#04\"", Some(cwt)),
            ("application/eat+cwt;q=0.9, application/json;q=0.1", Some(cwt)),
            ("application/eat+cwt;q=0.5, application/eat+jwt;q=0.50", Some(jwt)),
            ("*/*;q=0.1, application/eat+cwt", Some(cwt)),
            ("application/json;q=0, */*", Some(jwt)),
            ("application/json;q=0", None),
            ("text/html", None),
            ("application/eat+cwt;q=2", None),
            ("application/eat+cwt;q=0.0001", None),
            ("application/eat+cwt;q=-1", None),
        ] {
            assert_eq!(Accepted::of(accept), wanted, "{accept}");
        }
    }
}
