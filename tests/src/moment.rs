//! Moments as people write them into test data: RFC 3339, without a zone, with a space, or a day.

use claviger::clock::Timestamp;

/// A moment out of text; UTC where no zone is named, midnight where no time is. None where the text
/// says that there is none (`none`, `-`) or cannot be read.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let (day, time) = match text.split_once([' ', 'T', 't']) {
        Some((day, time)) => (day, time.trim()),
        None => (text, "00:00:00"),
    };
    let zoned = time.contains(['+', '-', 'Z', 'z']);
    Timestamp::parse(&format!("{day}T{time}{}", if zoned { "" } else { "Z" }))
}

/// A moment inside a window: its middle, where both ends are known, for ends that are rounded to
/// days may lie outside; else a day from the end that is known.
#[must_use]
pub fn inside(from: Option<Timestamp>, until: Option<Timestamp>) -> Option<Timestamp> {
    const DAY: u64 = 86_400;
    match (from, until) {
        (Some(from), Some(until)) => Some(from.plus(until.since(from) / 2)),
        (Some(from), None) => Some(from.plus(DAY)),
        (None, Some(until)) => Some(Timestamp(until.0.saturating_sub(DAY))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_however_it_is_written() {
        for text in [
            "2024-11-06T21:14:00Z",
            "2024-11-06T21:14:00",
            "2024-11-06 21:14:00",
            "2024-11-06 21:14:00 UTC",
            "2024-11-06T21:14:00.999999",
            "2024-11-06T22:14:00+01:00",
            " 2024-11-06 20:14:00-01:00 ",
        ] {
            assert_eq!(parse(text), Some(Timestamp(1_730_927_640)), "{text}");
        }
        assert_eq!(parse("2025-01-28"), parse("2025-01-28T00:00:00Z"));
        for text in ["none", "-", "", "yesterday", "2025-13-01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_chosen_inside_its_window() {
        let at = |text: &str| parse(text);
        let middle = inside(at("2025-01-01"), at("2025-01-03"));
        assert_eq!(middle, at("2025-01-02"));
        assert_eq!(inside(at("2025-01-01"), None), at("2025-01-02"));
        assert_eq!(inside(None, at("2025-01-02")), at("2025-01-01"));
        assert_eq!(inside(None, None), None);
    }
}
