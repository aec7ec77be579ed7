//! `plugin bench`: what a verifier's call costs, beside what an instance that does nothing costs, and
//! what a loaded plugin and a call keep in memory.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::cases;
use super::test::{engine, for_case};
use crate::command::block_on;
use crate::command::out::out;
use crate::plugin::VerifierRequest;
use crate::quote::Examination;

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// The component, or a bundled verifier's name
    plugin: PathBuf,
    /// The folder with the plugin's cases
    #[arg(long)]
    cases: PathBuf,
    /// How often each is called
    #[arg(long, default_value_t = 2_000)]
    calls: usize,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let package = super::package(&arguments.plugin)?;
    let cases = cases::read(&arguments.cases)?;
    let engine = engine()?;
    for case in &cases {
        let before = resident()?;
        let plugin = for_case(&engine, &package.component, case)?;
        let loaded = resident()?;
        let request = || VerifierRequest {
            evidence_type: case.media_type(&plugin),
            evidence: case.evidence.clone(),
            attachments: case.attachments.clone(),
        };
        let none = || VerifierRequest {
            evidence_type: case.media_type(&plugin),
            evidence: Vec::new(),
            attachments: Vec::new(),
        };
        let measure = async |request: &dyn Fn() -> VerifierRequest| {
            let mut taken = Vec::with_capacity(arguments.calls);
            for _ in 0..arguments.calls.max(1) {
                let request = request();
                let examination = Examination::new(Arc::clone(&case.authority), case.at);
                let started = Instant::now();
                // What becomes of it, the cases say.
                let _ = plugin.verify(examination, request).await;
                taken.push(started.elapsed());
            }
            taken.sort();
            taken
        };
        let (taken, empty) =
            block_on(async { Ok((measure(&request).await, measure(&none).await)) })?;
        let called = resident()?;
        let at = |taken: &[Duration], per_mille: usize| {
            let index = taken.len().saturating_sub(1) * per_mille / 1_000;
            taken.get(index).copied().unwrap_or_default()
        };
        out!(
            "{}: median {:.1?}, p99 {:.1?}; of nothing {:.1?}; resident: loaded {} KiB, after calls {} KiB more",
            case.name,
            at(&taken, 500),
            at(&taken, 990),
            at(&empty, 500),
            loaded.saturating_sub(before) >> 10,
            called.saturating_sub(loaded) >> 10
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Bytes of this process that are in memory.
fn resident() -> anyhow::Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm").context("/proc/self/statm")?;
    let pages = statm.split_whitespace().nth(1).context("/proc/self/statm has no second word")?;
    Ok(pages.parse::<u64>()? * u64::try_from(rustix::param::page_size())?)
}
