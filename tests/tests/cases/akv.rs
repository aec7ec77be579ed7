//! A case of Azure Key Vault's release policy grammar: a policy, the claims of a result, and what
//! must come of them.

use claviger::appraisal::Status;
use claviger::release_policy::{AttestationResult, Denial, Language, ReleasePolicy};
use serde::Deserialize;
use serde_json::Value as Json;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AkvCase {
    #[serde(rename = "statement")]
    _statement: String,
    #[serde(rename = "source")]
    _source: String,
    policy: Option<Json>,
    policy_text: Option<String>,
    result: Option<Told>,
    expect: Expected,
}

/// An attestation result.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    claims: Json,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    authority: Option<String>,
}

/// What must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "decision", rename_all = "kebab-case")]
enum Expected {
    /// The key may leave.
    Allowed,
    /// It may not: these conditions are in the way, or the status is.
    Denied { places: Vec<String> },
    /// The text is no policy; where it is none.
    Invalid { place: String },
}

impl AttestationResult for Told {
    fn status(&self) -> Option<Status> {
        let name = self.status.as_deref()?;
        let all = [Status::Affirming, Status::None, Status::Warning, Status::Contraindicated];
        all.into_iter().find(|status| status.name() == name)
    }

    fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    fn claims(&self) -> Result<Json, String> {
        Ok(self.claims.clone())
    }
}

impl AkvCase {
    /// Compiles, and judges where there is something to judge.
    pub(crate) fn run(&self) -> Result<(), String> {
        let text = match (&self.policy, &self.policy_text) {
            (Some(policy), None) => policy.to_string(),
            (None, Some(text)) => text.clone(),
            _ => return Err("wanted is one of `policy` and `policy_text`".to_owned()),
        };
        let policy = match (ReleasePolicy::compile(Language::Akv, &text), &self.expect) {
            (Err(fault), Expected::Invalid { place }) if fault.place == *place => return Ok(()),
            (Err(fault), expected) => return Err(format!("{fault}; wanted {expected:?}")),
            (Ok(_), Expected::Invalid { .. }) => return Err("it compiles".to_owned()),
            (Ok(policy), _) => policy,
        };
        let result = self.result.as_ref().ok_or("the case has no result to judge")?;
        if result.status.is_some() && result.status().is_none() {
            return Err("there is no such status".to_owned());
        }
        match (policy.judge(result), &self.expect) {
            (Ok(_), Expected::Allowed) => Ok(()),
            (Err(denial), Expected::Denied { places }) if in_the_way(&denial) == *places => Ok(()),
            (Ok(_), expected) => Err(format!("was allowed; wanted {expected:?}")),
            (Err(denial), expected) => Err(format!("{denial}; wanted {expected:?}")),
        }
    }
}

/// The places of what does not hold, in the policy's order.
fn in_the_way(denial: &Denial) -> Vec<String> {
    match denial {
        Denial::Failed(_) => Vec::new(),
        Denial::Status(unmet) => vec![unmet.place.clone()],
        Denial::Unmet(conditions) => conditions.iter().map(|unmet| unmet.place.clone()).collect(),
    }
}
