//! A policy's text in tokens.

use super::error::{MaaFault, Place};

/// The most tokens of one policy.
const MOST: usize = 16 << 10;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// The text is over.
    End,
    Identifier(String),
    Integer(i64),
    /// Punctuation and operators, longest first.
    Sign(&'static str),
    Text(String),
}

/// A token, and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) place: Place,
}

const SIGNS: &[&str] = &[
    "=>", "==", "!=", "<=", ">=", "&&", "=", "<", ">", "!", "[", "]", "(", ")", "{", "}", ",", ";",
    ":", ".",
];

struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    place: Place,
}

/// Every token, the last of which is [`Token::End`], and where the first comment begins.
pub(super) fn tokens(text: &str) -> Result<(Vec<Placed>, Option<Place>), MaaFault> {
    let place = Place { line: 1, column: 1 };
    let mut lexer = Lexer { text, offset: 0, place };
    let mut tokens = Vec::new();
    let mut comment = None;
    loop {
        let found = lexer.skip_blank();
        comment = comment.or(found);
        let place = lexer.place;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push(Placed { token, place });
        if end {
            return Ok((tokens, comment));
        }
        if tokens.len() > MOST {
            return Err(MaaFault::parsing(place, format!("more than {MOST} tokens")));
        }
    }
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn advance(&mut self, character: char) {
        self.offset += character.len_utf8();
        match character {
            '\n' => {
                self.place.line = self.place.line.saturating_add(1);
                self.place.column = 1;
            }
            _ => self.place.column = self.place.column.saturating_add(1),
        }
    }

    /// White space and comments; where the first comment among them begins.
    fn skip_blank(&mut self) -> Option<Place> {
        let mut comment = None;
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                comment = comment.or(Some(self.place));
                let line = rest.split('\n').next().unwrap_or_default();
                line.chars().for_each(|character| self.advance(character));
                continue;
            }
            match rest.chars().next() {
                Some(blank) if matches!(blank, ' ' | '\t' | '\r' | '\n') => self.advance(blank),
                _ => return comment,
            }
        }
    }

    fn token(&mut self) -> Result<Token, MaaFault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if first == '"' {
            return self.text();
        }
        let negative = first == '-' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if first.is_ascii_digit() || negative {
            return self.integer();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = |character: &char| character.is_ascii_alphanumeric() || *character == '_';
            let word: String = rest.chars().take_while(name).collect();
            word.chars().for_each(|character| self.advance(character));
            return Ok(Token::Identifier(word));
        }
        match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                sign.chars().for_each(|character| self.advance(character));
                Ok(Token::Sign(sign))
            }
            None => {
                let reason = format!("the character {:?} begins nothing", first);
                Err(MaaFault::parsing(self.place, reason))
            }
        }
    }

    fn integer(&mut self) -> Result<Token, MaaFault> {
        let place = self.place;
        let digits = |(index, character): &(usize, char)| {
            character.is_ascii_digit() || (*index == 0 && *character == '-')
        };
        let text: String =
            self.rest().chars().enumerate().take_while(digits).map(|(_, digit)| digit).collect();
        text.chars().for_each(|character| self.advance(character));
        let number = text.parse();
        number
            .map(Token::Integer)
            .map_err(|_| MaaFault::parsing(place, "an integer of more than 64 bits"))
    }

    /// Between quotation marks; a backslash stands before a quotation mark, a backslash, or one of
    /// `n`, `r`, `t`.
    fn text(&mut self) -> Result<Token, MaaFault> {
        let begin = self.place;
        self.advance('"');
        let mut text = String::new();
        loop {
            let place = self.place;
            let mut rest = self.rest().chars();
            match rest.next() {
                None => return Err(MaaFault::parsing(begin, "a text that does not end")),
                Some('"') => {
                    self.advance('"');
                    return Ok(Token::Text(text));
                }
                Some('\\') => {
                    let escaped = match rest.next() {
                        Some(plain @ ('"' | '\\' | '/')) => (plain, plain),
                        Some('n') => ('n', '\n'),
                        Some('r') => ('r', '\r'),
                        Some('t') => ('t', '\t'),
                        _ => {
                            let reason = "a backslash before what needs none";
                            return Err(MaaFault::parsing(place, reason));
                        }
                    };
                    self.advance('\\');
                    self.advance(escaped.0);
                    text.push(escaped.1);
                }
                Some(character) => {
                    self.advance(character);
                    text.push(character);
                }
            }
        }
    }
}
