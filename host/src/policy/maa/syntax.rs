//! A policy as it was read.

use super::claim::Value;
use super::error::Place;
use super::functions::Function;

/// A whole policy.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) configuration: Vec<Rule>,
    pub(super) authorization: Vec<Rule>,
    pub(super) issuance: Vec<Rule>,
}

/// `conditions => action;`
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) place: Place,
    pub(super) conditions: Vec<Condition>,
    pub(super) action: Action,
}

/// `identifier:[test, test]`, or `![test]`.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) negated: bool,
    pub(super) identifier: Option<String>,
    pub(super) tests: Vec<Test>,
}

/// `value >= 3`
#[derive(Debug)]
pub(super) struct Test {
    pub(super) property: Property,
    pub(super) operator: Operator,
    pub(super) operand: Expression,
}

/// What a claim has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Property {
    Issuer,
    Type,
    Value,
    ValueType,
}

impl Property {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "issuer" => Some(Self::Issuer),
            "type" => Some(Self::Type),
            "value" => Some(Self::Value),
            "valueType" => Some(Self::ValueType),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Operator {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

#[derive(Debug)]
pub(super) enum Expression {
    Call {
        place: Place,
        function: Function,
        arguments: Vec<Expression>,
    },
    Literal(Value),
    /// `c.value`
    Property {
        place: Place,
        identifier: String,
        property: Property,
    },
}

#[derive(Debug)]
pub(super) enum Action {
    Add(Made),
    Deny,
    Issue(Made),
    IssueProperty { name: String, value: Expression },
    Permit,
}

/// What `add` and `issue` make.
#[derive(Debug)]
pub(super) enum Made {
    /// `claim=c`
    Copy { place: Place, identifier: String },
    /// `type=…, value=…`
    New { name: Expression, value: Expression },
}
