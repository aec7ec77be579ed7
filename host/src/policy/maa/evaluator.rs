//! From claims to a decision and to what goes into the token. Rules hold in their order; each is
//! followed once for every set of claims that meets its conditions.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::claim::{Claim, Issuer, Value};
use super::error::{MaaFault, Place};
use super::syntax::{
    Action, Condition, Document, Expression, Made, Operator, Property, Rule, Test,
};

/// The most claims that an evaluation holds, the most comparisons it makes, and the most text that its
/// rules make, in bytes.
const MOST_CLAIMS: usize = 1024;
const MOST_STEPS: usize = 200_000;
const MOST_TEXT: usize = 4 << 20;

/// What a policy says of claims.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Whether a rule permits, and none denies.
    pub permitted: bool,
    /// What goes into the token, by name; a name that was issued with several values has them all.
    pub issued: Map<String, Json>,
    /// What the policy says of the attestation itself: `report_validity_in_minutes`, …
    pub properties: BTreeMap<String, Value>,
}

pub(super) fn evaluate(document: &Document, claims: Vec<Claim>) -> Result<Outcome, MaaFault> {
    let mut evaluation = Evaluation {
        claims,
        permitted: false,
        denied: false,
        issued: Vec::new(),
        properties: BTreeMap::new(),
        steps: 0,
        text: 0,
    };
    evaluation.room(Place { line: 1, column: 1 })?;
    evaluation.follow(&document.configuration)?;
    evaluation.follow(&document.authorization)?;
    if !evaluation.permitted || evaluation.denied {
        return Ok(Outcome { properties: evaluation.properties, ..Outcome::default() });
    }
    evaluation.follow(&document.issuance)?;
    let mut issued: Map<String, Json> = Map::new();
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, value) in &evaluation.issued {
        let known = values.entry(name).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    for (name, values) in values {
        let mut values: Vec<Json> = values.into_iter().cloned().map(Json::from).collect();
        let value = match values.len() {
            1 => values.swap_remove(0),
            _ => Json::Array(values),
        };
        issued.insert(name.to_owned(), value);
    }
    Ok(Outcome { permitted: true, issued, properties: evaluation.properties })
}

struct Evaluation {
    claims: Vec<Claim>,
    permitted: bool,
    denied: bool,
    issued: Vec<(String, Value)>,
    properties: BTreeMap<String, Value>,
    steps: usize,
    text: usize,
}

/// Claims that met the conditions so far: their places in the set, by the conditions' names.
type Met<'a> = Vec<(&'a str, usize)>;

impl Evaluation {
    fn follow(&mut self, rules: &[Rule]) -> Result<(), MaaFault> {
        rules.iter().try_for_each(|rule| {
            for met in self.meet(rule)? {
                self.act(rule, &met)?;
            }
            Ok(())
        })
    }

