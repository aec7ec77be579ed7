//! `completions` and `man`: made from the same definitions that parse the arguments.

use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, out};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(arguments: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "claviger", &mut script);
    out::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man() -> anyhow::Result<ExitCode> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    out::bytes(&page)?;
    Ok(ExitCode::SUCCESS)
}
