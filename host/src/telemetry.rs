//! Logs: to standard error, as text for a person or as JSON for a collector. What a request brought
//! stands in fields, escaped, never in the message.

#[cfg(test)]
pub(crate) mod capture;

use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::escape::Escaped;

/// How much of a panic's words is logged, in bytes.
const LONGEST_WORDS: usize = 2048;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// A line of text.
    #[default]
    Text,
}

/// The compiler's own traces drown everything else; who wants them names them.
const QUIET: &str = "cranelift_codegen=warn,regalloc2=warn,wasmtime_internal_cranelift=warn";

/// Starts logging; `CLAVIGER_LOG` says what (`info` where it is not set, in the syntax of
/// tracing's `EnvFilter`). A development host marks each line. Panics are logged from here on, too.
pub fn start(format: LogFormat, development: bool) {
    let wanted = std::env::var("CLAVIGER_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter =
        EnvFilter::try_new(format!("{QUIET},{wanted}")).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = lines(format, development, std::io::stderr);
    // A second start in one process (tests) keeps the first: there is nothing to lose.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_err() {
        tracing::debug!("logging has started before");
    }
    log_panics();
}

fn log_panics() {
    std::panic::set_hook(Box::new(log_panic));
}

/// A panic's words may be a client's or a plugin's; the standard library would print them as they
/// are, over as many lines as they like.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("(no words)");
    let words = words.get(..words.floor_char_boundary(LONGEST_WORDS)).unwrap_or_default();
    let place = panic.location().map(tracing::field::display);
    tracing::error!(place, words = %Escaped(words), "panicked");
}

fn lines<S, W>(format: LogFormat, development: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    match (format, development) {
        (LogFormat::Json, false) => layer.json().boxed(),
        (LogFormat::Json, true) => layer.json().map_event_format(MarkedJson).boxed(),
        (LogFormat::Text, false) => layer.boxed(),
        (LogFormat::Text, true) => layer.map_event_format(MarkedText).boxed(),
    }
}

/// Puts the development mark before each line.
struct MarkedText<F>(F);

impl<S, N, F> FormatEvent<S, N> for MarkedText<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        writer.write_str("[DEVELOPMENT, NOT FOR PRODUCTION] ")?;
        self.0.format_event(context, writer, event)
    }
}

/// Makes the development mark the first member of each line's object.
struct MarkedJson<F>(F);

impl<S, N, F> FormatEvent<S, N> for MarkedJson<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let members = line.strip_prefix('{').ok_or(std::fmt::Error)?;
        write!(writer, "{{\"development\":true,{members}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// What is logged in this format.
    fn logged(format: LogFormat, development: bool) -> String {
        let log = capture::Log::default();
        let subscriber =
            tracing_subscriber::registry().with(lines(format, development, log.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(client = "192.0.2.1\n", "first");
            tracing::error!("second");
        });
        log.text()
    }

    #[test]
    fn each_line_for_a_collector_is_json_on_a_development_host_too() {
        for development in [false, true] {
            let text = logged(LogFormat::Json, development);
            let lines: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines.len(), 2);
            assert_eq!(lines[0]["fields"]["message"], "first");
            assert_eq!(lines[0]["fields"]["client"], "192.0.2.1\n");
            let mark = lines.iter().all(|line| line["development"] == true);
            assert_eq!(mark, development, "{text}");
        }
    }

    // attack 41
    #[test]
    fn a_panic_is_one_line_of_the_log_whatever_its_words() {
        let log = capture::capture(tracing::Level::INFO);
        // Before: what the test harness has set; nothing of it is lost.
        let before = std::panic::take_hook();
        log_panics();
        let panicked = std::panic::catch_unwind(|| panic!("bad\n2026 INFO {}", "\u{1b}[2J"));
        std::panic::set_hook(before);
        assert!(panicked.is_err());
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("bad\\u{a}2026 INFO \\u{1b}[2J"), "{text}");
        assert!(text.contains("telemetry.rs:"), "{text}");
    }

    // attack 61
    #[test]
    fn each_line_of_a_development_host_says_so() {
        let marked = |text: &str| text.lines().filter(|line| line.contains("DEVELOPMENT")).count();
        assert_eq!(marked(&logged(LogFormat::Text, true)), 2);
        assert_eq!(marked(&logged(LogFormat::Text, false)), 0);
    }
}
