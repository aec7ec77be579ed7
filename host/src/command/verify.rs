//! `verify`: evidence from files, offline, at any moment; every check with what it rests on.
//!
//! It says whether evidence is genuine. Whether it is fresh and bound needs a challenge, and what
//! it is worth needs a policy; neither is asked here.

mod anchor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use anchor::Anchor;

use super::explain::explanation_lines;
use super::files::read_bounded;
use super::out::{note, out, verdict};
use super::{REFUSED, block_on};
use crate::assemble;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Refusal;
use crate::escape::Escaped;
use crate::flow::{Evidence, Verified, examine};
use crate::plugin::{Engine, EngineSettings, Manifest, Settings, VerifierPlugin, bundled};
use crate::quote::snp::Product;
use crate::quote::{Authority, Revocation};

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The attester's kind
    #[arg(long)]
    tee: String,
    /// The evidence: a file, or a directory with evidence and attachments
    evidence: PathBuf,
    /// Certificates, collateral or logs that go with it, known by their content; may be repeated
    #[arg(long)]
    with: Vec<PathBuf>,
    /// The moment for which everything must be valid (RFC 3339); now, where absent
    #[arg(long, value_parser = moment)]
    at: Option<Timestamp>,
    /// Trust only this product line's root; may be repeated; all of AMD's, where absent
    #[arg(long, value_enum)]
    product: Vec<Line>,
    /// Do without a check that needs what cannot be had
    #[arg(long, value_enum)]
    waive: Vec<Waiver>,
    /// Trust a certificate of your own, or a key (SET:ID=FILE, its identifier in hexadecimal or empty for
    /// its digest); may be repeated
    #[arg(long, value_name = "SET=FILE", value_parser = Anchor::parse)]
    anchor: Vec<Anchor>,
    /// A verifier to use instead of the bundled one
    #[arg(long)]
    plugin: Option<PathBuf>,
    /// Accept simulated hardware whose root certificates (PEM or DER) are in this file
    #[arg(long, value_name = "FILE")]
    dev_simulated_roots: Option<PathBuf>,
    /// Where it is refused, say which check failed, on what, and what held up to there
    #[arg(long)]
    explain: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Waiver {
    /// Revocation lists
    Revocation,
    /// The identity of Intel's quoting enclave: any enclave with its rights on the platform could have signed
    QeIdentity,
}

/// AMD's product lines, each with a root of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Line {
    Milan,
    /// With Bergamo and Siena
    Genoa,
    Turin,
}

