//! A case of an appraisal policy: facts of genuine evidence, the operator's choices, reference
//! values; and what the policy must say of them.

use std::collections::{BTreeMap, BTreeSet};

use claviger::appraisal::{self, Appraiser, Case, TeePolicy, Trust, Vector};
use claviger::claim::{Claim, Value};
use claviger::clock::Timestamp;
use claviger::error::Refusal;
use claviger::reference::{Group, Snapshot};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::choices::SnpChoices;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppraisalCase {
    #[serde(rename = "statement")]
    _statement: String,
    #[serde(rename = "source")]
    _source: String,
    at: u64,
    facts: BTreeMap<String, Value>,
    #[serde(default)]
    claims: BTreeMap<String, Value>,
    verifier_vector: BTreeMap<String, i8>,
    #[serde(default)]
    settings: Map<String, Json>,
    reference: Vec<BTreeMap<String, Json>>,
    expect: Expected,
}

/// A refusal's code; or status, vector and the names of the rules that do not hold, all three exactly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub(crate) enum Expected {
    /// There is a result.
    Judged { status: String, vector: BTreeMap<String, i8>, findings: BTreeSet<String> },
    /// There is none.
    Refused { refused: String },
}

impl AppraisalCase {
    /// The rules that the case says do not hold.
    pub(crate) fn findings(&self) -> BTreeSet<String> {
        match &self.expect {
            Expected::Judged { findings, .. } => findings.clone(),
            Expected::Refused { .. } => BTreeSet::new(),
        }
    }

    /// Judges, by the built-in policy of this kind of evidence.
    pub(crate) fn run(&self, tee: &str) -> Result<(), String> {
        if appraisal::kind(tee).is_none() {
            return Err(format!("there is no policy for {tee}"));
        }
        let appraiser = self.appraiser(tee)?;
        let (facts, claims) = (claims(&self.facts), claims(&self.claims));
        let case = Case {
            tee,
            facts: &facts,
            claims: &claims,
            vector: &vector(&self.verifier_vector)?,
            verifier: ("verifier", "00"),
            simulated: false,
            expires: Timestamp(self.at).plus(86_400),
            at: Timestamp(self.at),
        };
        self.expect.compare(appraiser.appraise(&case, &snapshot(tee, &self.reference)))
    }

    fn appraiser(&self, tee: &str) -> Result<Appraiser, String> {
        let mut others = BTreeMap::new();
        let mut snp = SnpChoices::default();
        if tee == "snp" {
            let settings = Json::Object(self.settings.clone());
            snp = serde_json::from_value(settings).map_err(|error| format!("settings: {error}"))?;
        } else {
            let chosen = TeePolicy { settings: self.settings.clone(), ..TeePolicy::default() };
            others.insert(tee.to_owned(), chosen);
        }
        Appraiser::with(&snp.policy()?, &others, None).map_err(|error| error.to_string())
    }
}

impl Expected {
    /// Whether it came so.
    pub(crate) fn compare(
        &self,
        outcome: Result<appraisal::Appraisal, Refusal>,
    ) -> Result<(), String> {
        match (self, outcome) {
            (Self::Judged { status, vector, findings }, Ok(judged)) => {
                let seen_vector = said(&judged.vector);
                let seen: BTreeSet<_> =
                    judged.findings.iter().map(|finding| finding.rule.to_string()).collect();
                let same =
                    judged.status.name() == status && seen_vector == *vector && seen == *findings;
                let status = judged.status.name();
                same.then_some(()).ok_or_else(|| {
                    format!("came out as {status}, {seen_vector:?}, {seen:?}; wanted {self:?}")
                })
            }
            (Self::Refused { refused }, Err(refusal)) if refusal.code.as_str() == refused => Ok(()),
            (_, Ok(judged)) => Err(format!("was judged {}; wanted {self:?}", judged.status.name())),
            (_, Err(refusal)) => Err(format!("{refusal}; wanted {self:?}")),
        }
    }
}

/// The values of a vector that are there.
fn said(vector: &Vector) -> BTreeMap<String, i8> {
    let value = |trust: Trust| Some((trust.name().to_owned(), vector.value(trust)?));
    Trust::ALL.into_iter().filter_map(value).collect()
}

/// What a verifier affirms at most.
pub(crate) fn vector(values: &BTreeMap<String, i8>) -> Result<Vector, String> {
    let mut vector = Vector::default();
    for (name, value) in values {
        let trust = Trust::ALL.into_iter().find(|trust| trust.name() == name);
        vector.lower(trust.ok_or_else(|| format!("AR4SI has no claim {name:?}"))?, *value);
    }
    Ok(vector)
}

/// Reference values, each object a group of one document.
pub(crate) fn snapshot(tee: &str, groups: &[BTreeMap<String, Json>]) -> Snapshot {
    let group =
        |values: &BTreeMap<String, Json>| Group { tee: tee.to_owned(), values: values.clone() };
    let groups: Vec<_> = groups.iter().map(group).collect();
    Snapshot::of([("case", groups.as_slice())])
}

fn claims(facts: &BTreeMap<String, Value>) -> Vec<Claim> {
    facts.iter().map(|(name, value)| Claim::new(name.clone(), value.clone())).collect()
}
