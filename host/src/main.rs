//! The one binary: arguments in, a command done, an exit code out.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use claviger::command::{self, Cli};
use claviger::escape::Escaped;

/// A release makes some hundred small allocations on whichever thread is free.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            // A host's or a plugin's words may be in it; and nobody may be there to read it.
            let text = command::in_words(&error);
            let _ = writeln!(std::io::stderr(), "claviger: {}", Escaped(&text));
            command::failed(&error)
        }
    }
}
