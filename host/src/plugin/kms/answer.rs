//! A connector's answers: what the flow gets, and what the host checks and cleans before.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;

use super::bindings::exports::claviger::plugin::key_release as release;
use super::bindings::managed::exports::claviger::plugin::key_management as management;
use super::bindings::versioned::exports::claviger::plugin::key_versions as versions;
use super::known::Known;
use crate::plugin::call::Stopped;
use crate::plugin::import::log::escape;
use crate::secret::Secret;
use crate::store::names;

/// Longer words of a connector are cut, in bytes.
const WORDS: usize = 1_024;

/// A released key.
#[derive(Debug)]
pub enum Released {
    /// The key in the host's hands, to be wrapped to the recipient.
    Held {
        /// How the key is written: `application/octet-stream`, `application/pkcs8`.
        media_type: String,
        /// The key.
        key: Secret,
        /// The version that it is.
        version: String,
    },
    /// Already wrapped by the key management service.
    Wrapped {
        /// What is inside.
        media_type: String,
        /// The wrapped key: JWE in compact form, not opened.
        jwe: String,
        /// The version that it is.
        version: String,
    },
}

/// What is known of a version of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySummary {
    /// The key's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`, `ed25519`.
    pub kind: String,
    /// Whether it is released at all.
    pub enabled: bool,
    /// Whether it may be released; other keys only serve inside the key management service.
    pub exportable: bool,
    /// When it came to be, in seconds since the Unix epoch.
    pub created: u64,
    /// When it was last changed, in seconds since the Unix epoch.
    pub updated: u64,
}

/// Why a connector did not do as asked; in its own words, escaped and cut by the host.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KmsFailure {
    /// There is one of that name, or it was changed meanwhile.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The connector took longer than it may.
    #[error("the connector took longer than it may")]
    Deadline,
    /// The key management service refused.
    #[error("denied: {0}")]
    Denied(String),
    /// The key or the version is disabled.
    #[error("the key is disabled")]
    Disabled,
    /// The connector's answer is one that it may not give.
    #[error("the connector's answer is not acceptable: {0}")]
    Invalid(String),
    /// The connector ran into a bound; which one.
    #[error("the connector wanted {0}")]
    Limit(String),
    /// What was asked makes no sense.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The connector or its service is not configured rightly.
    #[error("misconfigured: {0}")]
    Misconfigured(String),
    /// There is no such key or version.
    #[error("there is no such key")]
    NotFound,
    /// The connector trapped or panicked.
    #[error("the connector stopped: {0}")]
    Trap(String),
    /// The key management service cannot be reached.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The key management service cannot do it.
    #[error("not supported: {0}")]
    Unsupported(String),
}

impl From<Stopped> for KmsFailure {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Deadline => Self::Deadline,
            Stopped::Limit(what) => Self::Limit(what),
            Stopped::Trap(why) => Self::Trap(why),
        }
    }
}

/// Secrets that the operator granted by value; their names with their values.
pub type Secrets = BTreeMap<String, Secret>;

/// The interfaces have the same error, each as a type of its own.
macro_rules! failure {
    ($name:ident, $interface:ident) => {
        /// A connector's error, cleaned of what it knows.
        pub(super) fn $name(error: $interface::Error, known: &Known<'_>) -> KmsFailure {
            use $interface::Error;
            match error {
                Error::Conflict(why) => KmsFailure::Conflict(plain(why, known)),
                Error::Denied(why) => KmsFailure::Denied(plain(why, known)),
                Error::Disabled => KmsFailure::Disabled,
                Error::Malformed(why) => KmsFailure::Malformed(plain(why, known)),
                Error::Misconfigured(why) => KmsFailure::Misconfigured(plain(why, known)),
                Error::NotFound => KmsFailure::NotFound,
                Error::Unavailable(why) => KmsFailure::Unavailable(plain(why, known)),
                Error::Unsupported(why) => KmsFailure::Unsupported(plain(why, known)),
            }
        }
    };
}

failure!(release_failure, release);

failure!(management_failure, management);

failure!(versions_failure, versions);

impl From<versions::KeySummary> for management::KeySummary {
    fn from(summary: versions::KeySummary) -> Self {
        let versions::KeySummary { name, version, kind, enabled, exportable, created, updated } =
            summary;
        Self { name, version, kind, enabled, exportable, created, updated }
    }
}

