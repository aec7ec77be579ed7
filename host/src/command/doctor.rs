//! `doctor`: what is wrong with a configuration's connector, found before a client finds out. The
//! files are read, the plugins tried, and the KMS is asked whether it is there; no key is touched and
//! nothing is written.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::REFUSED;
use super::out::{out, verdict};
use crate::assemble::{self, Plan};
use crate::config::{self, Config, ConfigError, Planned};
use crate::escape::Escaped;
use crate::store::Embedded;
use crate::tenant::Tenant;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The configuration file
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = Config::read(&arguments.file)?;
    let Planned { plan, .. } = config::plan(config, Arc::new(Embedded::in_memory()?))?;
    let found = super::block_on(examine(plan))?;
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    let sound = found.iter().all(|finding| finding.wrong.is_none());
    let code = if sound { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) };
    verdict(out!("{}", lines.join("\n")), code)
}

/// One thing that was looked at.
struct Finding {
    what: String,
    wrong: Option<String>,
}

impl Finding {
    fn new(what: impl Into<String>, wrong: Option<String>) -> Self {
        Self { what: what.into(), wrong }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A plugin's and a service's words are in it.
        let what = Escaped(&self.what);
        match &self.wrong {
            None => write!(f, "ok     {what}"),
            Some(wrong) => write!(f, "wrong  {what}: {}", Escaped(wrong)),
        }
    }
}

async fn examine(plan: Plan) -> anyhow::Result<Vec<Finding>> {
    let mut found = vec![Finding::new("the configuration and its files", None)];
    for plugin in plan.plugins.iter().filter(|plugin| !plugin.targets.is_empty()) {
        let withholds = plugin.targets.iter().any(|target| !target.withhold.is_empty());
        let may = plugin.reads_key_material || plugin.wraps_for_recipient;
        let wrong = "no grant withholds anything, and without `reads_key_material` a key that the \
                     connector has seen is not released: see `withhold`";
        let wrong = (!withholds && !may).then(|| wrong.to_owned());
        found.push(Finding::new(format!("the grants of {}", plugin.name), wrong));
    }
    let name = plan.kms.clone();
    let checked = tokio::task::spawn_blocking(move || assemble::check(&plan)).await?;
    let plugins = checked.map_err(|error| ConfigError::Value {
        key: "plugins".to_owned(),
        reason: super::in_words(&error),
    })?;
    found.push(Finding::new("the plugins", None));
    let wrong = match plugins.connector() {
        Some(connector) => {
            let reached = connector.health(&Tenant::default()).await;
            reached.err().map(|failure| failure.to_string())
        }
        None => Some("there is no such connector".to_owned()),
    };
    found.push(Finding::new(format!("the key management service of {name}"), wrong));
    Ok(found)
}
