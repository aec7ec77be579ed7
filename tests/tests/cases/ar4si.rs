//! A case of AR4SI: what a verifier and a policy say, claim by claim, and what comes of both.

use std::collections::BTreeMap;

use claviger::appraisal::{Appraiser, Case, SnpPolicy, Vector};
use claviger::claim::{Claim, Value};
use claviger::clock::Timestamp;
use claviger::error::{Code, Refusal};
use claviger::plugin::Trustworthiness;
use claviger::policy::Module;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::appraisal::{Expected, snapshot};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ar4siCase {
    #[serde(rename = "statement")]
    _statement: String,
    #[serde(rename = "source")]
    _source: String,
    verifier_vector: BTreeMap<String, i8>,
    policy_vector: BTreeMap<String, i64>,
    #[serde(default)]
    policy_findings: Vec<Lowering>,
    software_is_reference_value: bool,
    expect: Expected,
}

/// A rule of the policy that does not hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lowering {
    rule: String,
    lowers: String,
    value: i64,
}

impl Ar4siCase {
    /// Puts the two together as a host does.
    pub(crate) fn run(&self) -> Result<(), String> {
        let Some(vector) = Vector::from_plugin(&self.said()?) else {
            // What a host's gate makes of it.
            let refusal = Refusal::new(Code::PluginFailed, "a vector that a plugin may not say");
            return self.expect.compare(Err(refusal));
        };
        let policy = vec![Module::new("case.rego", self.policy())];
        let appraiser = Appraiser::new(&SnpPolicy { policy, ..SnpPolicy::default() }, None)
            .map_err(|error| error.to_string())?;
        let facts = [Claim::new("snp.measurement", Value::Text("ab".repeat(48)))];
        let case = Case {
            tee: "snp",
            facts: &facts,
            claims: &[],
            vector: &vector,
            verifier: ("verifier", "00"),
            simulated: false,
            expires: Timestamp(2_000_000_000),
            at: Timestamp(1_800_000_000),
        };
        let known = [BTreeMap::from([("measurement".to_owned(), json!("ab".repeat(48)))])];
        let known = if self.software_is_reference_value { &known[..] } else { &[] };
        self.expect.compare(appraiser.appraise(&case, &snapshot("snp", known)))
    }

    /// A policy that always says the same.
    fn policy(&self) -> String {
        let finding = |one: &Lowering| {
            json!({
                "rule": one.rule, "claim": "snp.measurement", "wanted": true,
                "lowers": one.lowers, "value": one.value,
            })
        };
        let findings: Vec<Json> = self.policy_findings.iter().map(finding).collect();
        let vector = &self.policy_vector;
        let result = json!({ "submods": { "snp": { "vector": vector, "findings": findings } } });
        format!("package claviger.appraisal\n\nresult := {result}\n")
    }

    fn said(&self) -> Result<Trustworthiness, String> {
        let mut said = Trustworthiness::default();
        for (name, value) in &self.verifier_vector {
            let place = match name.as_str() {
                "configuration" => &mut said.configuration,
                "executables" => &mut said.executables,
                "file-system" => &mut said.file_system,
                "hardware" => &mut said.hardware,
                "instance-identity" => &mut said.instance_identity,
                "runtime-opaque" => &mut said.runtime_opaque,
                "sourced-data" => &mut said.sourced_data,
                "storage-opaque" => &mut said.storage_opaque,
                _ => return Err(format!("AR4SI has no claim {name:?}")),
            };
            *place = Some(*value);
        }
        Ok(said)
    }
}