impl From<Line> for Product {
    fn from(line: Line) -> Self {
        match line {
            Line::Milan => Self::Milan,
            Line::Genoa => Self::Genoa,
            Line::Turin => Self::Turin,
        }
    }
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("wanted is an RFC 3339 moment: 2026-01-01T00:00:00Z")
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let (at, waived) = (arguments.moment(), arguments.waives_revocation());
    let outcome = examined(&arguments, at)?;
    let mut report = report(&arguments.tee, at, waived, &outcome);
    if arguments.explain {
        explain(&mut report, &outcome);
    }
    let printed = match arguments.json {
        true => out!("{}", serde_json::to_string_pretty(&report)?),
        false => out!("{}", as_text(&report)),
    };
    verdict(printed, if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

impl Arguments {
    /// The moment for which everything must be valid.
    pub(super) fn moment(&self) -> Timestamp {
        self.at.unwrap_or_else(|| SystemClock.now())
    }

    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    /// The attester's kind.
    pub(super) fn tee(&self) -> &str {
        &self.tee
    }

    fn waives_revocation(&self) -> bool {
        self.waive.contains(&Waiver::Revocation)
    }
}

/// Genuine, or why not.
pub(super) fn examined(
    arguments: &Arguments,
    at: Timestamp,
) -> anyhow::Result<Result<Verified, Refusal>> {
    let waived = arguments.waives_revocation();
    if waived {
        note!("claviger: revocation is waived: a revoked certificate would not be noticed");
    }
    if arguments.waive.contains(&Waiver::QeIdentity) {
        note!(
            "claviger: the quoting enclave's identity is waived: another enclave could have signed"
        );
    }
    let (data, attachments) = gather(arguments)?;
    let authority = authority(arguments, waived)?;
    block_on(async {
        let plugin = verifier(arguments)?;
        let media_type = is_json(&data).then(|| "application/json".to_owned());
        let evidence = Evidence { tee: arguments.tee.clone(), media_type, data, attachments };
        Ok(examine(&plugin, authority.into(), evidence, at).await)
    })
}

/// An object or a list. No binary form of evidence begins as these do.
fn is_json(data: &[u8]) -> bool {
    matches!(data.trim_ascii_start(), [b'{' | b'[', ..])
}

/// The evidence and what goes with it. In a directory the evidence is the file called `report.bin`,
/// `quote.bin`, `evidence.*`, `attestation_doc.*` or `token.*`, and every other file goes with it.
fn gather(arguments: &Arguments) -> anyhow::Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let read = |path: &Path| read_bounded(path, LARGEST);
    let mut with = arguments.with.clone();
    let evidence = if arguments.evidence.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&arguments.evidence)? {
            let path = entry?.path();
            if path.is_file() && path.file_name().is_some_and(|name| name != "expected.json") {
                files.push(path);
            }
        }
        files.sort();
        let stem =
            |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let named =
            ["report", "quote", "evidence", "attestation_doc", "token"].iter().find_map(|wanted| {
                files.iter().position(|path| stem(path).as_deref() == Some(*wanted))
            });
        let Some(evidence) = named else {
            bail!(
                "{}: no report, quote, evidence, attestation_doc or token file",
                arguments.evidence.display()
            );
        };
        let evidence = files.remove(evidence);
        with.extend(files);
        evidence
    } else {
        arguments.evidence.clone()
    };
    let attachments = with.iter().map(|path| read(path)).collect::<anyhow::Result<_>>()?;
    Ok((read(&evidence)?, attachments))
}

/// The operator's verifier, or the bundled one for this kind of attester.
fn verifier(arguments: &Arguments) -> anyhow::Result<VerifierPlugin> {
    let engine = Engine::new(EngineSettings { instances: 4, ..EngineSettings::default() })?;
    let load = |name: &str, component: &[u8]| {
        // Whoever names a plugin here lets it name the anchor sets that it wants.
        let anchors = Arc::new(Manifest::read(component)?.anchors.into_iter().collect());
        let settings = Settings { anchors, ..Settings::default() };
        VerifierPlugin::load(&engine, name, component, settings)
            .with_context(|| format!("plugin {name}"))
    };
    if let Some(path) = &arguments.plugin {
        let component = assemble::read_component(path)?;
        return load(&Manifest::read(&component)?.name, &component);
    }
    let name = format!("verifier-{}", arguments.tee);
    let component = bundled::component(&name).with_context(|| {
        let known = bundled::BUNDLED.iter().filter_map(|(name, _)| name.strip_prefix("verifier-"));
        let known = known.collect::<Vec<_>>().join(", ");
        format!("no bundled verifier reads {}; there are: {known}", arguments.tee)
    })?;
    load(&name, component)
}

fn authority(arguments: &Arguments, waived: bool) -> anyhow::Result<Authority> {
    let mut builder = Authority::builder();
    if !arguments.product.is_empty() {
        let products: Vec<Product> = arguments.product.iter().copied().map(Into::into).collect();
        builder = builder.products(&products);
    }
    if waived {
        builder = builder.revocation(Revocation::Waived);
    }
    if arguments.waive.contains(&Waiver::QeIdentity) {
        builder = builder.waive_qe_identity();
    }
    if let Some(path) = &arguments.dev_simulated_roots {
        note!("claviger: DEVELOPMENT: simulated hardware is accepted as if it were genuine");
        builder = builder.simulated_root(read_bounded(path, LARGEST)?);
    }
    for anchor in &arguments.anchor {
        builder = anchor.trusted(builder)?;
    }
    builder.build().map_err(|fault| anyhow::anyhow!("trust anchors: {fault}"))
}

