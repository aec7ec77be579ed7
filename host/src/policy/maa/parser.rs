//! From text to rules. What a policy may not say is refused here: nothing of the shape of a policy is
//! left for the evaluation to find out.

use super::LONGEST_SOURCE;
use super::claim::Value;
use super::error::{MaaFault, Place};
use super::functions::Function;
use super::lexer::{Placed, Token, tokens};
use super::syntax::{
    Action, Condition, Document, Expression, Made, Operator, Property, Rule, Test,
};

const MOST_RULES: usize = 256;
const MOST_CONDITIONS: usize = 16;
const MOST_TESTS: usize = 8;
const DEEPEST: usize = 8;

/// Properties that a policy may set, with the kind of their values: those that MAA documents.
const PROPERTIES: &[(&str, &str)] = &[
    ("omit_x5c", "Boolean"),
    ("report_validity_in_minutes", "Integer"),
    ("required_pcr_mask", "Integer"),
    ("require_valid_aik_cert", "Boolean"),
    ("x-ms-sgx-tcbidentifier", "String"),
];

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Version {
    V1_0,
    V1_1,
    V1_2,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Section {
    Authorization,
    Configuration,
    Issuance,
}

struct Parser {
    tokens: std::vec::IntoIter<Placed>,
    next: Placed,
    version: Version,
    rules: usize,
}

pub(super) fn parse(text: &str) -> Result<Document, MaaFault> {
    let start = Place { line: 1, column: 1 };
    if text.len() > LONGEST_SOURCE {
        return Err(MaaFault::parsing(start, format!("more than {LONGEST_SOURCE} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (tokens, comment) = tokens(text)?;
    let mut tokens = tokens.into_iter();
    let end = Placed { token: Token::End, place: start };
    let next = tokens.next().unwrap_or(end);
    let mut parser = Parser { tokens, next, version: Version::V1_0, rules: 0 };
    parser.version = parser.version()?;
    match comment {
        Some(place) if parser.version < Version::V1_2 => {
            Err(MaaFault::parsing(place, "comments are of version 1.2"))
        }
        _ => parser.document(),
    }
}

impl Parser {
    fn take(&mut self) -> Placed {
        let end = Placed { token: Token::End, ..self.next.clone() };
        std::mem::replace(&mut self.next, self.tokens.next().unwrap_or(end))
    }

    fn at(&self, sign: &str) -> bool {
        matches!(&self.next.token, Token::Sign(found) if *found == sign)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let there = self.at(sign);
        if there {
            self.take();
        }
        there
    }

    fn expect(&mut self, sign: &str) -> Result<(), MaaFault> {
        match self.accept(sign) {
            true => Ok(()),
            false => Err(self.wanted(&format!("`{sign}`"))),
        }
    }

    fn wanted(&self, what: &str) -> MaaFault {
        MaaFault::parsing(self.next.place, format!("{what} is wanted here"))
    }

    fn word(&mut self) -> Result<(String, Place), MaaFault> {
        match self.take() {
            Placed { token: Token::Identifier(word), place, .. } => Ok((word, place)),
            Placed { place, .. } => Err(MaaFault::parsing(place, "a name is wanted here")),
        }
    }

    /// `version=1.2;` The number is of two integers with a dot between, not a fraction.
    fn version(&mut self) -> Result<Version, MaaFault> {
        let (word, place) = self.word()?;
        if word != "version" {
            return Err(MaaFault::parsing(place, "a policy begins with `version=`"));
        }
        self.expect("=")?;
        let place = self.next.place;
        let major = self.take();
        self.expect(".")?;
        let minor = self.take();
        let version = match (major.token, minor.token) {
            (Token::Integer(1), Token::Integer(0)) => Version::V1_0,
            (Token::Integer(1), Token::Integer(1)) => Version::V1_1,
            (Token::Integer(1), Token::Integer(2)) => Version::V1_2,
            _ => return Err(MaaFault::parsing(place, "the versions are 1.0, 1.1 and 1.2")),
        };
        self.expect(";")?;
        Ok(version)
    }

    fn document(mut self) -> Result<Document, MaaFault> {
        let mut document = Document::default();
        let mut seen: Vec<Section> = Vec::new();
        while self.next.token != Token::End {
            let (word, place) = self.word()?;
            let (section, rules) = match word.as_str() {
                "authorizationrules" => (Section::Authorization, &mut document.authorization),
                "configurationrules" if self.version >= Version::V1_1 => {
                    (Section::Configuration, &mut document.configuration)
                }
                "issuancerules" => (Section::Issuance, &mut document.issuance),
                _ => {
                    let reason = format!("there is no section `{word}` in this version");
                    return Err(MaaFault::parsing(place, reason));
                }
            };
            if seen.contains(&section) {
                return Err(MaaFault::parsing(place, format!("`{word}` stands twice")));
            }
            seen.push(section);
            *rules = self.section(section)?;
        }
        match seen.contains(&Section::Authorization) {
            true => Ok(document),
            false => Err(self.wanted("the section `authorizationrules`")),
        }
    }

    fn section(&mut self, section: Section) -> Result<Vec<Rule>, MaaFault> {
        self.expect("{")?;
        let mut rules = Vec::new();
        while !self.accept("}") {
            self.rules += 1;
            if self.rules > MOST_RULES {
                let reason = format!("more than {MOST_RULES} rules");
                return Err(MaaFault::parsing(self.next.place, reason));
            }
            rules.push(self.rule(section)?);
            // The last rule of a section does without, in Microsoft's own examples.
            if !self.at("}") {
                self.expect(";")?;
            }
        }
        if !matches!(self.next.token, Token::End) {
            self.expect(";")?;
        }
        Ok(rules)
    }

    fn rule(&mut self, section: Section) -> Result<Rule, MaaFault> {
        let place = self.next.place;
        let mut conditions: Vec<Condition> = Vec::new();
        let mut names = Vec::new();
        while !self.at("=>") {
            if !conditions.is_empty() {
                self.expect("&&")?;
            }
            if conditions.len() >= MOST_CONDITIONS {
                let reason = format!("more than {MOST_CONDITIONS} conditions");
                return Err(MaaFault::parsing(self.next.place, reason));
            }
            let condition = self.condition(&names)?;
            names.extend(condition.identifier.clone());
            conditions.push(condition);
        }
        self.expect("=>")?;
        let action = self.action(section, &names)?;
        Ok(Rule { place, conditions, action })
    }

    fn condition(&mut self, names: &[String]) -> Result<Condition, MaaFault> {
        let place = self.next.place;
        let negated = self.accept("!");
        if negated && self.version < Version::V1_2 {
            return Err(MaaFault::parsing(place, "`!` is of version 1.2"));
        }
        let identifier = match (&self.next.token, negated) {
            (Token::Identifier(_), false) => {
                let (name, place) = self.word()?;
                if names.contains(&name) {
                    return Err(MaaFault::parsing(place, format!("`{name}` is taken")));
                }
                self.expect(":")?;
                Some(name)
            }
            _ => None,
        };
        self.expect("[")?;
        let mut tests: Vec<Test> = Vec::new();
        while !self.accept("]") {
            if !tests.is_empty() {
                self.expect(",")?;
            }
            if tests.len() >= MOST_TESTS {
                let reason = format!("more than {MOST_TESTS} tests in a condition");
                return Err(MaaFault::parsing(self.next.place, reason));
            }
            tests.push(self.test(names)?);
        }
        // An empty filter would be met by whatever claim there is.
        match tests.is_empty() {
            true => Err(MaaFault::parsing(place, "a condition without a test")),
            false => Ok(Condition { negated, identifier, tests }),
        }
    }

    fn test(&mut self, names: &[String]) -> Result<Test, MaaFault> {
        let (word, place) = self.word()?;
        let property = property(&word, place)?;
        let sign = self.take();
        let operator = match sign.token {
            // Microsoft's pages write both.
            Token::Sign("==" | "=") => Operator::Equal,
            Token::Sign("!=") => Operator::NotEqual,
            Token::Sign("<") => Operator::Less,
            Token::Sign("<=") => Operator::LessOrEqual,
            Token::Sign(">") => Operator::Greater,
            Token::Sign(">=") => Operator::GreaterOrEqual,
            _ => return Err(MaaFault::parsing(sign.place, "an operator is wanted here")),
        };
        let operand = self.expression(names, 0)?;
        let ordering = !matches!(operator, Operator::Equal | Operator::NotEqual);
        let number =
            matches!(operand, Expression::Literal(Value::Integer(_)) | Expression::Property { .. });
        if ordering && !(number && property == Property::Value) {
            return Err(MaaFault::parsing(sign.place, "only integers are ordered"));
        }
        Ok(Test { property, operator, operand })
    }

    fn expression(&mut self, names: &[String], depth: usize) -> Result<Expression, MaaFault> {
        let Placed { token, place, .. } = self.take();
        let word = match token {
            Token::Integer(number) => return Ok(Expression::Literal(Value::Integer(number))),
            Token::Text(text) => return Ok(Expression::Literal(Value::Text(text))),
            Token::Identifier(word) => word,
            _ => return Err(MaaFault::parsing(place, "a value is wanted here")),
        };
        match word.as_str() {
            "false" => return Ok(Expression::Literal(Value::Boolean(false))),
            "true" => return Ok(Expression::Literal(Value::Boolean(true))),
            _ => {}
        }
        if self.accept("(") {
            return self.call(&word, place, names, depth);
        }
        self.expect(".")?;
        if !names.contains(&word) {
            return Err(MaaFault::parsing(
                place,
                format!("no condition before is called `{word}`"),
            ));
        }
        let (name, at) = self.word()?;
        Ok(Expression::Property { place, identifier: word, property: property(&name, at)? })
    }

    fn call(
        &mut self,
        word: &str,
        place: Place,
        names: &[String],
        depth: usize,
    ) -> Result<Expression, MaaFault> {
        let function = Function::named(word).filter(|_| self.version >= Version::V1_2);
        let Some(function) = function else {
            let reason = format!("there is no function `{word}` in this version");
            return Err(MaaFault::parsing(place, reason));
        };
        if depth >= DEEPEST {
            return Err(MaaFault::parsing(place, format!("calls more than {DEEPEST} deep")));
        }
        let mut arguments = Vec::new();
        while !self.accept(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            if arguments.len() >= function.arity() {
                break;
            }
            arguments.push(self.expression(names, depth + 1)?);
        }
        if arguments.len() != function.arity() {
            let reason = format!("`{word}` takes {} arguments", function.arity());
            return Err(MaaFault::parsing(place, reason));
        }
        // A query that stands in the text is looked at now.
        if let (Function::JmesPath, Some(Expression::Literal(Value::Text(query)))) =
            (function, arguments.get(1))
        {
            function.check_query(query).map_err(|reason| MaaFault::parsing(place, reason))?;
        }
        Ok(Expression::Call { place, function, arguments })
    }

    fn action(&mut self, section: Section, names: &[String]) -> Result<Action, MaaFault> {
        let (word, place) = self.word()?;
        self.expect("(")?;
        let action = match (word.as_str(), section) {
            ("permit", Section::Authorization) => Action::Permit,
            ("deny", Section::Authorization) => Action::Deny,
            ("add", Section::Authorization | Section::Issuance) => Action::Add(self.made(names)?),
            ("issue", Section::Issuance) => Action::Issue(self.made(names)?),
            ("issueproperty", Section::Configuration | Section::Issuance) => {
                match self.made(names)? {
                    Made::New { name: Expression::Literal(Value::Text(name)), value } => {
                        check_property(&name, &value)
                            .map_err(|reason| MaaFault::parsing(place, reason))?;
                        Action::IssueProperty { name, value }
                    }
                    _ => {
                        let reason = "`issueproperty` takes a type in quotation marks and a value";
                        return Err(MaaFault::parsing(place, reason));
                    }
                }
            }
            _ => {
                let reason = format!("there is no action `{word}` in this section");
                return Err(MaaFault::parsing(place, reason));
            }
        };
        self.expect(")")?;
        Ok(action)
    }

    /// `claim=c`, or `type=…, value=…` in any order.
    fn made(&mut self, names: &[String]) -> Result<Made, MaaFault> {
        let begin = self.next.place;
        let (mut name, mut value) = (None, None);
        loop {
            let (word, place) = self.word()?;
            self.expect("=")?;
            if word == "claim" && name.is_none() && value.is_none() {
                let (identifier, place) = self.word()?;
                if !names.contains(&identifier) {
                    let reason = format!("no condition before is called `{identifier}`");
                    return Err(MaaFault::parsing(place, reason));
                }
                return Ok(Made::Copy { place, identifier });
            }
            let slot = match word.as_str() {
                "type" => &mut name,
                "value" => &mut value,
                _ => {
                    let reason = format!("`{word}` is no property that a policy may set");
                    return Err(MaaFault::parsing(place, reason));
                }
            };
            let expression = self.expression(names, 0)?;
            if slot.replace(expression).is_some() {
                return Err(MaaFault::parsing(place, format!("`{word}` stands twice")));
            }
            if !self.accept(",") {
                break;
            }
        }
        match (name, value) {
            (Some(name), Some(value)) => Ok(Made::New { name, value }),
            _ => Err(MaaFault::parsing(begin, "`type` and `value` are wanted, or `claim`")),
        }
    }
}

fn property(word: &str, place: Place) -> Result<Property, MaaFault> {
    Property::named(word)
        .ok_or_else(|| MaaFault::parsing(place, format!("a claim has no property `{word}`")))
}

fn check_property(name: &str, value: &Expression) -> Result<(), String> {
    let known = PROPERTIES.iter().find(|(known, _)| *known == name);
    let Some((_, kind)) = known else { return Err(format!("there is no property `{name}`")) };
    match value {
        Expression::Literal(literal) if literal.kind() != *kind => {
            Err(format!("`{name}` is of kind {kind}"))
        }
        _ => Ok(()),
    }
}
