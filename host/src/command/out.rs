//! What commands print. Whoever reads may stop at any line (`claviger audit tail | head`): then the
//! command ends quietly, with what it has found out as its exit code. Macros of the standard library
//! would panic instead.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Nobody reads standard output any more.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub(super) struct Closed;

/// Prints a line to standard output.
macro_rules! out {
    ($($argument:tt)*) => { $crate::command::out::line(format_args!($($argument)*)) };
}

/// Says a line on standard error, to whoever may be there.
macro_rules! note {
    ($($argument:tt)*) => { $crate::command::out::aside(format_args!($($argument)*)) };
}

pub(super) use {note, out};

/// See [`out!`].
pub(super) fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// See [`note!`].
pub(super) fn aside(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    written(output.write_all(bytes).and_then(|()| output.flush()))
}

fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        result => Ok(result?),
    }
}

/// The end of a command whose exit code is a verdict: it stands, also where nobody reads what was
/// to be `printed` about it.
pub(super) fn verdict(printed: anyhow::Result<()>, code: ExitCode) -> anyhow::Result<ExitCode> {
    match printed {
        Err(error) if !error.is::<Closed>() => Err(error),
        _ => Ok(code),
    }
}
