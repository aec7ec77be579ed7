//! Why a policy gives no answer, and where in its source.

use std::fmt;

use regorus::rvm::Program;
use regorus::rvm::vm::VmError;

use super::position::Position;

/// The longest message that is kept, in bytes: the engine's may hold whole documents.
const LONGEST: usize = 400;

/// What kind of failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The source is not Rego, or calls what there is not.
    Compile,
    /// The engine itself failed.
    Engine,
    /// It took more instructions, time or memory than it may.
    Exhausted,
    /// A rule failed: two values for one name, a builtin that cannot work on what it got.
    Failed,
    /// The rule that was asked has no value.
    Undefined,
    /// The rule's value is not of the shape that is wanted.
    WrongType,
}

/// A policy that gave no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct PolicyError {
    /// What kind.
    pub fault: Fault,
    /// The file, where it is known.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            for number in [self.line, self.column].into_iter().flatten() {
                write!(f, ":{number}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl PolicyError {
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| message.is_char_boundary(*end));
            message.truncate(end.unwrap_or_default());
            message.push('…');
        }
        Self { fault, file: None, line: None, column: None, message }
    }

    /// The same with its place, where there is one.
    #[must_use]
    pub(crate) fn at(mut self, position: Option<Position>) -> Self {
        if let Some(Position { file, line, column }) = position {
            (self.file, self.line, self.column) = (Some(file), Some(line), column);
        }
        self
    }

    /// What the parser or the analysis says: a picture of the line under `--> file:line:column`.
    pub(super) fn of_source(text: &str) -> Self {
        let text = text.trim();
        let message = text.rsplit_once("error: ").map_or(text, |(_, message)| message);
        let place = text.strip_prefix("--> ").and_then(|rest| {
            let mut parts = rest.lines().next()?.rsplitn(3, ':');
            let column = parts.next()?.trim().parse().ok()?;
            let line = parts.next()?.parse().ok()?;
            Some(Position { file: parts.next()?.to_owned(), line, column: Some(column) })
        });
        Self::new(Fault::Compile, message).at(place)
    }

    pub(super) fn of_machine(error: &VmError, program: &Program) -> Self {
        let fault = match error {
            VmError::InstructionLimitExceeded { .. }
            | VmError::MemoryLimitExceeded { .. }
            | VmError::RegexSizeLimitExceeded { .. }
            | VmError::TimeLimitExceeded { .. } => Fault::Exhausted,
            _ => Fault::Failed,
        };
        let text = error.to_string();
        let (message, place) = match text.rfind("pc=") {
            None => (text.as_str(), None),
            Some(at) => {
                let digits = text.get(at + 3..).unwrap_or_default();
                let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
                let counter = digits.get(..end).and_then(|digits| digits.parse().ok());
                let message = text.get(..at).unwrap_or_default().trim_end_matches(['(', ' ', ',']);
                (message, counter.and_then(|counter| Position::of_instruction(program, counter)))
            }
        };
        Self::new(fault, message).at(place)
    }
}
