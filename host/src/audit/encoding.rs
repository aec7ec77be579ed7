//! How a record becomes a line: JSON in printable ASCII only, whatever the strings hold.
//!
//! Everything outside U+0020..U+007E is written as `\uXXXX`, so that no client can forge a line,
//! colour a terminal, or hide text behind bidirectional or invisible characters.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The longest line that is written, without its newline, in bytes.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// The record as one line, without the newline.
pub(super) fn line(record: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(768);
    record.serialize(&mut Serializer::with_formatter(&mut bytes, Ascii))?;
    Ok(bytes)
}

/// Whether the line holds printable ASCII only, as every line that was written here does.
pub(super) fn is_printable(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Compact JSON with every character outside printable ASCII escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // The caller has escaped U+0000..U+001F, quotes and backslashes.
        if is_printable(fragment.as_bytes()) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0_u16; 2];
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

/// How long a record's line is.
#[cfg(test)]
pub(crate) fn line_length(record: &super::Record) -> usize {
    line(record).map_or(usize::MAX, |line| line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 41
    #[test]
    fn no_character_can_leave_its_line_or_move_a_terminal() {
        let every: String = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
        let line = line(&every).unwrap();
        assert!(is_printable(&line));
        assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), every);
    }

    #[test]
    fn plain_text_stays_readable() {
        assert_eq!(line(&"a\"\\ b").unwrap(), br#""a\"\\ b""#);
        assert_eq!(
            line(&"\u{1b}[2J\u{202e}\u{1f511}\n").unwrap(),
            br#""\u001b[2J\u202e\ud83d\udd11\n""#
        );
    }
}
