//! The policy in force for one kind of attester, asked and believed as far as it may be.
//!
//! It answers with `data.claviger.appraisal.result`: for the attester's submodule a vector and the
//! rules that did not hold, each of which lowers one claim. Its word and the verifier's are put
//! together claim by claim, and the worse one counts. Nothing is raised above what the host checked
//! natively; the one thing that a policy may affirm is what runs, by reference values.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::Value as Json;

use super::PolicyId;
use super::case::{Case, Sight};
use super::kinds::kind;
use super::vector::{Status, Trust, Vector};
use crate::audit::Digest;
use crate::claim::Value;
use crate::error::{Code, Refusal};
use crate::flow::Finding;
use crate::policy::{Budget, Document, Fault, Module, Policy, PolicyError};
use crate::reference::Snapshot;

/// The rule that is asked.
const ENTRY: &str = "data.claviger.appraisal.result";

/// Judgements that are remembered, and sets of reference values.
const JUDGEMENTS: u64 = 10_000;
const REFERENCES: u64 = 256;

pub(super) struct Judge {
    policy: Policy,
    settings: Document,
    sight: Sight,
    id: PolicyId,
    /// Claims of which one must be a reference value before anybody may affirm what runs.
    measured: &'static [&'static str],
    /// By the digest of all that the policy can see.
    judgements: Cache<[u8; 32], Arc<Judgement>>,
    /// Reference values as the policy reads them, by their digest.
    references: Cache<[u8; 32], Document>,
}

