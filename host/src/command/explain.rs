//! `explain`: why a request was refused, from a running host or from its audit log.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use clap::Args;
use serde_json::Value;

use super::administrator::Administrator;
use super::out::{out, verdict};
use super::{REFUSED, block_on};
use crate::escape::Escaped;
use crate::flow::{RequestReport, is_plain};
use crate::http::Explained;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The request's identifier, as its caller was told it (`x-request-id`)
    request: String,
    /// Read the audit log in this directory, instead of asking a running host
    #[arg(long, value_name = "DIRECTORY")]
    audit: Option<PathBuf>,
    #[command(flatten)]
    host: Administrator,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let request = arguments.request;
    ensure!(is_plain(&request), "{:?} is no request's identifier", request);
    let explained = match arguments.audit {
        Some(directory) => RequestReport::read(&directory, &request, u64::MAX)?.into(),
        None => {
            let client = arguments.host.client()?;
            block_on(async { Ok(client.explain(&request).await?) })?
        }
    };
    let printed = match arguments.json {
        true => out!("{}", serde_json::to_string_pretty(&explained)?),
        false => out!("{}", as_text(&request, &explained)),
    };
    let found = !explained.records.is_empty();
    verdict(printed, if found { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// For a person, newest first.
fn as_text(request: &str, explained: &Explained) -> String {
    let mut lines = Vec::new();
    for record in &explained.records {
        let member = |name: &str| record.get(name).map(shown).unwrap_or_default();
        let (time, event, outcome) = (member("time"), member("event"), member("outcome"));
        lines.push(format!("{time} {event}, {outcome}: request {request}"));
        for name in [
            "code",
            "reason",
            "tenant",
            "tee",
            "key",
            "version",
            "authority",
            "freshness",
            "token",
            "detail",
        ] {
            if record.get(name).is_some() {
                lines.push(format!("  {name:<10} {}", member(name)));
            }
        }
        for policy in list(record, "policies") {
            lines.push(format!("  {:<10} {}", "policy", shown(policy)));
        }
        let explanation = record.get("explanation");
        lines.extend(explanation.into_iter().flat_map(explanation_lines));
        lines.extend(path_lines(record, "what it rests on:"));
    }
    if let Some(attested) = &explained.attested {
        let time = attested.get("time").map(shown).unwrap_or_default();
        lines.extend(path_lines(attested, &format!("what its token of {time} rests on:")));
    }
    if explained.records.is_empty() {
        lines.push(format!("nothing is known of request {request}"));
    }
    if explained.more {
        lines.push("older records were not read".to_owned());
    }
    lines.join("\n")
}

/// The check that failed, what was seen and wanted, the rules that did not hold, the way there.
pub(super) fn explanation_lines(explanation: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for name in ["check", "seen", "wanted"] {
        if let Some(value) = explanation.get(name) {
            lines.push(format!("  {name:<10} {}", shown(value)));
        }
    }
    for finding in list(explanation, "findings") {
        let part = |name: &str| finding.get(name).map(shown);
        let seen = part("seen").unwrap_or_else(|| "nothing".to_owned());
        let (rule, claim) = (part("rule").unwrap_or_default(), part("claim").unwrap_or_default());
        let column = part("column").map(|column| format!(":{column}")).unwrap_or_default();
        let place = match (part("file"), part("line"), part("pointer")) {
            (Some(file), Some(line), _) => format!(" ({file}:{line}{column})"),
            (Some(file), None, Some(pointer)) => format!(" ({file}#{pointer})"),
            _ => String::new(),
        };
        lines.push(format!("  {:<10} {rule}{place}", "rule"));
        lines.push(format!("    {claim} is {seen}, wanted {}", part("wanted").unwrap_or_default()));
    }
    lines.extend(path_lines(explanation, "what held, up to the break:"));
    lines
}

fn path_lines(of: &Value, title: &str) -> Vec<String> {
    let mut steps: Vec<String> =
        list(of, "trust_path").map(|step| format!("    {}", shown(step))).collect();
    if !steps.is_empty() {
        steps.insert(0, format!("  {title}"));
    }
    steps
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// What came from evidence or from a client may be anything, so all of it is escaped.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => Escaped(text).to_string(),
        value => Escaped(&value.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // attack 41
    #[test]
    fn nothing_that_stands_in_a_record_makes_a_line_of_its_own() {
        let hostile = "x\n2026 released, allowed\u{1b}[2J\u{9b}A\u{202e}";
        let finding =
            json!({ "rule": hostile, "claim": hostile, "seen": [hostile], "wanted": hostile });
        let explanation = json!({
            "check": hostile, "seen": hostile, "wanted": hostile,
            "findings": [finding], "trust_path": [hostile],
        });
        let record = json!({
            "time": hostile, "event": hostile, "outcome": hostile, "code": hostile,
            "reason": hostile, "policies": [hostile], "explanation": explanation,
            "trust_path": [hostile],
        });
        let attested = Some(json!({ "time": hostile, "trust_path": [hostile] }));
        let explained = Explained { records: vec![record], attested, more: true };
        let text = as_text("r", &explained);
        assert_eq!(text.lines().count(), 16, "{text}");
        assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
    }

    #[test]
    fn a_rule_of_a_policy_is_shown_with_its_place() {
        let finding = json!({ "rule": "vmpl", "claim": "snp.vmpl", "seen": 2, "wanted": "0",
            "file": "snp.rego", "line": 12 });
        let lines = explanation_lines(&json!({ "check": "appraisal", "findings": [finding] }));
        assert_eq!(lines[1].trim(), "rule       vmpl (snp.rego:12)");
        assert_eq!(lines[2].trim(), "snp.vmpl is 2, wanted 0");
    }
}
