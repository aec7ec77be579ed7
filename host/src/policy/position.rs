//! Places in a policy's source.

use regorus::rvm::Program;

use super::Module;

/// A place in a policy's source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Position {
    /// The module's name.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: Option<u32>,
}

impl Position {
    /// Where an instruction comes from. What the compiler adds comes from nowhere.
    pub(super) fn of_instruction(program: &Program, counter: usize) -> Option<Self> {
        let span = program.get_instruction_span(counter)?;
        let file = span.get_source_name(&program.sources)?.to_owned();
        let line = u32::try_from(span.line).ok().filter(|line| *line > 0)?;
        Some(Self { file, line, column: u32::try_from(span.column).ok() })
    }
}

/// The first line, comments aside, that holds `text` as a string.
pub(super) fn of_string(modules: &[Module], text: &str) -> Option<Position> {
    let quoted = format!("\"{text}\"");
    first(modules, |line| line.find(&quoted))
}

/// The first line that begins with a rule of that name.
pub(super) fn of_rule(modules: &[Module], name: &str) -> Option<Position> {
    first(modules, |line| {
        let rest = line.strip_prefix("default ").unwrap_or(line).strip_prefix(name)?;
        rest.starts_with([' ', '[', '(', '.']).then_some(0)
    })
}

/// The first call of a function of that name.
pub(super) fn of_call(modules: &[Module], name: &str) -> Option<Position> {
    let call = format!("{name}(");
    first(modules, |line| line.find(&call))
}

fn first(modules: &[Module], find: impl Fn(&str) -> Option<usize>) -> Option<Position> {
    modules.iter().find_map(|module| {
        module.source.lines().zip(1..).find_map(|(line, number)| {
            let at = (!line.trim_start().starts_with('#')).then(|| find(line)).flatten()?;
            let column = u32::try_from(line.get(..at)?.chars().count() + 1).ok();
            Some(Position { file: module.name.clone(), line: number, column })
        })
    })
}
