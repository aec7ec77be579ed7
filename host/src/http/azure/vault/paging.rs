//! Lists, a page at a time: `maxresults`, `$skiptoken`, and the absolute address of the next page.

use axum::Json;
use serde_json::{Value, json};

use super::client::{Client, parameter};
use super::words::refuse;
use crate::flow::vault::LARGEST_PAGE;
use crate::http::azure::error::Fault;

/// Which page is wanted.
pub(super) struct Wanted<'a> {
    pub(super) limit: usize,
    pub(super) after: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(query: Option<&'a str>) -> Result<Self, Fault> {
        let limit = match parameter(query, "maxresults") {
            None => LARGEST_PAGE,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|limit| (1..=LARGEST_PAGE).contains(limit))
                .ok_or_else(|| refuse("maxresults must be from 1 to 25."))?,
        };
        // The dollar sign may be written as %24.
        let after = parameter(query, "$skiptoken").or_else(|| parameter(query, "%24skiptoken"));
        let plain = |token: &&str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=127).contains(&token.len()) && token.bytes().all(allowed)
        };
        match after {
            Some(token) if !plain(&token) => Err(refuse("$skiptoken is not one of this vault.")),
            after => Ok(Self { limit, after }),
        }
    }

    /// The page. `path`: of the list, without a slash at its beginning.
    pub(super) fn answer(
        &self,
        client: &Client,
        path: &str,
        items: Vec<Value>,
        next: Option<&str>,
    ) -> Json<Value> {
        let (url, version, limit) = (&client.url, &client.api_version, self.limit);
        let next = next.map(|next| {
            format!("{url}/{path}?api-version={version}&$skiptoken={next}&maxresults={limit}")
        });
        Json(json!({"value": items, "nextLink": next}))
    }
}
