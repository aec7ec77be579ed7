//! `log`: a plugin's lines in the host's log, under the plugin's name, bounded and on one line each.

use crate::escape::Escaped;
use crate::plugin::bindings::claviger::plugin::log::{Host, Level};
use crate::plugin::limits::{Meter, Metered};
use crate::plugin::verifier::VerifierCall;

/// The longest line that is kept, in bytes before escaping.
const LINE: usize = 1_024;

impl Host for VerifierCall {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        write(self.meter(), level, &message)
    }
}

/// `log.write`, for every kind of plugin.
pub fn write(meter: &mut Meter, level: Level, message: &str) -> wasmtime::Result<()> {
    meter.host_call()?;
    let Some(line) = meter.log.take(level, message) else {
        return Ok(());
    };
    let plugin = meter.plugin();
    match level {
        Level::Trace => tracing::trace!(target: "claviger::plugin", plugin, "{line}"),
        Level::Debug => tracing::debug!(target: "claviger::plugin", plugin, "{line}"),
        Level::Info => tracing::info!(target: "claviger::plugin", plugin, "{line}"),
        Level::Warn => tracing::warn!(target: "claviger::plugin", plugin, "{line}"),
        Level::Error => tracing::error!(target: "claviger::plugin", plugin, "{line}"),
    }
    Ok(())
}

/// What one call has logged so far.
#[derive(Debug)]
pub(in crate::plugin) struct Tail {
    left: Option<usize>,
    last_error: Option<String>,
}

impl Tail {
    /// Room for this many bytes.
    pub(in crate::plugin) fn new(bytes: usize) -> Self {
        Self { left: Some(bytes), last_error: None }
    }

    /// The last line at level error: after a panic, what it said.
    pub(in crate::plugin) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// The line as it is logged; once the room is used up, a notice, and then nothing.
    fn take(&mut self, level: Level, message: &str) -> Option<String> {
        let left = self.left?;
        let cut = message.floor_char_boundary(LINE);
        let message = message.get(..cut).unwrap_or_default();
        let line = escape(message);
        self.left = left.checked_sub(message.len());
        if self.left.is_none() {
            return Some(
                "[the plugin logs more than it may; the rest of this call is dropped]".into(),
            );
        }
        if level == Level::Error {
            self.last_error = Some(line.clone());
        }
        Some(line)
    }
}

/// What a plugin says, fit for a log or a terminal.
pub(in crate::plugin) fn escape(text: &str) -> String {
    Escaped(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 41
    #[test]
    fn a_line_cannot_forge_another_or_steer_a_terminal() {
        assert_eq!(
            escape("ok\n2026 ERROR root\r\x1b[31mred\u{9b}2J\u{202e}"),
            "ok\\u{a}2026 ERROR root\\u{d}\\u{1b}[31mred\\u{9b}2J\\u{202e}"
        );
        assert_eq!(escape("größer 鍵"), "größer 鍵");
    }

    // attack 45
    #[test]
    fn a_flood_ends_in_one_notice() {
        let mut tail = Tail::new(100);
        let long = "x".repeat(60);
        assert_eq!(tail.take(Level::Info, &long), Some(long.clone()));
        assert!(tail.take(Level::Info, &long).is_some_and(|line| line.starts_with('[')));
        assert_eq!(tail.take(Level::Error, "more"), None);
        assert_eq!(tail.last_error(), None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut tail = Tail::new(10_000);
        let line = tail.take(Level::Error, &"鍵".repeat(1_000)).unwrap();
        assert_eq!(line.chars().count(), LINE / 3);
        assert_eq!(tail.last_error(), Some(line.as_str()));
    }
}