    /// Every set of claims that meets a rule's conditions. One without a name is met once.
    fn meet<'a>(&mut self, rule: &'a Rule) -> Result<Vec<Met<'a>>, MaaFault> {
        let mut all: Vec<Met<'a>> = vec![Vec::new()];
        for condition in &rule.conditions {
            let mut next = Vec::new();
            for met in all {
                let found = self.matching(rule, condition, &met)?;
                match (&condition.identifier, condition.negated) {
                    (_, true) if found.is_empty() => next.push(met),
                    (_, true) => {}
                    (None, false) if found.is_empty() => {}
                    (None, false) => next.push(met),
                    (Some(name), false) => next.extend(found.into_iter().map(|index| {
                        let mut met = met.clone();
                        met.push((name.as_str(), index));
                        met
                    })),
                }
                if next.len() > MOST_CLAIMS {
                    let reason = format!("more than {MOST_CLAIMS} sets of claims meet a rule");
                    return Err(MaaFault::evaluation(rule.place, reason));
                }
            }
            all = next;
        }
        Ok(all)
    }

    fn matching(
        &mut self,
        rule: &Rule,
        condition: &Condition,
        met: &Met<'_>,
    ) -> Result<Vec<usize>, MaaFault> {
        let mut operands = Vec::with_capacity(condition.tests.len());
        for test in &condition.tests {
            operands.push(self.value(&test.operand, met)?);
        }
        let cost = self.claims.len().saturating_mul(condition.tests.len());
        self.steps = self.steps.saturating_add(cost);
        if self.steps > MOST_STEPS {
            return Err(MaaFault::evaluation(rule.place, format!("more than {MOST_STEPS} steps")));
        }
        let mut found = Vec::new();
        for (index, claim) in self.claims.iter().enumerate() {
            let mut all = true;
            for (test, operand) in condition.tests.iter().zip(&operands) {
                all &= holds(test, claim, operand);
            }
            if all {
                found.push(index);
            }
        }
        Ok(found)
    }

    fn act(&mut self, rule: &Rule, met: &Met<'_>) -> Result<(), MaaFault> {
        match &rule.action {
            Action::Permit => self.permitted = true,
            Action::Deny => self.denied = true,
            Action::Add(made) => {
                let (name, value) = self.make(rule.place, made, met)?;
                self.claims.push(Claim { name, value, issuer: Issuer::Policy });
            }
            Action::Issue(made) => {
                let (name, value) = self.make(rule.place, made, met)?;
                self.issued.push((name.clone(), value.clone()));
                self.claims.push(Claim { name, value, issuer: Issuer::Policy });
            }
            Action::IssueProperty { name, value } => {
                let value = self.value(value, met)?;
                self.properties.insert(name.clone(), value);
            }
        }
        self.room(rule.place)
    }

    fn room(&self, place: Place) -> Result<(), MaaFault> {
        match self.claims.len() > MOST_CLAIMS || self.text > MOST_TEXT {
            true => Err(MaaFault::evaluation(
                place,
                format!("more than {MOST_CLAIMS} claims, or {MOST_TEXT} bytes of text"),
            )),
            false => Ok(()),
        }
    }

    fn make(
        &mut self,
        place: Place,
        made: &Made,
        met: &Met<'_>,
    ) -> Result<(String, Value), MaaFault> {
        let (name, value) = match made {
            Made::Copy { place, identifier } => {
                let claim = self.named(identifier, *place, met)?;
                (Value::Text(claim.name.clone()), claim.value.clone())
            }
            Made::New { name, value } => (self.value(name, met)?, self.value(value, met)?),
        };
        let Value::Text(name) = name else {
            return Err(MaaFault::evaluation(place, "a claim's type is a text"));
        };
        self.text = self.text.saturating_add(name.len()).saturating_add(value.size());
        Ok((name, value))
    }

    fn named(&self, name: &str, place: Place, met: &Met<'_>) -> Result<&Claim, MaaFault> {
        let found = met.iter().find(|(known, _)| *known == name);
        let claim = found.and_then(|(_, index)| self.claims.get(*index));
        claim.ok_or_else(|| MaaFault::evaluation(place, format!("`{name}` is no claim")))
    }

    fn value(&mut self, expression: &Expression, met: &Met<'_>) -> Result<Value, MaaFault> {
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Property { place, identifier, property } => {
                Ok(property_of(self.named(identifier, *place, met)?, *property))
            }
            Expression::Call { place, function, arguments } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.value(argument, met)?);
                }
                let value = function.call(&values);
                let value = value.map_err(|reason| MaaFault::evaluation(*place, reason))?;
                self.text = self.text.saturating_add(value.size());
                self.room(*place)?;
                Ok(value)
            }
        }
    }
}

fn property_of(claim: &Claim, property: Property) -> Value {
    match property {
        Property::Issuer => Value::Text(claim.issuer.name().to_owned()),
        Property::Type => Value::Text(claim.name.clone()),
        Property::Value => claim.value.clone(),
        Property::ValueType => Value::Text(claim.value.kind().to_owned()),
    }
}

/// Values of different kinds are neither equal nor, on that account, unequal: no test of them holds.
fn holds(test: &Test, claim: &Claim, operand: &Value) -> bool {
    let value = property_of(claim, test.property);
    if value.kind() != operand.kind() {
        return false;
    }
    let equal = value == *operand;
    match (test.operator, &value, operand) {
        (Operator::Equal, ..) => equal,
        (Operator::NotEqual, ..) => !equal,
        (Operator::Less, Value::Integer(value), Value::Integer(operand)) => value < operand,
        (Operator::LessOrEqual, Value::Integer(value), Value::Integer(operand)) => value <= operand,
        (Operator::Greater, Value::Integer(value), Value::Integer(operand)) => value > operand,
        (Operator::GreaterOrEqual, Value::Integer(value), Value::Integer(operand)) => {
            value >= operand
        }
        _ => false,
    }
}
