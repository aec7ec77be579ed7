//! Why something was refused: which check failed, on which value, against what, and what was found to
//! hold up to there. The operator reads it in the audit record; the caller never does.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::flow::Finding;

/// An explanation takes so many bytes of a record at most, escapes counted, so that nothing that a
/// client sends keeps its own refusal from being recorded.
const ROOM: usize = 24 << 10;

/// One text of it takes so many.
const TEXT: usize = 2 << 10;

/// Why something was refused.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Explanation {
    /// The check that failed, by a name that stays: `snp`, `binding`, `token.aud`.
    pub check: Cow<'static, str>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The rules of a policy that did not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Violation>,
    /// The custody operations that held, anchor first, up to the break.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_path: Vec<String>,
}

/// A rule that did not hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Violation {
    /// Its name.
    pub rule: String,
    /// The claim that it looked at.
    pub claim: String,
    /// What stood there; none: nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<serde_json::Value>,
    /// What the rule wants.
    pub wanted: String,
    /// The policy's file, where a policy said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The place in a policy that is JSON (RFC 6901).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

impl Explanation {
    /// A check that failed.
    #[must_use]
    pub fn of(check: impl Into<Cow<'static, str>>) -> Self {
        Self { check: check.into(), ..Self::default() }
    }

    /// What was seen.
    #[must_use]
    pub fn seen(mut self, seen: impl Into<String>) -> Self {
        self.seen = Some(seen.into());
        self
    }

    /// What was wanted.
    #[must_use]
    pub fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }

    /// The rules that did not hold.
    #[must_use]
    pub fn findings(mut self, findings: &[Finding]) -> Self {
        self.findings.extend(findings.iter().map(Violation::from));
        self
    }

    /// The same of a release policy.
    #[must_use]
    pub fn violations(mut self, violations: Vec<Violation>) -> Self {
        self.findings.extend(violations);
        self
    }

    /// The custody operations that held.
    #[must_use]
    pub fn trust_path(mut self, steps: Vec<String>) -> Self {
        self.trust_path = steps;
        self
    }

    /// The same within its room: long texts are cut, and what has no place is left out, with a mark.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let mut room = ROOM;
        for text in [&mut self.seen, &mut self.wanted].into_iter().flatten() {
            cut(text, &mut room);
        }
        retain(&mut self.trust_path, &mut room, cut, || MARK.to_owned());
        let cut_finding = |finding: &mut Violation, room: &mut usize| {
            let texts = [&mut finding.rule, &mut finding.claim, &mut finding.wanted];
            for text in texts.into_iter().chain(&mut finding.file).chain(&mut finding.pointer) {
                cut(text, room);
            }
            if let Some(seen) = &mut finding.seen {
                let mut text = seen.to_string();
                if cost(&text) > TEXT.min(*room) {
                    cut(&mut text, room);
                    *seen = text.into();
                } else {
                    *room -= cost(&text);
                }
            }
        };
        retain(&mut self.findings, &mut room, cut_finding, || Violation {
            rule: MARK.to_owned(),
            claim: String::new(),
            seen: None,
            wanted: String::new(),
            file: None,
            line: None,
            column: None,
            pointer: None,
        });
        self
    }
}

impl From<&Finding> for Violation {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.to_string(),
            claim: finding.claim.clone(),
            seen: finding.seen.as_ref().and_then(|seen| serde_json::to_value(seen).ok()),
            wanted: finding.wanted.clone(),
            file: finding.file.clone(),
            line: finding.line,
            column: None,
            pointer: None,
        }
    }
}

/// Stands where something was cut.
const MARK: &str = "[cut]";

/// Cuts each of a list, and ends the list where there is no room any more.
fn retain<T>(
    list: &mut Vec<T>,
    room: &mut usize,
    cut: impl Fn(&mut T, &mut usize),
    mark: impl Fn() -> T,
) {
    for index in 0..list.len() {
        if *room < 256 {
            list.truncate(index);
            list.push(mark());
            return;
        }
        if let Some(one) = list.get_mut(index) {
            cut(one, room);
        }
    }
}

/// Cuts a text at its length or at the room, whichever is less, and takes its place from the room.
fn cut(text: &mut String, room: &mut usize) {
    let (mut left, limit) = (TEXT.min(*room), text.len());
    let end = text.char_indices().find_map(|(at, letter)| match left.checked_sub(weight(letter)) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    if let Some(end) = end.filter(|end| *end < limit) {
        text.truncate(end);
        text.push_str(MARK);
    }
    *room = room.saturating_sub(cost(text) + 8);
}

/// What a text takes in a record.
fn cost(text: &str) -> usize {
    text.chars().map(weight).sum()
}

/// Printable ASCII stands as it is; anything else becomes one escape, or two.
fn weight(letter: char) -> usize {
    match letter {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        _ => 12,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attacks 41 and 56
    #[test]
    fn whatever_is_explained_has_its_room_in_a_record() {
        let endless = "\u{1f511}\n\"".repeat(5_000);
        let violation = |_| Violation {
            rule: endless.clone(),
            claim: endless.clone(),
            seen: Some(vec![endless.clone(); 9].into()),
            wanted: endless.clone(),
            file: Some(endless.clone()),
            line: Some(1),
            column: Some(1),
            pointer: Some(endless.clone()),
        };
        let explanation = Explanation {
            findings: (0..100).map(violation).collect(),
            trust_path: vec![endless.clone(); 100],
            ..Explanation::of("x").seen(endless.clone()).wanted(endless.clone())
        };
        let bounded = explanation.bounded();
        let record = crate::audit::Record::refused(
            crate::clock::Timestamp(0),
            &crate::error::Refusal::new(crate::error::Code::Internal, endless)
                .explain(bounded.clone()),
        );
        assert!(crate::audit::line_length(&record) < 60 << 10);
        assert!(bounded.seen.as_ref().is_some_and(|seen| seen.ends_with(MARK)));
        assert_eq!(bounded.trust_path.last().map(String::as_str), Some(MARK));
        assert_eq!(bounded.clone().bounded().check, "x");
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let explanation = Explanation::of("binding").seen("00").wanted("01");
        let explanation = explanation.trust_path(vec!["anchor: a".to_owned()]);
        assert_eq!(explanation.clone().bounded(), explanation);
        let json = serde_json::to_string(&explanation).unwrap();
        assert_eq!(
            json,
            r#"{"check":"binding","seen":"00","wanted":"01","trust_path":["anchor: a"]}"#
        );
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    }
}
