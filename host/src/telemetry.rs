//! Logs: to standard error, as text for a person or as JSON for a collector. What a request brought
//! stands in fields, escaped, never in the message.

#[cfg(test)]
pub(crate) mod capture;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// A line of text.
    #[default]
    Text,
}

/// Starts logging; `CLAVIGER_LOG` says what (`info` where it is not set, in the syntax of
/// tracing's `EnvFilter`). A development host marks each line.
pub fn start(format: LogFormat, development: bool) {
    let filter = EnvFilter::try_from_env("CLAVIGER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(true);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start in one process (tests) keeps the first: there is nothing to lose.
    let started = match (format, development) {
        (LogFormat::Json, false) => registry.with(layer.json()).try_init(),
        (LogFormat::Json, true) => {
            registry.with(layer.event_format(Marked(fmt::format().json()))).try_init()
        }
        (LogFormat::Text, false) => registry.with(layer.with_ansi(false)).try_init(),
        (LogFormat::Text, true) => {
            let format = Marked(fmt::format().with_ansi(false));
            registry.with(layer.with_ansi(false).event_format(format)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging has started before");
    }
}

/// Puts the development mark before each line.
struct Marked<F>(F);

impl<S, N, F> fmt::FormatEvent<S, N> for Marked<F>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> fmt::FormatFields<'a> + 'static,
    F: fmt::FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &fmt::FmtContext<'_, S, N>,
        mut writer: fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        writer.write_str("[DEVELOPMENT, NOT FOR PRODUCTION] ")?;
        self.0.format_event(context, writer, event)
    }
}
