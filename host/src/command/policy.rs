//! `policy`: appraisal and release policies written, checked, tested and tried, without a host.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::REFUSED;
use super::explain::explanation_lines;
use super::files::read_bounded;
use super::out::{bytes, out, verdict};
use super::verify;
use crate::appraisal::{Appraisal, Appraiser, KINDS, SnpPolicy, Status, kind};
use crate::assemble::configured;
use crate::config::{AppraisalPlan, Hex};
use crate::explanation::Explanation;
use crate::policy::{LONGEST_SOURCE, Module, Policy, PolicyError, tester};
use crate::reference::{Group, Snapshot};

/// What a policy may be for, and the rule that it must have then.
const PURPOSES: [(&str, &str); 2] =
    [("appraisal", "data.claviger.appraisal.result"), ("release", "data.claviger.release.allow")];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print a built-in appraisal policy, to start from
    Print {
        /// The attester's kind
        #[arg(default_value = "snp")]
        tee: String,
    },
    /// Compile a policy in Rego: what is wrong, and where. A release policy in Azure's grammar (JSON) is
    /// checked by the host that it is given to
    Check(Files),
    /// Run a policy's own tests: rules `test_…` in files `…_test.rego`
    Test(Files),
    /// Judge evidence by the built-in policy, or by another: what did not hold, and where that stands
    Explain(Box<Explain>),
}

#[derive(Args, Debug)]
pub(super) struct Files {
    /// The policy's files, Rego
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Explain {
    #[command(flatten)]
    verify: verify::Arguments,
    /// A policy's file, instead of the built-in policy; may be repeated
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Take what this configuration says of such evidence: settings, reference values and policy
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A launch measurement that is approved; may be repeated
    #[arg(long, value_name = "HEX", value_parser = measurement)]
    measurement: Vec<Hex<48>>,
    /// A reference value that is approved, by the name of its claim; may be repeated
    #[arg(long, value_name = "CLAIM=VALUE", value_parser = reference)]
    reference: Vec<(String, String)>,
}

fn measurement(text: &str) -> Result<Hex<48>, String> {
    text.to_owned().try_into()
}

fn reference(text: &str) -> Result<(String, String), String> {
    let (claim, value) = text.split_once('=').ok_or("wanted is CLAIM=VALUE")?;
    Ok((claim.to_owned(), value.to_owned()))
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Print { tee } => {
            let known = || KINDS.iter().map(|kind| kind.tee).collect::<Vec<_>>().join(", ");
            let kind = kind(&tee).with_context(|| {
                format!("no built-in policy judges {tee}; there are: {}", known())
            })?;
            bytes(kind.source.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(files) => check(&files),
        Command::Test(files) => test(&files),
        Command::Explain(explain) => judge(*explain),
    }
}

fn check(files: &Files) -> anyhow::Result<ExitCode> {
    let (tests, policy): (Vec<_>, Vec<_>) =
        read(&files.files)?.into_iter().partition(Module::is_test);
    // A test uses more of the language than a policy may: it is run, and not compiled.
    let found = Policy::of_modules(policy.clone()).and_then(|compiled| {
        if !tests.is_empty() {
            tester::run(&policy.into_iter().chain(tests).collect::<Vec<_>>())?;
        }
        Ok(compiled)
    });
    let (report, text, code) = match &found {
        Ok(policy) => {
            let purpose = PURPOSES.iter().find(|(_, entry)| policy.defines(entry));
            let digest = data_encoding::HEXLOWER.encode(&policy.digest());
            match purpose {
                Some((purpose, _)) => (
                    json!({ "purpose": purpose, "sha256": digest }),
                    format!("{purpose} policy, sha256:{digest}"),
                    ExitCode::SUCCESS,
                ),
                None => {
                    let entries = PURPOSES.map(|(_, entry)| entry).join(" nor ");
                    let message = format!("it has neither {entries}");
                    (json!({ "error": { "message": message } }), message, ExitCode::from(REFUSED))
                }
            }
        }
        Err(error) => {
            (json!({ "error": place(error) }), error.to_string(), ExitCode::from(REFUSED))
        }
    };
    print(files.json, &report, &text, code)
}

fn test(files: &Files) -> anyhow::Result<ExitCode> {
    let modules = read(&files.files)?;
    let outcomes = match tester::run(&modules) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            let report = json!({ "error": place(&error) });
            return print(files.json, &report, &error.to_string(), ExitCode::from(REFUSED));
        }
    };
    let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let mut text = String::new();
    for tester::Outcome { name, file, line, failure } in &outcomes {
        let end = failure.as_ref().map_or_else(|| "ok".to_owned(), |why| format!("FAILED: {why}"));
        text.push_str(&format!("{file}:{line}: {name} {end}\n"));
    }
    text.push_str(&format!("{} passed, {failed} failed", outcomes.len() - failed));
    let tests: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let tester::Outcome { name, file, line, failure } = outcome;
            json!({ "name": name, "file": file, "line": line, "failure": failure })
        })
        .collect();
    let code = if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) };
    print(files.json, &json!({ "tests": tests, "failed": failed }), &text, code)
}

