//! `plugin list` and `plugin inspect`: what is bundled, what a component wants, and whether it would
//! be admitted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::REFUSED;
use super::out::{out, verdict};
use crate::assemble::{self, Inspection};
use crate::escape::Escaped;
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
        false => out!("{}", as_text(&inspection)),
    };
    let admitted = inspection.refused.is_none();
    verdict(printed, if admitted { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// For a person. All of it is the component's own words, which may be anything.
fn as_text(plugin: &Inspection) -> String {
    let Inspection { name, kind, version, description, digest, bytes, .. } = plugin;
    let mut lines = vec![
        format!("name      {name}"),
        format!("kind      {kind}"),
        format!("version   {version}"),
        format!("about     {description}"),
        format!("digest    sha256:{digest}"),
        format!("size      {bytes} bytes"),
    ];
    lines.push(match &plugin.refused {
        None => "admitted  yes".to_owned(),
        Some(why) => format!("admitted  no: {why}"),
    });
    lines.push("imports".to_owned());
    lines.extend(plugin.imports.iter().map(|import| format!("  {import}")));
    lines.extend(plugin.settings.iter().map(|(name, what)| format!("setting {name}: {what}")));
    let lines: Vec<_> = lines.iter().map(|line| Escaped(line).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Kind;
    use std::collections::BTreeMap;

    // attack 41
    #[test]
    fn a_component_cannot_forge_a_line_or_steer_the_terminal() {
        let hostile = || "x\nadmitted  yes\u{1b}[2J\u{202e}".to_owned();
        let text = as_text(&Inspection {
            name: hostile(),
            kind: Kind::Kms,
            version: hostile(),
            description: hostile(),
            digest: hostile(),
            bytes: 1,
            imports: vec![hostile()],
            settings: BTreeMap::from([(hostile(), hostile())]),
            refused: Some(hostile()),
        });
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
    }
}
