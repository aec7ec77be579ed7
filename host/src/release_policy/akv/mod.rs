//! Azure Key Vault's release policy grammar, version 1.0.0.
//!
//! ```text
//! policy     {"version": "1.0.0", "anyOf": [authority, …]}
//! authority  {"authority": "https://…", "allOf" | "anyOf": [condition, …]}
//! condition  {"claim": "dotted.path", "equals": value} | {"allOf" | "anyOf": [condition, …]}
//! ```
//! Lists are not empty, and a member that is not above is refused: of the operators that Microsoft
//! lists, the service takes `equals` alone. Values are compared as text, so that `"true"` matches
//! `true`; a claim that is absent, or is no single value, matches nothing.

mod compile;
mod path;

use serde_json::Value as Json;

use super::fault::{Denial, Unmet};
use path::ClaimPath;

/// A policy, compiled.
#[derive(Debug)]
pub(super) struct Akv {
    any_of: Vec<Authority>,
}

/// Who must have issued the result, and what it must say.
#[derive(Debug)]
struct Authority {
    /// Without the one slash that may stand at its end.
    issuer: String,
    condition: Condition,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Equals { claim: ClaimPath, value: String },
}

impl Akv {
    pub(super) fn allows(&self, claims: &Json) -> bool {
        let issuer = claims.get("iss").and_then(Json::as_str);
        self.any_of.iter().any(|authority| authority.allows(issuer, claims))
    }

    /// Every condition that stands in the way.
    pub(super) fn denial(&self, claims: &Json) -> Denial {
        let mut unmet = Vec::new();
        let issuer = claims.get("iss").and_then(Json::as_str);
        for (index, authority) in self.any_of.iter().enumerate() {
            let place = format!("$.anyOf[{index}]");
            if authority.issued(issuer) {
                authority.condition.explain(&place, claims, &mut unmet);
                continue;
            }
            unmet.push(Unmet {
                place: format!("{place}.authority"),
                claim: "iss".to_owned(),
                seen: claims.get("iss").map(words),
                wanted: quoted(&authority.issuer),
            });
        }
        Denial::unmet(unmet)
    }
}

impl Authority {
    fn allows(&self, issuer: Option<&str>, claims: &Json) -> bool {
        self.issued(issuer) && self.condition.holds(claims)
    }

    fn issued(&self, issuer: Option<&str>) -> bool {
        issuer.is_some_and(|issuer| without_slash(issuer) == self.issuer)
    }
}

impl Condition {
    fn holds(&self, claims: &Json) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(claims)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(claims)),
            Self::Equals { claim, value } => {
                claim.find(claims).and_then(text).is_some_and(|seen| seen == *value)
            }
        }
    }

    fn explain(&self, place: &str, claims: &Json, unmet: &mut Vec<Unmet>) {
        if self.holds(claims) {
            return;
        }
        let (name, conditions) = match self {
            Self::All(conditions) => ("allOf", conditions),
            Self::Any(conditions) => ("anyOf", conditions),
            Self::Equals { claim, value } => {
                let (place, wanted) = (format!("{place}.equals"), quoted(value));
                let seen = claim.find(claims).map(words);
                unmet.push(Unmet { place, claim: claim.to_string(), seen, wanted });
                return;
            }
        };
        for (index, condition) in conditions.iter().enumerate() {
            condition.explain(&format!("{place}.{name}[{index}]"), claims, unmet);
        }
    }
}

/// A URL without the one slash that may stand at its end.
fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

/// A value in the form in which it is compared; none where it is no single value.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        Json::Array(_) | Json::Null | Json::Object(_) => None,
    }
}

/// A value as a person is told it.
fn words(value: &Json) -> String {
    match value {
        Json::Array(_) => "an array".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        _ => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

#[cfg(test)]
mod tests;