fn report(tee: &str, at: Timestamp, waived: bool, outcome: &Result<Verified, Refusal>) -> Value {
    let revocation = if waived { "waived" } else { "required" };
    let mut report = json!({ "tee": tee, "at": at.to_string(), "revocation": revocation });
    let members = match outcome {
        Ok(verified) => {
            let object = |claims: &[crate::claim::Claim]| {
                let member = |claim: &crate::claim::Claim| {
                    let value = serde_json::to_value(&claim.value).unwrap_or(Value::Null);
                    (claim.name.to_string(), value)
                };
                claims.iter().map(member).collect::<Map<_, _>>()
            };
            let checks = verified
                .path()
                .into_iter()
                .map(|step| json!({ "check": step.operation, "rests_on": step.detail }));
            let mut members = json!({
                "verdict": "genuine",
                "simulated": verified.simulated(),
                "verifier": { "name": verified.verifier().name, "digest": verified.verifier().digest },
                "checks": checks.collect::<Vec<_>>(),
                "facts": object(verified.facts()),
                "claims": object(verified.claims()),
                "trustworthiness": verified.vector(),
            });
            // What rests on pinned keys alone has no such moment.
            if let (Some(members), true) =
                (members.as_object_mut(), verified.expires() != Timestamp::NEVER)
            {
                members.insert("expires".to_owned(), verified.expires().to_string().into());
            }
            members
        }
        Err(refusal) => json!({
            "verdict": "refused",
            "code": refusal.code,
            "title": refusal.code.title(),
            "reason": refusal.reason,
        }),
    };
    if let (Some(report), Value::Object(members)) = (report.as_object_mut(), members) {
        report.extend(members);
    }
    report
}

/// What the refusal rests on; evidence that is genuine has its checks already.
fn explain(report: &mut Value, outcome: &Result<Verified, Refusal>) {
    let explanation = outcome.as_ref().err().and_then(|refusal| refusal.explanation.as_deref());
    let explanation = explanation.and_then(|why| serde_json::to_value(why).ok());
    if let (Some(report), Some(explanation)) = (report.as_object_mut(), explanation) {
        report.insert("explanation".to_owned(), explanation);
    }
}

