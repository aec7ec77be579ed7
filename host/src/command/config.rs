//! `config`: a configuration checked before it serves, and what goes into one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aws_lc_rs::digest;
use clap::Subcommand;
use data_encoding::HEXLOWER;

use super::out::{self, out};
use super::serve::new_token;
use crate::config::{self, Config, ConfigError, Planned};
use crate::random::SystemRandomness;
use crate::store::Embedded;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read a configuration and every file that it names, try its plugins, and write nothing
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Print every option, commented
    Example,
    /// Make an administrator's token: the token on the first line, what goes into the
    /// configuration on the second
    Token,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check { file } => check(&file)?,
        Command::Example => out::bytes(config::FULL.as_bytes())?,
        Command::Token => {
            let token = new_token(&SystemRandomness::default())?;
            let hash = digest::digest(&digest::SHA256, token.as_bytes());
            out!("{token}\ntoken_sha256 = \"{}\"", HEXLOWER.encode(hash.as_ref()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What a configuration asks for, tried as far as that writes nothing; and its folder for state.
pub(super) fn tried(file: &Path) -> anyhow::Result<(Planned, PathBuf)> {
    let config = Config::read(file)?;
    let folder = config.host.state.clone();
    let planned = config::plan(config, Arc::new(Embedded::in_memory()?))?;
    crate::assemble::check(&planned.plan).map_err(|error| ConfigError::Value {
        key: "plugins".to_owned(),
        reason: super::in_words(&error),
    })?;
    Ok((planned, folder))
}

fn check(file: &Path) -> anyhow::Result<()> {
    let (Planned { plan, settings: _, listeners }, folder) = tried(file)?;
    out!("{}: usable", file.display())?;
    out!("  host        {} in {}", plan.id, folder.display())?;
    out!("  workloads   https://{}", listeners.api.address)?;
    match &listeners.admin {
        None => out!("  admin       none")?,
        Some(admin) => out!(
            "  admin       https://{}, {} administrators",
            admin.listener.address,
            admin.administrators.len()
        )?,
    }
    out!("  keys        {}", plan.kms)?;
    out!("  revocation  {:?}", plan.revocation)?;
    match plan.snp.measurements.len() {
        0 => out!("  snp         no measurement is approved: nothing will be affirmed"),
        approved => out!("  snp         {approved} approved measurements"),
    }
}
