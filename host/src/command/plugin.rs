//! `plugin list` and `plugin inspect`: what is bundled, what a component wants, and whether it would
//! be admitted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::REFUSED;
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
        println!("{}", serde_json::to_string_pretty(&inspected)?);
        return Ok(ExitCode::SUCCESS);
    }
    for plugin in inspected {
        println!(
            "{:<16} {:<9} {:<8} sha256:{}",
            plugin.name, plugin.kind, plugin.version, plugin.digest
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(plugin: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let bundled = plugin.to_str().and_then(bundled::component);
    let inspection = match bundled {
        Some(component) => assemble::inspect(component)?,
        None => assemble::inspect(&assemble::read_component(plugin)?)?,
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&inspection)?);
    } else {
        print(&inspection);
    }
    Ok(if inspection.refused.is_none() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn print(plugin: &Inspection) {
    println!("name      {}", plugin.name);
    println!("kind      {}", plugin.kind);
    println!("version   {}", plugin.version);
    println!("about     {}", plugin.description);
    println!("digest    sha256:{}", plugin.digest);
    println!("size      {} bytes", plugin.bytes);
    match &plugin.refused {
        None => println!("admitted  yes"),
        Some(why) => println!("admitted  no: {why}"),
    }
    println!("imports");
    for import in &plugin.imports {
        println!("  {import}");
    }
    for (name, what) in &plugin.settings {
        println!("setting {name}: {what}");
    }
}
