//! Text from elsewhere (a client, a plugin, a certificate), fit for a log or a terminal.

use std::fmt::{self, Write};

/// Shows the text with every character written out that could start a line of its own, steer a
/// terminal, or reorder or hide what stands beside it.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if steers(character) {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Controls (C0, DEL, C1), line and paragraph separators, bidirectional controls, and characters
/// that take no room: zero-width ones, the soft hyphen, the byte order mark, annotations, tags.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 41
    #[test]
    fn no_character_forges_a_line_steers_a_terminal_or_hides() {
        let forged = "bad\r\n2026 INFO released\u{1b}[31m\u{9b}2J\u{7f}\u{85}";
        assert_eq!(
            Escaped(forged).to_string(),
            "bad\\u{d}\\u{a}2026 INFO released\\u{1b}[31m\\u{9b}2J\\u{7f}\\u{85}"
        );
        // Unicode 16, Bidi_Control; then what is invisible of general category Cf.
        for bidirectional in "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                              \u{2066}\u{2067}\u{2068}\u{2069}"
            .chars()
            .chain("\u{ad}\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\u{206f}\u{feff}\u{fff9}".chars())
            .chain("\u{2028}\u{2029}\u{e0001}\u{e0041}".chars())
        {
            let text = bidirectional.to_string();
            assert_ne!(Escaped(&text).to_string(), text, "{:x}", u32::from(bidirectional));
        }
        assert_eq!(Escaped("größer 鍵 \u{1f511}").to_string(), "größer 鍵 \u{1f511}");
    }
}