fn judge(explain: Explain) -> anyhow::Result<ExitCode> {
    let tee = explain.verify.tee();
    let (mut snp, mut plan) = match &explain.config {
        None => (SnpPolicy::default(), AppraisalPlan::default()),
        Some(path) => (crate::config::snp_policy(path)?, crate::config::appraisal_plan(path)?),
    };
    if !explain.policy.is_empty() {
        let policy = read(&explain.policy)?;
        match tee {
            "snp" => snp.policy = policy,
            tee => plan.policies.entry(tee.to_owned()).or_default().policy = policy,
        }
    }
    snp.measurements.extend(explain.measurement.iter().map(|hex| hex.0.to_vec()));
    let appraiser = Appraiser::with(&snp, &plan.policies, None)?;
    let mut groups = configured(&snp);
    groups.append(&mut plan.groups);
    for (claim, value) in &explain.reference {
        let values = [(claim.clone(), value.clone().into())].into();
        let group = Group { tee: tee.to_owned(), values };
        group.check().map_err(|why| anyhow::anyhow!("--reference: {why}"))?;
        groups.push(group);
    }
    let references = Snapshot::of([("configuration", groups.as_slice())]);
    let (at, json) = (explain.verify.moment(), explain.verify.wants_json());
    let appraised = verify::examined(&explain.verify, at)?
        .and_then(|verified| appraiser.appraise(&verified.case(at), &references));
    let (report, code) = match &appraised {
        Ok(appraisal) if appraisal.status == Status::Affirming => {
            (described(appraisal)?, ExitCode::SUCCESS)
        }
        Ok(appraisal) => (described(appraisal)?, ExitCode::from(REFUSED)),
        Err(refusal) => (
            json!({ "code": refusal.code.as_str(), "reason": refusal.reason,
                "explanation": refusal.explanation }),
            ExitCode::from(REFUSED),
        ),
    };
    print(json, &report, &as_text(&report), code)
}

fn described(appraisal: &Appraisal) -> anyhow::Result<Value> {
    Ok(json!({
        "status": appraisal.status,
        "vector": appraisal.vector,
        "policy": appraisal.policy.as_str(),
        "explanation": serde_json::to_value(
            Explanation::of("appraisal").findings(&appraisal.findings)
        )?,
    }))
}

fn as_text(report: &Value) -> String {
    let mut lines = Vec::new();
    for name in ["status", "vector", "policy", "code", "reason"] {
        if let Some(value) = report.get(name) {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            lines.push(format!("  {name:<10} {}", crate::escape::Escaped(&value)));
        }
    }
    lines.extend(report.get("explanation").into_iter().flat_map(explanation_lines));
    lines.join("\n")
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Module>> {
    let mut modules = Vec::with_capacity(files.len());
    for path in files {
        let source = String::from_utf8(read_bounded(path, LONGEST_SOURCE as u64)?);
        let source = source.with_context(|| path.display().to_string())?;
        // No module in Rego begins like this.
        ensure!(
            !source.trim_ascii_start().starts_with('{'),
            "{}: JSON, and what is read here is Rego; a release policy in Azure's grammar is checked by the \
             host that it is given to",
            path.display()
        );
        modules.push(Module::new(path.display().to_string(), source));
    }
    Ok(modules)
}

fn place(error: &PolicyError) -> Value {
    let PolicyError { file, line, column, message, .. } = error;
    json!({ "file": file, "line": line, "column": column, "message": message })
}

fn print(json: bool, report: &Value, text: &str, code: ExitCode) -> anyhow::Result<ExitCode> {
    let printed = match json {
        true => out!("{}", serde_json::to_string_pretty(report)?),
        false => out!("{text}"),
    };
    verdict(printed, code)
}
