//! Brackets in brackets. The engine's parser tries each opening one in several ways, and so takes
//! twice as long for each level: its own limit of 32 comes too late.

use super::Module;
use super::position::Position;

/// Levels that are read.
pub(super) const DEEPEST: usize = 8;

/// Where brackets nest more deeply than is read.
pub(super) fn too_deep(module: &Module) -> Option<Position> {
    let (mut depth, mut line) = (0_usize, 1_u32);
    let mut within = Within::Code;
    let mut characters = module.source.chars();
    while let Some(character) = characters.next() {
        if character == '\n' {
            line = line.saturating_add(1);
        }
        within = match (within, character) {
            (Within::Code, '#') => Within::Comment,
            (Within::Code, '"') => Within::Text,
            (Within::Code, '`') => Within::Raw,
            (Within::Code, '(' | '[' | '{') => {
                depth += 1;
                if depth > DEEPEST {
                    return Some(Position { file: module.name.clone(), line, column: None });
                }
                Within::Code
            }
            (Within::Code, ')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                Within::Code
            }
            // A text does not go on in the next line.
            (Within::Comment | Within::Text, '\n') | (Within::Text, '"') | (Within::Raw, '`') => {
                Within::Code
            }
            (Within::Text, '\\') => {
                characters.next();
                Within::Text
            }
            (within, _) => within,
        };
    }
    None
}

#[derive(Clone, Copy)]
enum Within {
    Code,
    Comment,
    Raw,
    Text,
}
