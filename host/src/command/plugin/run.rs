//! `plugin run`: one piece of evidence, or one conformance case, handed to a verifier.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::cases;
use super::test::{engine, for_case};
use crate::command::out::{out, verdict};
use crate::command::{REFUSED, block_on};
use crate::flow::{Evidence, examine};

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// The component, or a bundled verifier's name
    plugin: PathBuf,
    /// The folder with the plugin's cases
    #[arg(long)]
    cases: PathBuf,
    /// The case, by its file's name without `.toml`; its moment, anchors and settings apply
    #[arg(long)]
    case: String,
    /// Other evidence than the case's
    #[arg(long)]
    evidence: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let package = super::package(&arguments.plugin)?;
    let cases = cases::read(&arguments.cases)?;
    let case = cases.iter().find(|case| case.name == arguments.case);
    let case = case.with_context(|| format!("there is no case {:?}", arguments.case))?;
    let plugin = for_case(&engine()?, &package.component, case)?;
    let data = match &arguments.evidence {
        Some(path) => crate::command::files::read_bounded(path, 16 << 20)?,
        None => case.evidence.clone(),
    };
    let evidence = Evidence {
        tee: plugin.description().tee.clone(),
        media_type: Some(case.media_type(&plugin)),
        data,
        attachments: case.attachments.clone(),
    };
    let authority = std::sync::Arc::clone(&case.authority);
    let outcome = block_on(async { Ok(examine(&plugin, authority, evidence, case.at).await) })?;
    let (report, code) = match outcome {
        Ok(verified) => {
            let claims: serde_json::Map<_, _> = verified
                .claims()
                .iter()
                .map(|claim| (claim.name.to_string(), json!(claim.value)))
                .collect();
            let report = json!({ "genuine": true, "tee": verified.tee(), "claims": claims });
            (report, ExitCode::SUCCESS)
        }
        Err(refusal) => {
            let report =
                json!({ "genuine": false, "code": refusal.code, "reason": refusal.reason });
            (report, ExitCode::from(REFUSED))
        }
    };
    verdict(out!("{}", serde_json::to_string_pretty(&report)?), code)
}
