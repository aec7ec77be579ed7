//! Why a policy cannot be used, and why one says no.

use std::fmt;

use crate::appraisal::Status;
use crate::explanation::Violation;

/// How many conditions a denial names.
const NAMED: usize = 16;

/// How much of a claim's value a denial repeats, in characters.
const SHOWN: usize = 128;

/// Why a text is not a policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct PolicyFault {
    /// Where: a JSON path (`$.anyOf[0].allOf`), or a line and a column.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl PolicyFault {
    pub(super) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

/// A condition that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unmet {
    /// Where it stands in the policy.
    pub place: String,
    /// The claim that it looks at.
    pub claim: String,
    /// What stands there, as the policy's language sees it; none: nothing does.
    pub seen: Option<String>,
    /// What it wants.
    pub wanted: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.seen.as_deref().unwrap_or("nothing");
        write!(f, "{}: {} is {seen}, wanted {}", self.place, self.claim, self.wanted)
    }
}

/// A policy's no.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Denial {
    /// It could not be evaluated.
    Failed(String),
    /// The status of the result is not what it takes.
    Status(Unmet),
    /// Conditions that do not hold: each alternative's.
    Unmet(Vec<Unmet>),
}

impl Denial {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    pub(super) fn status(seen: Option<Status>, wanted: &str) -> Self {
        Self::Status(Unmet {
            place: "the policy".to_owned(),
            claim: "the status".to_owned(),
            seen: seen.map(|status| status.name().to_owned()),
            wanted: wanted.to_owned(),
        })
    }

    /// The conditions that do not hold, for the audit record.
    #[must_use]
    pub fn violations(&self, file: &str) -> Vec<Violation> {
        match self {
            Self::Failed(_) => Vec::new(),
            Self::Status(unmet) => vec![unmet.violation(file)],
            Self::Unmet(conditions) => {
                conditions.iter().map(|unmet| unmet.violation(file)).collect()
            }
        }
    }

    /// Of conditions in their order; the first ones are named.
    pub(super) fn unmet(mut conditions: Vec<Unmet>) -> Self {
        conditions.truncate(NAMED);
        for unmet in &mut conditions {
            unmet.seen = unmet.seen.take().map(shown);
        }
        Self::Unmet(conditions)
    }
}

impl Unmet {
    /// As a finding of an audit record; `file` is what the policy is called there. Where it stands is
    /// a line and a column of a text, or a pointer into JSON.
    fn violation(&self, file: &str) -> Violation {
        let (line, column) = position(&self.place).unzip();
        let seen = self.seen.as_ref().map(|seen| {
            serde_json::from_str(seen).unwrap_or_else(|_| serde_json::Value::from(seen.as_str()))
        });
        Violation {
            rule: self.place.clone(),
            claim: self.claim.clone(),
            seen,
            wanted: self.wanted.clone(),
            file: Some(file.to_owned()),
            line,
            column: column.flatten(),
            pointer: pointer(&self.place),
        }
    }
}

/// `release.rego:3:7`, or without a column.
fn position(place: &str) -> Option<(u32, Option<u32>)> {
    let mut parts = place.strip_prefix("release.rego:")?.split(':');
    let line = parts.next()?.parse().ok()?;
    Some((line, parts.next().and_then(|column| column.parse().ok())))
}

/// `$.anyOf[0].allOf[1].equals` as `/anyOf/0/allOf/1/equals` (RFC 6901). The names are of the grammar
/// and need no escapes.
fn pointer(place: &str) -> Option<String> {
    let path = place.strip_prefix('$')?;
    Some(path.replace(['.', '['], "/").replace(']', ""))
}

/// What a claim says is another's text: so much of it is repeated and no more.
pub(super) fn shown(text: String) -> String {
    match text.char_indices().nth(SHOWN).and_then(|(end, _)| text.get(..end)) {
        None => text,
        Some(beginning) => format!("{beginning}…"),
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(reason) => f.write_str(reason),
            Self::Status(unmet) => unmet.fmt(f),
            Self::Unmet(conditions) => {
                for (index, unmet) in conditions.iter().enumerate() {
                    let parting = if index == 0 { "" } else { "; " };
                    write!(f, "{parting}{unmet}")?;
                }
                Ok(())
            }
        }
    }
}
