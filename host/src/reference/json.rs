//! The plain JSON form:
//!
//! ```json
//! {
//!   "type": "claviger-reference/1",
//!   "name": "payments 2026-11-25",
//!   "tee": "snp",
//!   "not_before": "2026-11-25T00:00:00Z",
//!   "not_after": "2027-05-25T00:00:00Z",
//!   "values": [{ "measurement": "96 hexadecimal digits", "host_data": "64 of them" }]
//! }
//! ```
//! Each object in `values` is a group: claims of one workload, named without the TEE's name before
//! them. Byte strings are lower-case hexadecimal. Both moments may be left out. It comes unsigned,
//! where the configuration allows that, or as the payload of a DSSE envelope.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::document::{Document, Form, Group, LARGEST, Window};
use super::error::ReferenceError;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::json::{self, Limits};

/// What `type` says.
const TYPE: &str = "claviger-reference/1";

/// Bounds of all JSON in here.
pub(super) const LIMITS: Limits = Limits::REQUEST.with_bytes(LARGEST);

/// The form as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    /// `claviger-reference/1`.
    r#type: String,
    /// What its maker calls it.
    name: String,
    /// `snp`.
    tee: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
    /// Groups of values.
    values: Vec<BTreeMap<String, Json>>,
}

impl Plain {
    /// A document of one group, good at any time.
    #[must_use]
    pub fn of(name: impl Into<String>, tee: &str, values: BTreeMap<String, Json>) -> Self {
        Self {
            r#type: TYPE.to_owned(),
            name: name.into(),
            tee: tee.to_owned(),
            not_before: None,
            not_after: None,
            values: vec![values],
        }
    }
}

/// Reads the plain form.
pub(super) fn read(bytes: &[u8]) -> Result<Document, ReferenceError> {
    let plain: Plain = json::parse(bytes, LIMITS)?;
    if plain.r#type != TYPE {
        return Err(ReferenceError::Unsupported(format!("the type {:?}", plain.r#type)));
    }
    let window = window(plain.not_before.as_deref(), plain.not_after.as_deref())?;
    let groups = groups(&plain.tee, plain.values);
    let (name, digest) = (plain.name, Digest::of(bytes));
    Document { name, form: Form::Json, window, builder: None, groups, digest }.checked()
}

pub(super) fn groups(tee: &str, values: Vec<BTreeMap<String, Json>>) -> Vec<Group> {
    values.into_iter().map(|values| Group { tee: tee.to_owned(), values }).collect()
}

/// The window between two moments as text.
pub(super) fn window(start: Option<&str>, end: Option<&str>) -> Result<Window, ReferenceError> {
    let moment = |text: &str| {
        let reason = || ReferenceError::Malformed(format!("{text:?} is not an RFC 3339 moment"));
        Timestamp::parse(text).ok_or_else(reason)
    };
    Ok(Window {
        not_before: start.map(moment).transpose()?,
        not_after: end.map(moment).transpose()?,
    })
}
