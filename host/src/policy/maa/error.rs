//! What is wrong with a policy, and where.

use std::fmt;

/// A place in a policy's text, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A fault of a policy. What it repeats of the text is names only.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MaaFault {
    /// The policy cannot be followed with these claims.
    #[error("{place}: {reason}")]
    Evaluation {
        /// Where the rule or the call stands.
        place: Place,
        /// What is wrong.
        reason: String,
    },
    /// The text is no policy.
    #[error("{place}: {reason}")]
    Parsing {
        /// Where reading stopped.
        place: Place,
        /// What is wrong.
        reason: String,
    },
}

impl MaaFault {
    pub(super) fn parsing(place: Place, reason: impl Into<String>) -> Self {
        Self::Parsing { place, reason: reason.into() }
    }

    pub(super) fn evaluation(place: Place, reason: impl Into<String>) -> Self {
        Self::Evaluation { place, reason: reason.into() }
    }
}
