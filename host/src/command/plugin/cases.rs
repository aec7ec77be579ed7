//! Conformance cases of a plugin: what is handed in, at which moment, against which anchors, and what
//! must come of it. One TOML file for each case; `plugins/README.md` has the grammar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use crate::claim::Value;
use crate::clock::Timestamp;
use crate::command::files::read_bounded;
use crate::flow::{Evidence, examine};
use crate::plugin::{VerifierPlugin, VerifierRequest};
use crate::quote::{Authority, Examination, Revocation};

/// The largest file of a case, in bytes.
const LARGEST: u64 = 16 << 20;

/// The outcome of evidence that is genuine.
const ACCEPTED: &str = "accepted";

/// A case of a verifier.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifierCase {
    /// The file with the evidence, beside the case.
    evidence: PathBuf,
    /// Its media type; the plugin's first where absent.
    media_type: Option<String>,
    /// Files that go with it.
    #[serde(default)]
    attachments: Vec<PathBuf>,
    /// The moment for which everything must be valid (RFC 3339).
    at: String,
    /// `accepted`, or the code of the refusal.
    expect: String,
    /// The bytes that the verdict must bind, in hexadecimal.
    bound: Option<String>,
    /// Claims that the plugin must make.
    #[serde(default)]
    claims: BTreeMap<String, toml::Value>,
    /// Values for the plugin's settings.
    #[serde(default)]
    settings: BTreeMap<String, String>,
    /// Trust anchors.
    #[serde(default)]
    anchor: Vec<Anchor>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Anchor {
    set: String,
    /// A certificate.
    certificate: Option<PathBuf>,
    /// A public key, under this identifier (hexadecimal) or its digest.
    public_key: Option<PathBuf>,
    #[serde(default)]
    key_id: String,
}

/// A case that was read, with its files.
pub(super) struct Read {
    pub(super) name: String,
    pub(super) evidence: Vec<u8>,
    pub(super) attachments: Vec<Vec<u8>>,
    pub(super) at: Timestamp,
    pub(super) authority: Arc<Authority>,
    case: VerifierCase,
}

/// The files of a folder that have cases, by name.
pub(super) fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let listed = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in listed {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The cases of a folder, by name.
pub(super) fn read(folder: &Path) -> anyhow::Result<Vec<Read>> {
    files(folder)?
        .iter()
        .map(|path| one(path).with_context(|| path.display().to_string()))
        .collect()
}

fn one(path: &Path) -> anyhow::Result<Read> {
    let text = String::from_utf8(read_bounded(path, LARGEST)?)?;
    let case: VerifierCase = toml::from_str(&text)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = |path: &PathBuf| read_bounded(&folder.join(path), LARGEST);
    let at = Timestamp::parse(&case.at).context("`at` is no RFC 3339 moment")?;
    let mut authority = Authority::builder().revocation(Revocation::Required);
    for anchor in &case.anchor {
        // The anchors of a case publish no revocation lists unless they come along.
        authority = authority.revocation_of(&anchor.set, Revocation::Unpublished);
        authority = match (&anchor.certificate, &anchor.public_key) {
            (Some(certificate), None) => authority.anchor(&anchor.set, file(certificate)?),
            (None, Some(key)) => {
                let id = HEXLOWER_PERMISSIVE.decode(anchor.key_id.as_bytes());
                authority.pin(&anchor.set, &id.context("`key_id` is hexadecimal")?, file(key)?)
            }
            _ => bail!("an anchor is one of `certificate` and `public_key`"),
        };
    }
    let authority = authority.build().map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let attachments = case.attachments.iter().map(file).collect::<anyhow::Result<_>>()?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(Read {
        name: name.unwrap_or_default(),
        evidence: file(&case.evidence)?,
        attachments,
        at,
        authority: authority.into(),
        case,
    })
}

impl Read {
    /// What the plugin is given for this case.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.case.settings
    }

    /// Whether the case says that the evidence is genuine.
    pub(super) fn is_accepted(&self) -> bool {
        self.case.expect == ACCEPTED
    }

    /// The sets that its anchors are in.
    pub(super) fn sets(&self) -> impl Iterator<Item = &String> {
        self.case.anchor.iter().map(|anchor| &anchor.set)
    }

    pub(super) fn media_type(&self, plugin: &VerifierPlugin) -> String {
        let first = || plugin.description().evidence_types.first().cloned().unwrap_or_default();
        self.case.media_type.clone().unwrap_or_else(first)
    }

    /// Runs it as the host would; what is not as it should be.
    pub(super) async fn run(&self, plugin: &VerifierPlugin) -> anyhow::Result<()> {
        let evidence = Evidence {
            tee: plugin.description().tee.clone(),
            media_type: Some(self.media_type(plugin)),
            data: self.evidence.clone(),
            attachments: self.attachments.clone(),
        };
        let outcome = examine(plugin, Arc::clone(&self.authority), evidence, self.at).await;
        let verified = match outcome {
            Ok(verified) => verified,
            Err(refusal) => {
                ensure!(
                    refusal.code.as_str() == self.case.expect,
                    "{} was expected; refused: {refusal}",
                    self.case.expect
                );
                return Ok(());
            }
        };
        ensure!(self.is_accepted(), "{} was expected, and it was accepted", self.case.expect);
        for (name, wanted) in &self.case.claims {
            let said = verified.claims().iter().find(|claim| claim.name == *name);
            let said = said.with_context(|| format!("it does not claim {name}"))?;
            ensure!(same(&said.value, wanted), "{name}: {:?}, wanted is {wanted}", said.value);
        }
        match &self.case.bound {
            Some(wanted) => self.binds(plugin, wanted).await,
            None => Ok(()),
        }
    }

    /// Whether some binding carries these bytes.
    async fn binds(&self, plugin: &VerifierPlugin, wanted: &str) -> anyhow::Result<()> {
        let wanted = HEXLOWER_PERMISSIVE.decode(wanted.as_bytes()).context("`bound`")?;
        let request = VerifierRequest {
            evidence_type: self.media_type(plugin),
            evidence: self.evidence.clone(),
            attachments: self.attachments.clone(),
        };
        let examination = Examination::new(Arc::clone(&self.authority), self.at);
        let verdict = plugin.verify(examination, request).await?;
        let carried = verdict.bindings.iter().any(|binding| {
            let statement = verdict.statements.get(binding.statement);
            statement.is_some_and(|s| s.read(binding.at).is_ok_and(|bytes| *bytes == *wanted))
        });
        ensure!(carried, "no binding carries the bytes of `bound`");
        Ok(())
    }
}

/// Whether a claim has the value that a case wants; bytes stand there in hexadecimal.
fn same(said: &Value, wanted: &toml::Value) -> bool {
    match (said, wanted) {
        (Value::Bytes(said), toml::Value::String(wanted)) => {
            HEXLOWER_PERMISSIVE.decode(wanted.as_bytes()).is_ok_and(|wanted| wanted == *said)
        }
        (Value::Flag(said), toml::Value::Boolean(wanted)) => said == wanted,
        (Value::Signed(said), toml::Value::Integer(wanted)) => said == wanted,
        (Value::Unsigned(said), toml::Value::Integer(wanted)) => {
            u64::try_from(*wanted).is_ok_and(|wanted| wanted == *said)
        }
        (Value::Text(said), toml::Value::String(wanted)) => said == wanted,
        (Value::Texts(said), toml::Value::Array(wanted)) => {
            said.len() == wanted.len()
                && said.iter().zip(wanted).all(|(said, wanted)| wanted.as_str() == Some(said))
        }
        _ => false,
    }
}
