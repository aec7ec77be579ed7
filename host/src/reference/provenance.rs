//! in-toto statements (in-toto/attestation v0.1 and v1) as a source of measurements.
//!
//! SLSA provenance says who built files with which digests. A file's digest is no launch
//! measurement; so of its subjects only those count that are *named* after a claim (`snp.measurement`,
//! `tdx.mrtd`), which a pipeline adds beside its files: `digest` then holds the claim's value under
//! the name of the hash function that makes such values. Each such subject is a group of its own.
//!
//! A statement of the type `urn:claviger:predicate:reference:1` carries values in its predicate, as
//! the plain form does: `tee`, `values`, `not_before`, `not_after`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::document::{Document, Form, Group, Window};
use super::error::ReferenceError;
use super::json::{self as plain, LIMITS};
use crate::audit::Digest;
use crate::json::{self, Limits};

const STATEMENTS: [&str; 2] =
    ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

const REFERENCE: &str = "urn:claviger:predicate:reference:1";

/// What builders write is theirs: their predicates hold nulls, and numbers of any kind.
const FOREIGN: Limits = Limits { nulls: true, floats: true, ..LIMITS };

/// What stands beside is the builder's own business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Json,
}

#[derive(Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    #[serde(default)]
    digest: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    tee: String,
    not_before: Option<String>,
    not_after: Option<String>,
    values: Vec<BTreeMap<String, Json>>,
}

/// Reads a statement.
pub(super) fn read(bytes: &[u8]) -> Result<Document, ReferenceError> {
    let statement: Statement = json::parse(bytes, FOREIGN)?;
    if !STATEMENTS.contains(&statement.kind.as_str()) {
        return Err(ReferenceError::Unsupported(format!("the statement {:?}", statement.kind)));
    }
    let name = statement.subject.iter().map(|subject| subject.name.clone());
    let name = name.reduce(|first, _| first).unwrap_or_default();
    let mut document = Document {
        name,
        form: Form::Provenance,
        window: Window::default(),
        builder: None,
        groups: Vec::new(),
        digest: Digest::of(bytes),
    };
    match statement.predicate_type.as_str() {
        REFERENCE => {
            let values: Values = serde_json::from_value(statement.predicate)
                .map_err(|error| ReferenceError::Malformed(format!("the predicate: {error}")))?;
            document.window =
                plain::window(values.not_before.as_deref(), values.not_after.as_deref())?;
            document.groups = plain::groups(&values.tee, values.values);
        }
        "https://slsa.dev/provenance/v1" => {
            document.builder = text(&statement.predicate, "/runDetails/builder/id");
            document.groups = measured(statement.subject)?;
        }
        "https://slsa.dev/provenance/v0.2" => {
            document.builder = text(&statement.predicate, "/builder/id");
            document.groups = measured(statement.subject)?;
        }
        other => return Err(ReferenceError::Unsupported(format!("the predicate {other:?}"))),
    }
    document.checked()
}

fn text(predicate: &Json, place: &str) -> Option<String> {
    predicate.pointer(place).and_then(Json::as_str).map(ToOwned::to_owned)
}

/// The subjects that are named after claims.
fn measured(subjects: Vec<Subject>) -> Result<Vec<Group>, ReferenceError> {
    let mut groups = Vec::new();
    for Subject { name, digest } in subjects {
        let Some((tee, claim)) = name.split_once('.') else { continue };
        let function = match (tee, claim) {
            ("snp", "measurement") | ("tdx", "mrtd" | "rtmr0" | "rtmr1" | "rtmr2" | "rtmr3") => {
                "sha384"
            }
            _ => continue,
        };
        let value = digest.get(function).filter(|_| digest.len() == 1).cloned();
        let value = value.ok_or_else(|| {
            ReferenceError::Malformed(format!("{name} has not one digest, of {function}"))
        })?;
        groups.push(Group { tee: tee.to_owned(), values: [(claim.to_owned(), value)].into() });
    }
    Ok(groups)
}
