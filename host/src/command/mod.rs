//! The command line: one file per verb.

mod addresses;
mod administrator;
mod audit;
mod bench;
mod config;
mod demo;
mod development;
mod doctor;
mod documents;
mod dumps;
mod endorsements;
mod explain;
mod files;
pub mod floor;
mod folder;
mod guest;
mod key;
mod out;
mod plugin;
mod policy;
mod reference;
mod reserved;
mod secret;
mod serve;
mod simulate;
mod stopping;
mod token_key;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;

/// An error with its causes, each said once: some errors have their cause in their own words.
#[must_use]
pub fn in_words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// A host for secure key release: attestation evidence in, a wrapped key out.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP API
    Serve(serve::Arguments),
    /// Show a whole release, and three refusals, on simulated hardware
    Demo(demo::Arguments),
    /// Verify evidence offline
    Verify(verify::Arguments),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Administer the keys of a running host
    Key(key::Arguments),
    /// Administer the secrets of a running host
    Secret(secret::Arguments),
    /// Write, check, test and try policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Fetch endorsements beforehand, and put them into one file
    #[command(subcommand)]
    Endorsements(endorsements::Command),
    /// Administer, check and compute reference values
    #[command(subcommand)]
    Reference(reference::Command),
    /// Administer the keys that sign the attestation results of a running host
    TokenKey(token_key::Arguments),
    /// Say why a request was refused
    Explain(explain::Arguments),
    /// Check, read and prove the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check a configuration, and make what goes into one
    #[command(subcommand)]
    Config(config::Command),
    /// Say what is wrong with a configuration's connector: its grants, its credentials, its service
    Doctor(doctor::Arguments),
    /// Be a simulated guest of a development host
    Simulate(simulate::Arguments),
    /// Measure a host under a bounded load, beside the floor of its cryptography
    Bench(bench::Arguments),
    /// Print a shell's completion script
    Completions(documents::Completions),
    /// Print the manual page
    Man,
}

/// Exit codes: 0 done; 1 failed; 2 wrong usage (by clap); 3 refused, by `verify`, `audit`, `doctor`,
/// `explain`, `plugin`, `policy` and `reference`; 64 the configuration is wrong; 130 stopped (Ctrl-C) before it
/// was done.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Most commands hold a key or a token at some time, and none needs a core dump.
    dumps::keep_out();
    match perform(cli.command) {
        Err(error) if error.is::<out::Closed>() => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

fn perform(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Plugin(command) => plugin::run(command),
        Command::Key(arguments) => key::run(arguments),
        Command::Secret(arguments) => secret::run(arguments),
        Command::Policy(command) => policy::run(command),
        Command::Reference(command) => reference::run(command),
        Command::Endorsements(command) => endorsements::run(command),
        Command::TokenKey(arguments) => token_key::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Audit(command) => audit::run(command),
        Command::Config(command) => config::run(command),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions(arguments) => documents::completions(&arguments),
        Command::Man => documents::man(),
    }
}

/// The exit code of a failure. Where the command was stopped in the middle it does not return: the process
/// is left with that of SIGINT.
#[must_use]
pub fn failed(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConfigError>() {
        ExitCode::from(64)
    } else if error.is::<stopping::Stopped>() {
        stopping::leave(130)
    } else {
        ExitCode::FAILURE
    }
}

/// Refused: what was asked was done, and the answer is no.
const REFUSED: u8 = 3;

/// Runs asynchronous work on as many threads as there are processors.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
