//! A reference document, whatever form it came in: groups of values, and the time they are good for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::claims;
use super::error::ReferenceError;
use crate::audit::Digest;
use crate::clock::Timestamp;

/// The largest document, in bytes.
pub const LARGEST: usize = 128 << 10;

/// The most groups of values in one document.
const MOST_GROUPS: usize = 256;

/// The longest name of a document, in bytes.
const LONGEST_NAME: usize = 256;

/// What a document is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A CoRIM (draft-ietf-rats-corim).
    Corim,
    /// The plain JSON form.
    Json,
    /// An in-toto statement: SLSA provenance, or launch measurements as a predicate.
    Provenance,
    /// A reference integrity manifest of NVIDIA's (SWID).
    Rim,
}

impl Form {
    /// The name that stands in answers and in the audit log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Corim => "corim",
            Self::Json => "json",
            Self::Provenance => "provenance",
            Self::Rim => "rim",
        }
    }
}

/// Values of one TEE that belong together: claims, without the TEE's name before them.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// `snp`.
    pub tee: String,
    /// `measurement` and what it is.
    pub values: BTreeMap<String, Json>,
}

impl Group {
    /// Checks that every value can be one of its claim.
    ///
    /// # Errors
    /// Which cannot, in words.
    pub fn check(&self) -> Result<(), String> {
        self.values.iter().try_for_each(|(claim, value)| claims::check(&self.tee, claim, value))
    }
}

/// From when to when values are good; both ends belong to it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

impl Window {
    /// Whether `now` lies in it.
    #[must_use]
    pub fn contains(self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now) && !self.is_over(now)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        self.not_after.is_some_and(|end| end < now)
    }

    /// What lies in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: match (self.not_after, other.not_after) {
                (Some(one), Some(another)) => Some(one.min(another)),
                (one, another) => one.or(another),
            },
        }
    }

    fn is_empty(self) -> bool {
        self.not_before.zip(self.not_after).is_some_and(|(start, end)| end < start)
    }
}

/// What a document says. Nobody has looked yet at who says it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// What its maker calls it.
    pub name: String,
    /// What it is.
    pub form: Form,
    /// When it is good.
    pub window: Window,
    /// The builder that a provenance names.
    pub builder: Option<String>,
    /// What it says.
    pub groups: Vec<Group>,
    /// SHA-256 over what is, or would be, signed: the document's identifier here. Another signature
    /// does not make another document.
    pub digest: Digest,
}

impl Document {
    /// Checks what every form has in common.
    pub(super) fn checked(self) -> Result<Self, ReferenceError> {
        let malformed = |reason: String| Err(ReferenceError::Malformed(reason));
        if self.name.is_empty() || self.name.len() > LONGEST_NAME {
            return malformed(format!("a document's name has from 1 to {LONGEST_NAME} bytes"));
        }
        if self.window.is_empty() {
            return malformed("it ends before it begins".to_owned());
        }
        if !(1..=MOST_GROUPS).contains(&self.groups.len()) {
            return malformed(format!("it has not from 1 to {MOST_GROUPS} groups of values"));
        }
        for group in &self.groups {
            if group.values.is_empty() {
                return malformed("a group without a value".to_owned());
            }
            group.check().map_err(ReferenceError::Malformed)?;
        }
        Ok(self)
    }
}
