//! `plugin list` and `plugin inspect`: what is bundled, what a component wants, and whether it would
//! be admitted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::REFUSED;
use super::out::{out, verdict};
use crate::assemble::{self, Inspection};
use crate::plugin::bundled;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the bundled plugins
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin is, what it imports, and whether it would be admitted
    Inspect {
        /// A bundled plugin's name, or the path of a component
        plugin: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { json } => list(json),
        Command::Inspect { plugin, json } => inspect(&plugin, json),
    }
}

fn list(json: bool) -> anyhow::Result<ExitCode> {
    let inspected = bundled::BUNDLED
        .iter()
        .map(|(_, component)| assemble::inspect(component))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if json {
        out!("{}", serde_json::to_string_pretty(&inspected)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for plugin in inspected {
        out!(
            "{:<16} {:<9} {:<8} sha256:{}",
            plugin.name,
            plugin.kind,
            plugin.version,
            plugin.digest
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(plugin: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let bundled = plugin.to_str().and_then(bundled::component);
    let inspection = match bundled {
        Some(component) => assemble::inspect(component)?,
        None => assemble::inspect(&assemble::read_component(plugin)?)?,
    };
    let printed = match json {
        true => out!("{}", serde_json::to_string_pretty(&inspection)?),
        false => print(&inspection),
    };
    let admitted = inspection.refused.is_none();
    verdict(printed, if admitted { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn print(plugin: &Inspection) -> anyhow::Result<()> {
    out!("name      {}", plugin.name)?;
    out!("kind      {}", plugin.kind)?;
    out!("version   {}", plugin.version)?;
    out!("about     {}", plugin.description)?;
    out!("digest    sha256:{}", plugin.digest)?;
    out!("size      {} bytes", plugin.bytes)?;
    match &plugin.refused {
        None => out!("admitted  yes")?,
        Some(why) => out!("admitted  no: {why}")?,
    }
    out!("imports")?;
    for import in &plugin.imports {
        out!("  {import}")?;
    }
    for (name, what) in &plugin.settings {
        out!("setting {name}: {what}")?;
    }
    Ok(())
}
