//! Administration of keys and secrets as a vault keeps them: attributes, operations, deletion that can
//! be taken back, backups, rotation policies.

pub(in crate::http) mod backups;
pub(in crate::http) mod deleted_keys;
pub(in crate::http) mod deleted_secrets;
pub(in crate::http) mod details;
pub(in crate::http) mod keys;
pub(in crate::http) mod operations;
pub(in crate::http) mod rotation_policy;
pub(in crate::http) mod secrets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::Host;
use crate::flow::vault::{Attributes, Described};
use crate::http::door::Door;
use crate::http::problem::Refused;

/// What may be known of a version, whether of a key or of a secret.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct VersionAttributes {
    /// Whether it may be used.
    pub enabled: bool,
    /// Not used before this moment (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Not used from this moment on (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// When it was made (RFC 3339).
    #[schema(format = DateTime)]
    pub created: String,
    /// When it last changed (RFC 3339).
    #[schema(format = DateTime)]
    pub updated: String,
    /// The operator's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl From<Described> for VersionAttributes {
    fn from(described: Described) -> Self {
        let Described { enabled, not_before, expires, created, updated, tags } = described;
        Self {
            enabled,
            not_before: not_before.map(|moment| moment.to_string()),
            expires: expires.map(|moment| moment.to_string()),
            created: created.to_string(),
            updated: updated.to_string(),
            tags,
        }
    }
}

/// Attributes as a request has them.
fn attributes(
    enabled: Option<bool>,
    not_before: Option<&str>,
    expires: Option<&str>,
) -> Result<Attributes, Refusal> {
    let moment = |text: Option<&str>| {
        let parse = |text: &str| {
            let refuse = || Refusal::new(Code::RequestMalformed, "a moment is as RFC 3339 has it");
            Timestamp::parse(text).ok_or_else(refuse)
        };
        text.map(parse).transpose()
    };
    Ok(Attributes { enabled, not_before: moment(not_before)?, expires: moment(expires)? })
}

/// The vault behind this door.
fn vault(door: &Door) -> Result<&Host, Refused> {
    door.api.azure().ok_or_else(|| Refused::new(Code::Internal, "there is no vault here"))
}

/// The version that a query names: the one parameter that a call knows.
fn version(query: Option<&str>) -> Result<Option<String>, Refused> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let version = query.strip_prefix("version=");
    let plain = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let version = version.filter(plain).ok_or_else(|| {
        Refused::new(Code::RequestMalformed, format!("the query {query:?} names no version"))
    })?;
    Ok(Some(version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 40
    #[test]
    fn a_query_names_a_version_and_nothing_else() {
        assert_eq!(version(None).unwrap(), None);
        assert_eq!(version(Some("version=0f")).unwrap().as_deref(), Some("0f"));
        for wrong in ["version=", "version=../x", "cursor=0f", "version=0f&version=0f", "v"] {
            assert!(version(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_that_is_none_is_refused() {
        let read = attributes(None, Some("2026-01-01T00:00:00Z"), None).unwrap();
        assert_eq!(read.not_before, Some(Timestamp(1_767_225_600)));
        for wrong in ["", "2026-01-01", "1767225600", "1969-12-31T23:59:59Z", "tomorrow"] {
            assert!(attributes(None, None, Some(wrong)).is_err(), "{wrong}");
        }
    }
}
