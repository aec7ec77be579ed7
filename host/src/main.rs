//! The one binary: arguments in, a command done, an exit code out.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use claviger::command::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            // Not by a macro that would panic where nobody reads.
            let _ = writeln!(std::io::stderr(), "claviger: {error:#}");
            command::exit_code(&error)
        }
    }
}