/// For a person. What a plugin says may be anything, so all of it is escaped.
fn as_text(report: &Value) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => Escaped(text).to_string(),
        value => Escaped(&value.to_string()).to_string(),
    };
    let member = |name: &str| report.get(name).map(shown).unwrap_or_default();
    let mut lines =
        vec![format!("{}: {} evidence at {}", member("verdict"), member("tee"), member("at"))];
    if report.get("code").is_some() {
        lines.push(format!("  code    {}", member("code")));
        lines.push(format!("  reason  {}", member("reason")));
        lines.extend(report.get("explanation").into_iter().flat_map(explanation_lines));
        return lines.join("\n");
    }
    let validity = match report.get("expires") {
        Some(expires) => format!("valid until {}", shown(expires)),
        None => "no expiry".to_owned(),
    };
    lines.push(format!("  revocation {}, {validity}", member("revocation")));
    lines.push("\nchecks, and what each rests on:".to_owned());
    for check in report.get("checks").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| check.get(name).map(shown).unwrap_or_default();
        lines.push(format!("  {:<8} {}", part("check"), part("rests_on")));
    }
    for group in ["facts", "claims", "trustworthiness"] {
        let members = report.get(group).and_then(Value::as_object);
        if members.is_some_and(|members| !members.is_empty()) {
            lines.push(format!("\n{group}:"));
        }
        for (name, value) in members.into_iter().flatten() {
            let name = Escaped(name).to_string();
            lines.push(format!("  {name:<32} {}", shown(value)));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use data_encoding::BASE64;

    use super::*;
    use crate::simulated::{Family, SimulatedGuest};

    /// 2026-01-01T00:00:00Z
    const NOW: Timestamp = Timestamp(1_767_225_600);

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// Whether `claviger verify` finds the evidence of a simulated Genoa guest genuine.
    fn genuine(written: impl Fn(&[u8]) -> Vec<u8>, options: &[&str]) -> bool {
        found(written, options).is_ok()
    }

    fn found(written: impl Fn(&[u8]) -> Vec<u8>, options: &[&str]) -> Result<Verified, Refusal> {
        let folder = tempfile::tempdir().unwrap();
        let family = Family::mint(Product::Genoa, NOW).unwrap();
        let guest = SimulatedGuest::new(family.chip(&family.chip_template()).unwrap());
        let report = guest.report([7; 64]);
        let mut line = vec!["verify".to_owned(), "--tee=snp".to_owned()];
        for (option, name, bytes) in [
            ("", "evidence", written(&report)),
            ("--with=", "vcek", guest.attachments[0].clone()),
            ("--with=", "ask", family.ask().to_vec()),
            ("--with=", "log", b"nothing that is known".to_vec()),
            ("--dev-simulated-roots=", "ark", family.ark().to_vec()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            line.push(format!("{option}{}", path.display()));
        }
        line.push("--waive=revocation".to_owned());
        line.extend(options.iter().map(|option| (*option).to_owned()));
        let Command { arguments } = Command::try_parse_from(line).unwrap();
        examined(&arguments, NOW).unwrap()
    }

    #[test]
    fn a_refusal_is_explained_as_text_and_as_json() {
        let altered = |report: &[u8]| {
            let mut altered = report.to_vec();
            altered[0x90] ^= 1;
            altered
        };
        let outcome = found(altered, &[]);
        let mut report = report("snp", NOW, true, &outcome);
        assert!(!as_text(&report).contains("check"));
        explain(&mut report, &outcome);
        let why = &report["explanation"];
        assert_eq!(
            (&why["check"], &why["trust_path"].as_array().unwrap().len()),
            (&"snp".into(), &2)
        );
        let text = as_text(&report);
        assert!(text.contains("  seen       a signature does not hold"), "{text}");
        assert!(text.contains("what held, up to the break:\n    anchor: SIMULATED root"), "{text}");
    }

    #[test]
    fn json_is_known_with_space_before_it() {
        let json = |space: &str, report: &[u8]| {
            let report = BASE64.encode(report);
            format!(r#"{space}{{"attestation_report": "{report}"}}"#).into_bytes()
        };
        assert!(genuine(|report| json("", report), &[]));
        assert!(genuine(|report| json("\n\t ", report), &[]));
    }

    #[test]
    fn a_list_in_json_is_json_as_well() {
        for json in ["{}", "[{}]", "\r\n [ {"] {
            assert!(is_json(json.as_bytes()), "{json}");
        }
        // A report of SEV-SNP, tags and arrays of CBOR.
        for binary in [&b"\x05\0\0\0"[..], b"\xd2\x84", b"\x84", b""] {
            assert!(!is_json(binary), "{binary:?}");
        }
    }

    #[test]
    fn what_does_not_expire_has_no_moment_at_which_it_does() {
        let mut report = json!({ "verdict": "genuine", "revocation": "required" });
        assert!(as_text(&report).contains("  revocation required, no expiry"));
        report["expires"] = "2027-01-01T00:00:00Z".into();
        assert!(as_text(&report).contains("  revocation required, valid until 2027"));
    }

    // attack 23
    #[test]
    fn a_product_line_that_is_not_trusted_is_refused() {
        let raw = |report: &[u8]| report.to_vec();
        assert!(genuine(raw, &["--product=genoa"]));
        assert!(genuine(raw, &["--product=milan", "--product=genoa"]));
        assert!(!genuine(raw, &["--product=milan", "--product=turin"]));
    }

    // attack 41
    #[test]
    fn a_plugins_claims_cannot_forge_a_line_or_steer_the_terminal() {
        let hostile = "x\nverdict: genuine\u{1b}[2J\u{9b}A\u{202e}";
        let genuine = json!({
            "verdict": "genuine", "tee": hostile, "at": "then", "revocation": "required",
            "expires": "later",
            "checks": [{ "check": hostile, "rests_on": hostile }],
            "facts": { "f": hostile },
            "claims": { hostile: hostile, "list": [hostile, { "deep": hostile }] },
            "trustworthiness": { "hardware": 2 },
        });
        let refused = json!({ "verdict": "refused", "code": "c", "reason": hostile });
        for (report, lines) in [(genuine, 15), (refused, 3)] {
            let text = as_text(&report);
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
        }
    }
}
