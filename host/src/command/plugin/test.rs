//! `plugin test`: a plugin's conformance cases and the hostile inputs, on the engine that serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::cases::{self, Read};
use super::{build, hostile, steps};
use crate::assemble::thrown_away;
use crate::clock::SystemClock;
use crate::command::block_on;
use crate::command::out::{out, verdict};
use crate::escape::Escaped;
use crate::plugin::{
    Engine, EngineSettings, Kind, KmsPlugin, KmsServices, Manifest, Settings, VerifierPlugin,
};
use crate::random::{Random, SystemRandomness};

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// A crate's folder, which is built first, or a component
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// The folder with the cases; `cases` in the crate's folder where absent
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Build without asking a registry for anything
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let is_crate = arguments.plugin.is_dir();
    let component = match is_crate {
        true => build::build(&arguments.plugin, arguments.offline)?.component,
        false => super::package(&arguments.plugin)?.component,
    };
    let own = is_crate.then(|| arguments.plugin.join("cases"));
    let cases = arguments.cases.clone().or(own).context("give --cases")?;
    let failed = match Manifest::read(&component)?.kind {
        Kind::Verifier => verifier(&component, &cases)?,
        Kind::Kms => connector(&component, &cases)?,
    };
    let code = if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    verdict(Ok(()), code)
}

/// Prints each case's end; how many failed.
fn verifier(component: &[u8], folder: &Path) -> anyhow::Result<usize> {
    let cases = cases::read(folder)?;
    if !cases.iter().any(Read::is_accepted) {
        bail!("{}: no case is of evidence that is accepted", folder.display());
    }
    let engine = engine()?;
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let plugin = for_case(&engine, component, case)?;
        let outcome = block_on(async { Ok(case.run(&plugin).await) })?;
        told(&case.name, &outcome)?;
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    let first = cases.iter().find(|case| case.is_accepted());
    if let Some(first) = first {
        let plugin = for_case(&engine, component, first)?;
        let outcome = block_on(async { Ok(hostile::run(&plugin, &cases).await) })?;
        let name = match &outcome {
            Ok(count) => format!("{count} hostile inputs"),
            Err(_) => "hostile inputs".to_owned(),
        };
        told(&name, &outcome.as_ref().map(drop).map_err(|error| anyhow::anyhow!("{error:#}")))?;
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    out!("{passed} passed, {failed} failed")?;
    Ok(failed)
}

/// The plugin with the settings and anchors of a case.
pub(super) fn for_case(
    engine: &Engine,
    component: &[u8],
    case: &Read,
) -> anyhow::Result<VerifierPlugin> {
    let settings = Settings {
        values: case.settings().clone(),
        anchors: Arc::new(case.sets().cloned().collect()),
        ..Settings::default()
    };
    let name = Manifest::read(component)?.name;
    Ok(VerifierPlugin::load(engine, &name, component, settings)?)
}

fn connector(component: &[u8], folder: &Path) -> anyhow::Result<usize> {
    let cases = steps::read(folder)?;
    let engine = engine()?;
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        // A place of its own for each case.
        let plugin = load_connector(&engine, component, case.settings().clone())?;
        let outcome = block_on(async { Ok(case.run(&plugin).await) })?;
        told(&case.name, &outcome)?;
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    let plugin = load_connector(&engine, component, BTreeMap::new())?;
    let outcome = block_on(async { Ok(steps::hostile(&plugin).await) })?;
    told("hostile requests", &outcome)?;
    *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    out!("{passed} passed, {failed} failed")?;
    Ok(failed)
}

fn load_connector(
    engine: &Engine,
    component: &[u8],
    values: BTreeMap<String, String>,
) -> anyhow::Result<KmsPlugin> {
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let store = thrown_away(&random)?;
    let services =
        KmsServices { values, ..KmsServices::embedded(store, Arc::new(SystemClock), random) };
    let name = Manifest::read(component)?.name;
    Ok(KmsPlugin::load(engine, &name, component, services)?)
}

pub(super) fn engine() -> anyhow::Result<Engine> {
    Ok(Engine::new(EngineSettings { instances: 4, ..EngineSettings::default() })?)
}

/// One line: what a plugin says in it may be anything.
fn told(name: &str, outcome: &anyhow::Result<()>) -> anyhow::Result<()> {
    let line = match outcome {
        Ok(()) => format!("ok      {name}"),
        Err(error) => format!("FAILED  {name}: {error:#}"),
    };
    out!("{}", Escaped(&line))
}
