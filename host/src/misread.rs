//! Where in a text TOML is wrong, and why, on one line.

/// What is wrong with a text.
pub(crate) struct Misread {
    /// From 1.
    pub(crate) line: usize,
    /// From 1.
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl Misread {
    pub(crate) fn of(text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            message: error.message().replace('\n', " "),
        }
    }
}
