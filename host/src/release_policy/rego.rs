//! A release policy in Rego, version 1: `package claviger.release`. The key leaves where `allow` is
//! true. Where it is anything else, undefined included, `reasons` (a set of texts) says why, if the
//! policy has it. `input` is the claims of the result, without `jti`; `data` is empty.
//!
//! A token of another service is judged by no policy that does not name the service: `authorities`
//! is a set, or an array, of issuers, exactly as their tokens spell them. Then `input` is another,
//! so that nothing that was written of this host's results holds of it by accident:
//! `{"issuer": "https://…", "claims": {…}, "freshness": "recipient-key"}`.

use serde_json::{Value as Json, json};

use super::fault::{Denial, PolicyFault, Unmet, shown};
use crate::policy::{Budget, Document, Fault, Policy, PolicyError, Position};

/// What errors and findings call the text.
const FILE: &str = "release.rego";
const ALLOW: &str = "data.claviger.release.allow";
const AUTHORITIES: &str = "data.claviger.release.authorities";
const REASONS: &str = "data.claviger.release.reasons";

/// A policy, compiled.
#[derive(Debug)]
pub(super) struct Rego(Policy);

impl Rego {
    pub(super) fn compile(text: &str) -> Result<Self, PolicyFault> {
        let policy = Policy::compile(FILE, text)
            .map_err(|error| PolicyFault::new(place(&error), error.message))?;
        match policy.defines(ALLOW) {
            true => Ok(Self(policy)),
            false => {
                let reason = "wanted is `package claviger.release` with a rule `allow`";
                Err(PolicyFault::new(FILE, reason))
            }
        }
    }

    /// `authority`: the other service that issued the result, if another did.
    pub(super) fn judge(&self, authority: Option<&str>, claims: Json) -> Result<(), Denial> {
        let input = match authority {
            None => Document::from(&claims),
            Some(issuer) => Document::from(&json!({
                "issuer": issuer,
                "claims": claims,
                "freshness": "recipient-key",
            })),
        };
        if let Some(issuer) = authority {
            self.names(issuer, &input)?;
        }
        match self.ask(ALLOW, &input) {
            Ok(Json::Bool(true)) => Ok(()),
            Ok(answer) => Err(self.denial(&answer.to_string(), FILE, &input)),
            Err(error) if error.fault == Fault::Undefined => {
                Err(self.denial("undefined", &place(&error), &input))
            }
            Err(error) => Err(Denial::failed(error.to_string())),
        }
    }

    /// Whether the policy speaks of this service at all.
    fn names(&self, issuer: &str, input: &Document) -> Result<(), Denial> {
        let named = match self.0.defines(AUTHORITIES) {
            true => self.ask(AUTHORITIES, input).unwrap_or_default(),
            false => Json::Null,
        };
        if named.as_array().is_some_and(|named| named.iter().any(|one| one == issuer)) {
            return Ok(());
        }
        Err(Denial::unmet(vec![Unmet {
            place: FILE.to_owned(),
            claim: "authorities".to_owned(),
            seen: Some(named.to_string()),
            wanted: format!("a set in which {} is", Json::from(issuer)),
        }]))
    }

    /// The reasons that the policy has; each with its place, where it is written out there. That they
    /// cannot be had changes nothing: it is no already.
    fn denial(&self, seen: &str, place: &str, input: &Document) -> Denial {
        let reasons = self.ask(REASONS, input).unwrap_or_default();
        let reasons = reasons.as_array().into_iter().flatten().filter_map(Json::as_str);
        let unmet = |place: String, wanted: String| Unmet {
            place,
            claim: "allow".to_owned(),
            seen: Some(seen.to_owned()),
            wanted,
        };
        let mut conditions: Vec<_> = reasons
            .map(|reason| {
                let place =
                    self.0.position_of(reason).map_or_else(|| place.to_owned(), |at| written(&at));
                unmet(place, format!("true: {:?}", shown(reason.to_owned())))
            })
            .collect();
        if conditions.is_empty() {
            conditions.push(unmet(place.to_owned(), "true".to_owned()));
        }
        Denial::unmet(conditions)
    }

    fn ask(&self, rule: &str, input: &Document) -> Result<Json, PolicyError> {
        self.0.evaluate(rule, input, &Document::object([]), Budget::default())
    }
}

/// `release.rego:3:7`
fn place(error: &PolicyError) -> String {
    let (file, line) = (error.file.clone(), error.line);
    match file.zip(line) {
        Some((file, line)) => written(&Position { file, line, column: error.column }),
        None => FILE.to_owned(),
    }
}

fn written(at: &Position) -> String {
    let column = at.column.map(|column| format!(":{column}")).unwrap_or_default();
    format!("{}:{}{column}", at.file, at.line)
}

#[cfg(test)]
mod tests;
