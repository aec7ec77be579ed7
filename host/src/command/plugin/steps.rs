//! Conformance cases of a connector: what is asked of it, one step after the other, and what must come
//! of each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::cases;
use crate::command::files::read_bounded;
use crate::plugin::{KeyReference, KmsFailure, KmsPlugin, NewKey, ReleaseContext, Released};
use crate::tenant::Tenant;

/// The largest file of a case, in bytes.
const LARGEST: u64 = 1 << 20;

/// A case of a connector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectorCase {
    #[serde(skip)]
    pub(super) name: String,
    /// Values for the plugin's settings.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// What is asked, in order.
    step: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    ask: Ask,
    #[serde(default)]
    key: String,
    version: Option<String>,
    /// The kind of a key that is created.
    kind: Option<String>,
    /// `ok`, or the name of the error.
    expect: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ask {
    Create,
    Delete,
    Disable,
    Enable,
    Health,
    Release,
    Rotate,
}

/// A release that rests on nothing: no connector's case needs more.
struct Nobody;

impl ReleaseContext for Nobody {
    fn recipient(&self) -> String {
        r#"{"kty":"OKP","crv":"X25519","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}"#.into()
    }

    fn attestation(&self) -> Result<String, String> {
        Err("a conformance case has no attestation result".to_owned())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        None
    }
}

/// The cases of a folder, by name.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<ConnectorCase>> {
    let paths = cases::files(folder)?;
    if paths.is_empty() {
        bail!("{}: there is no case", folder.display());
    }
    let read = |path: &std::path::PathBuf| {
        let text = String::from_utf8(read_bounded(path, LARGEST)?)?;
        let mut case: ConnectorCase = toml::from_str(&text)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        case.name = name.unwrap_or_default();
        anyhow::Ok(case)
    };
    paths.iter().map(|path| read(path).with_context(|| path.display().to_string())).collect()
}

impl ConnectorCase {
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Asks step by step; what is not as it should be.
    pub(super) async fn run(&self, plugin: &KmsPlugin) -> anyhow::Result<()> {
        for (number, step) in self.step.iter().enumerate() {
            let outcome = step.ask(plugin).await;
            let said = match &outcome {
                Ok(()) => "ok",
                Err(failure) => name(failure),
            };
            ensure!(
                said == step.expect,
                "step {} ({:?} {:?}): {} was expected, and it was {said}{}",
                number + 1,
                step.ask,
                step.key,
                step.expect,
                outcome.err().map(|failure| format!(": {failure}")).unwrap_or_default()
            );
        }
        Ok(())
    }
}

impl Step {
    async fn ask(&self, plugin: &KmsPlugin) -> Result<(), KmsFailure> {
        let (tenant, key) = (Tenant::default(), self.key.as_str());
        let reference = || KeyReference { name: key.to_owned(), version: self.version.clone() };
        match self.ask {
            Ask::Create => {
                let kind = self.kind.clone().unwrap_or_else(|| "oct-256".to_owned());
                let new = NewKey { name: key.to_owned(), kind, exportable: true, material: None };
                plugin.create(&tenant, new).await.map(drop)
            }
            Ask::Delete => plugin.delete(&tenant, key).await,
            Ask::Disable => plugin.set_enabled(&tenant, &reference(), false).await.map(drop),
            Ask::Enable => plugin.set_enabled(&tenant, &reference(), true).await.map(drop),
            Ask::Health => plugin.health(&tenant).await,
            Ask::Release => {
                let released = plugin.release(&tenant, &reference(), Arc::new(Nobody)).await?;
                match released {
                    Released::Held { .. } | Released::Wrapped { .. } => Ok(()),
                }
            }
            Ask::Rotate => plugin.rotate(&tenant, key).await.map(drop),
        }
    }
}

/// What hostile administrators and clients ask for: a connector may refuse, and must not stop.
pub(super) async fn hostile(plugin: &KmsPlugin) -> anyhow::Result<()> {
    let tenant = Tenant::default();
    let long = "k".repeat(127);
    let keys = ["none", "0", long.as_str(), "A-----------Z"];
    let versions = [None, Some("0"), Some("18446744073709551616"), Some("-1"), Some("latest")];
    for key in keys {
        for version in versions {
            let version = version.map(str::to_owned);
            let reference = KeyReference { name: key.to_owned(), version: version.clone() };
            let released = plugin.release(&tenant, &reference, Arc::new(Nobody)).await;
            let what = format!("release of {key:?} in version {version:?}");
            refused(&what, released.map(drop))?;
        }
        if plugin.manages_keys() {
            let reference = KeyReference::latest(key);
            refused("get", plugin.get(&tenant, &reference).await.map(drop))?;
            refused("rotate", plugin.rotate(&tenant, key).await.map(drop))?;
            refused("versions", plugin.versions(&tenant, key).await.map(drop))?;
        }
    }
    if plugin.manages_keys() {
        for kind in ["", "oct-0", "rsa-1", "rsa-99999999", "../oct-256", "\u{1b}[2J"] {
            let (name, kind) = ("hostile".to_owned(), kind.to_owned());
            let what = format!("a key of the kind {kind:?}");
            let new = NewKey { name, kind, exportable: true, material: None };
            refused(&what, plugin.create(&tenant, new).await.map(drop))?;
        }
        sound("list", plugin.list(&tenant, Some("no-cursor")).await.map(drop))?;
    }
    Ok(())
}

/// It was refused in the connector's own words.
fn refused(what: &str, outcome: Result<(), KmsFailure>) -> anyhow::Result<()> {
    ensure!(outcome.is_err(), "{what}: it was allowed");
    sound(what, outcome)
}

/// It did not stop, and answered what it may.
fn sound(what: &str, outcome: Result<(), KmsFailure>) -> anyhow::Result<()> {
    match outcome {
        Err(
            failure @ (KmsFailure::Deadline
            | KmsFailure::Invalid(_)
            | KmsFailure::Limit(_)
            | KmsFailure::Trap(_)),
        ) => bail!("{what}: {failure}"),
        _ => Ok(()),
    }
}

/// The name of an error, as `wit/kms.wit` has it.
fn name(failure: &KmsFailure) -> &'static str {
    match failure {
        KmsFailure::Conflict(_) => "conflict",
        KmsFailure::Deadline => "deadline",
        KmsFailure::Denied(_) => "denied",
        KmsFailure::Disabled => "disabled",
        KmsFailure::Invalid(_) => "invalid",
        KmsFailure::Limit(_) => "limit",
        KmsFailure::Malformed(_) => "malformed",
        KmsFailure::Misconfigured(_) => "misconfigured",
        KmsFailure::NotFound => "not-found",
        KmsFailure::Trap(_) => "trap",
        KmsFailure::Unavailable(_) => "unavailable",
        KmsFailure::Unsupported(_) => "unsupported",
    }
}