fn plain(why: String, known: &Known<'_>) -> String {
    let why = known.words(why);
    let cut = why.floor_char_boundary(WORDS);
    escape(why.get(..cut).unwrap_or_default())
}

/// A version as a connector names it: 1 to 128 visible ASCII characters.
pub(super) fn check_version(version: &str) -> Result<(), KmsFailure> {
    let visible = version.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=128).contains(&version.len()) {
        return Ok(());
    }
    Err(KmsFailure::Invalid("the version is not 1 to 128 visible characters".into()))
}

/// What is said about a released key: a media type (RFC 6838 section 4.2), and the version that was
/// asked for where one was.
pub(super) fn check_released(
    media_type: &str,
    version: &str,
    asked: Option<&str>,
) -> Result<(), KmsFailure> {
    check_version(version)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+/;= ".contains(&byte);
    let slashes = media_type.bytes().filter(|byte| *byte == b'/').count();
    if slashes != 1 || media_type.len() > 128 || !media_type.bytes().all(allowed) {
        return Err(KmsFailure::Invalid("the media type is not one".into()));
    }
    if asked.is_some_and(|asked| asked != version) {
        return Err(KmsFailure::Invalid("another version than was asked for".into()));
    }
    Ok(())
}

/// A JWE in compact form (RFC 7516 section 7.1): five parts in base64url. Whether it is for the
/// recipient is for the flow to see.
pub(super) fn compact_jwe(bytes: Vec<u8>) -> Result<String, KmsFailure> {
    let invalid = || KmsFailure::Invalid("the wrapped key is not a JWE in compact form".into());
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    let parts: Vec<_> = text.split('.').collect();
    let encoded = parts.iter().all(|part| BASE64URL_NOPAD.decode(part.as_bytes()).is_ok());
    let present = parts.len() == 5 && parts.first().is_some_and(|header| !header.is_empty());
    if encoded && present { Ok(text) } else { Err(invalid()) }
}

/// A summary, of the key `name` where one was asked for.
pub(super) fn summary(
    summary: management::KeySummary,
    name: Option<&str>,
) -> Result<KeySummary, KmsFailure> {
    let invalid = |what: &str| Err(KmsFailure::Invalid(what.into()));
    check_version(&summary.version)?;
    if names::check_key_name(&summary.name).is_err() {
        return invalid("the name is not one that a key can have");
    }
    if name.is_some_and(|name| name != summary.name) {
        return invalid("another key than was asked for");
    }
    let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=32).contains(&summary.kind.len()) || !summary.kind.bytes().all(named) {
        return invalid("the kind is not a short name");
    }
    Ok(KeySummary {
        name: summary.name,
        version: summary.version,
        kind: summary.kind,
        enabled: summary.enabled,
        exportable: summary.exportable,
        created: summary.created,
        updated: summary.updated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 41
    #[test]
    fn a_connectors_words_are_on_one_line() {
        let granted = Secrets::new();
        let known = Known { granted: &granted, read: &[] };
        let error = release::Error::Denied("line\nforged \u{1b}[31m".into());
        let KmsFailure::Denied(words) = release_failure(error, &known) else {
            panic!("another failure");
        };
        assert!(!words.contains('\n') && !words.contains('\u{1b}'), "{words}");
    }

    // attack 50
    #[test]
    fn an_answer_about_another_key_or_version_is_not_acceptable() {
        assert!(check_released("application/pkcs8", "2", None).is_ok());
        assert!(check_released("application/pkcs8", "2", Some("2")).is_ok());
        assert!(check_released("application/pkcs8", "2", Some("1")).is_err());
        for media_type in ["", "pkcs8", "a/b\r\nx: y", "a/b/c", "a/\u{e9}"] {
            assert!(check_released(media_type, "2", None).is_err(), "{media_type}");
        }
        for version in ["", "1\n", " ", "\u{661}", &"1".repeat(129)] {
            assert!(check_version(version).is_err(), "{version:?}");
        }
        let of = |name: &str, kind: &str| management::KeySummary {
            name: name.into(),
            version: "1".into(),
            kind: kind.into(),
            enabled: true,
            exportable: true,
            created: 0,
            updated: 0,
        };
        assert!(summary(of("a", "oct-256"), Some("a")).is_ok());
        assert!(summary(of("b", "oct-256"), Some("a")).is_err());
        assert!(summary(of("../b", "oct-256"), None).is_err());
        assert!(summary(of("a", "OCT\n"), None).is_err());
    }
}