/// What the policy says.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) vector: Vector,
    pub(super) findings: Vec<Finding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    submods: BTreeMap<String, Submod>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submod {
    vector: BTreeMap<String, i64>,
    findings: Vec<Unmet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unmet {
    rule: String,
    claim: String,
    seen: Option<Json>,
    wanted: Json,
    lowers: String,
    value: i64,
}

impl Judge {
    /// Compiles the policy of one kind of attester. `name` is its identifier's beginning.
    pub(super) fn new(
        tee: &str,
        name: &str,
        modules: Vec<Module>,
        settings: &Json,
    ) -> Result<Self, PolicyError> {
        let policy = Policy::of_modules(modules)?;
        if !policy.defines(ENTRY) {
            let message = format!("the policy has no rule {ENTRY}");
            return Err(PolicyError::new(Fault::Compile, message));
        }
        let words = settings.to_string();
        let chosen = Digest::of(words.as_bytes());
        let source = Digest(policy.digest());
        let id = PolicyId(format!("{name}:sha256:{source}:settings:sha256:{chosen}"));
        Ok(Self {
            sight: Sight::of(
                |word| policy.mentions(word),
                |part| policy.holds(part) || words.contains(part),
            ),
            settings: Document::from(settings),
            policy,
            id,
            measured: kind(tee).map(|kind| kind.measured).unwrap_or_default(),
            judgements: Cache::new(JUDGEMENTS),
            references: Cache::new(REFERENCES),
        })
    }

    pub(super) fn id(&self) -> &PolicyId {
        &self.id
    }

    /// What the policy says of this case, with the reference values of now.
    pub(super) fn judge(
        &self,
        case: &Case<'_>,
        references: &Snapshot,
    ) -> Result<Arc<Judgement>, Refusal> {
        let key = case.key(&self.sight, &references.digest);
        if let Some(known) = self.judgements.get(&key) {
            return Ok(known);
        }
        let judgement = Arc::new(self.ask(case, references).map_err(refuse)?);
        self.judgements.insert(key, Arc::clone(&judgement));
        Ok(judgement)
    }

    fn ask(&self, case: &Case<'_>, references: &Snapshot) -> Result<Judgement, PolicyError> {
        let input = case.input(&self.sight);
        let data = self.data(references);
        let answer = self.policy.evaluate(ENTRY, &input, &data, Budget::default())?;
        let answer: Answer = serde_json::from_value(answer)
            .map_err(|error| wrong(&format!("its result: {error}")))?;
        let mut submods = answer.submods.into_iter();
        let submod = match (submods.next(), submods.next()) {
            (Some((tee, submod)), None) if tee == case.tee => submod,
            _ => return Err(wrong(&format!("its result is not about {} alone", case.tee))),
        };
        self.combine(case, submod, references)
    }

    fn combine(
        &self,
        case: &Case<'_>,
        said: Submod,
        references: &Snapshot,
    ) -> Result<Judgement, PolicyError> {
        let mut vector = case.vector.clone();
        // Nobody affirms what runs where it is no reference value: neither plugin nor policy.
        let approved = self.is_approved(case, references);
        if !approved {
            vector.unsupported(Trust::Executables);
        }
        for (claim, value) in &said.vector {
            let (trust, value) = (trust(claim)?, tier(*value)?);
            if Status::of(value) != Status::Affirming {
                vector.lower(trust, value);
            } else if trust == Trust::Executables && approved {
                vector.affirm_where_silent(trust, value);
            }
        }
        // A report says nothing of disks and of data from elsewhere.
        for trust in [Trust::FileSystem, Trust::SourcedData, Trust::StorageOpaque] {
            vector.unsupported(trust);
        }
        let mut findings = Vec::with_capacity(said.findings.len());
        for unmet in said.findings {
            let value = tier(unmet.value)?;
            if Status::of(value) <= Status::None {
                return Err(wrong(&format!("the rule {} lowers nothing", unmet.rule)));
            }
            vector.lower(trust(&unmet.lowers)?, value);
            findings.push(self.finding(case, unmet));
        }
        Ok(Judgement { vector, findings })
    }

    /// Whether what runs is a reference value, by one of the claims that say what it is: of a kind that
    /// the host does not know, nothing says that.
    fn is_approved(&self, case: &Case<'_>, references: &Snapshot) -> bool {
        self.measured.iter().any(|claim| {
            let name = format!("{}.{claim}", case.tee);
            let measured = case.bytes(&name).map(|measured| HEXLOWER.encode(&measured));
            let mut approved = references.values(case.tee, claim);
            measured.is_some_and(|measured| approved.any(|value| *value == *measured))
        })
    }

    fn finding(&self, case: &Case<'_>, unmet: Unmet) -> Finding {
        let seen = match unmet.seen {
            Some(seen) => Some(value(&seen)),
            // What is remembered must not speak of one request alone.
            None if !self.sight.sees(&unmet.claim) => None,
            None => case.value(&unmet.claim).cloned(),
        };
        let place = self.policy.position_of(&unmet.rule);
        let (file, line) = place.map(|place| (place.file, place.line)).unzip();
        let Unmet { rule, claim, wanted, .. } = unmet;
        Finding { rule: rule.into(), claim, seen, wanted: words(&wanted), file, line }
    }

    fn data(&self, references: &Snapshot) -> Document {
        let values = self.references.get_with(references.digest, || {
            Document::object([
                ("reference", Document::from(&references.json)),
                ("known", Document::from(&known(references))),
            ])
        });
        values.with("settings", self.settings.clone())
    }
}

/// `{"snp": {"measurement": {"<value>": ["<id>"]}}}`: the same values, to be looked up.
fn known(references: &Snapshot) -> Json {
    let mut known = serde_json::Map::new();
    for (tee, claims) in references.json.as_object().into_iter().flatten() {
        let mut by_claim = serde_json::Map::new();
        for (claim, values) in claims.as_object().into_iter().flatten() {
            let mut by_value = serde_json::Map::new();
            for entry in values.as_array().into_iter().flatten() {
                let (Some(value), Some(id)) = (entry.get("value"), entry.get("id")) else {
                    continue;
                };
                let ids = by_value.entry(words(value)).or_insert_with(|| Json::Array(Vec::new()));
                if let Some(ids) = ids.as_array_mut() {
                    ids.push(id.clone());
                }
            }
            by_claim.insert(claim.clone(), by_value.into());
        }
        known.insert(tee.clone(), by_claim.into());
    }
    known.into()
}

/// A value as facts have it; what they cannot hold, in words.
fn value(json: &Json) -> Value {
    match json {
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::Unsigned(number),
            (None, Some(number)) => Value::Signed(number),
            (None, None) => Value::Text(words(json)),
        },
        _ => Value::Text(words(json)),
    }
}

/// Text as it is, anything else as JSON.
fn words(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn trust(name: &str) -> Result<Trust, PolicyError> {
    let known = Trust::ALL.into_iter().find(|trust| trust.name() == name);
    known.ok_or_else(|| wrong(&format!("AR4SI has no claim {name:?}")))
}

fn tier(value: i64) -> Result<i8, PolicyError> {
    let tier = i8::try_from(value).ok().filter(|value| Status::of(*value) != Status::None);
    tier.ok_or_else(|| wrong(&format!("AR4SI has no value {value}")))
}

fn wrong(what: &str) -> PolicyError {
    PolicyError::new(Fault::WrongType, what)
}

/// A policy that gives no answer affirms nothing; whoever wrote it finds out where.
pub(super) fn refuse(error: PolicyError) -> Refusal {
    Refusal::new(Code::AppraisalFailed, format!("the appraisal policy: {error}"))
}
