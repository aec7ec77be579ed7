//! Who may sign which plugins: the operator's verification file, and nobody else. A plugin that no
//! rule names is not let in, whoever signed it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use semver::Version;
use serde::Deserialize;

use super::manifest::Manifest;
use super::package::Package;
use super::signature::key::{KeyError, VerifyingKey};
use super::signature::sigstore::{self, Identity, RootError, TrustedRoot};
use super::signature::{Bundle, BundleError};
use crate::files;
use crate::misread::Misread;

/// The largest verification file, in bytes.
const LARGEST: u64 = 256 << 10;

/// The largest file with a signer's public key, in bytes.
const LARGEST_KEY: u64 = 16 << 10;

/// The file, read.
#[derive(Clone, Debug)]
pub struct Verification {
    signers: BTreeMap<String, Signer>,
    root: Option<TrustedRoot>,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
enum Signer {
    Identity(Identity),
    Key(VerifyingKey),
}

/// What one rule says of the plugins that it names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Names; one that ends with `*` stands for all that begin so.
    plugins: Vec<String>,
    /// Each of these must have signed.
    #[serde(default)]
    all_of: BTreeSet<String>,
    /// Of these, so many.
    #[serde(default)]
    any_of: BTreeSet<String>,
    #[serde(default = "one")]
    minimum: usize,
    /// Components that need no signature, by digest.
    #[serde(default)]
    digests: BTreeSet<String>,
    /// No version before this one.
    #[serde(default)]
    minimum_version: Option<Version>,
    /// No version before one that has served here.
    #[serde(default = "yes")]
    never_older: bool,
    /// Whether an administrator may go back to the version that served before.
    #[serde(default = "yes")]
    rollback: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    signer: Vec<SignerSection>,
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    sigstore: Option<SigstoreSection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignerSection {
    name: String,
    key: Option<PathBuf>,
    issuer: Option<String>,
    identity: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigstoreSection {
    trusted_root: PathBuf,
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

/// The verification file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// A file cannot be read.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What stands in a file.
    #[error("{path}: {error}", path = .path.display())]
    In {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Self>,
    },
    /// A signer's key.
    #[error("the signer {0}: {1}")]
    Key(String, KeyError),
    /// A trusted root.
    #[error(transparent)]
    Root(#[from] RootError),
    /// What it says makes no sense.
    #[error("{0}")]
    Rule(String),
    /// It does not parse.
    #[error("line {line}, column {column}: {message}")]
    Toml {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// Why not.
        message: String,
    },
    /// It is no text.
    #[error("not UTF-8")]
    Utf8,
}

/// Why a plugin is not let in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Inadmissible {
    /// A signature's bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It calls itself otherwise than it was asked for.
    #[error("its manifest names it {0:?}, and it was offered as {1:?}")]
    Name(String, String),
    /// No rule of the verification file names it.
    #[error("no rule of the verification file names {0}")]
    NoRule(String),
    /// It is older than what has served here.
    #[error("version {version} is older than {than}, which has served here")]
    Older {
        /// Its version.
        version: Version,
        /// What has served.
        than: Version,
    },
    /// It is older than the operator allows.
    #[error("version {version} is older than {least}, the least that the verification file allows")]
    TooOld {
        /// Its version.
        version: Version,
        /// The least.
        least: Version,
    },
    /// Those who must sign did not; what was seen of each signature.
    #[error("it is not signed as the verification file wants it ({wanted}); {seen}")]
    Unsigned {
        /// Who should have signed.
        wanted: String,
        /// Who did, and what was wrong.
        seen: String,
    },
    /// Nobody said who may sign.
    #[error("there is no verification file, so nobody may sign plugins")]
    Unverified,
    /// Its version cannot be compared.
    #[error(
        "its version {0:?} is none (semantic versioning), and the verification file compares them"
    )]
    Version(String),
}

impl Verification {
    /// Reads the file; paths in it are taken from its folder.
    pub fn read(path: &Path) -> Result<Self, VerificationError> {
        let failed = |error| VerificationError::File { path: path.to_owned(), error };
        let text = files::read_bounded(path, LARGEST).map_err(failed)?;
        let text = String::from_utf8(text).map_err(|_| VerificationError::Utf8);
        let parsed =
            text.and_then(|text| Self::parse(&text, path.parent().unwrap_or(Path::new(""))));
        parsed.map_err(|error| match error {
            // It names another file, or this one.
            error @ VerificationError::File { .. } => error,
            error => VerificationError::In { path: path.to_owned(), error: Box::new(error) },
        })
    }

    /// Reads its text.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, VerificationError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let Misread { line, column, message } = Misread::of(text, &error);
            VerificationError::Toml { line, column, message }
        })?;
        let read = |path: &Path, largest: u64| {
            let path = folder.join(path);
            files::read_bounded(&path, largest)
                .map_err(|error| VerificationError::File { path, error })
        };
        let root = match &file.sigstore {
            None => None,
            Some(section) => {
                let largest = u64::try_from(sigstore::LARGEST_ROOT).unwrap_or(u64::MAX);
                Some(TrustedRoot::parse(&read(&section.trusted_root, largest)?)?)
            }
        };
        let mut signers = BTreeMap::new();
        for section in file.signer {
            let rule = |what: &str| {
                VerificationError::Rule(format!("the signer {}: {what}", section.name))
            };
            let signer = match (&section.key, &section.issuer, &section.identity) {
                (Some(key), None, None) => {
                    let key = VerifyingKey::read(&read(key, LARGEST_KEY)?);
                    Signer::Key(key.map_err(|e| VerificationError::Key(section.name.clone(), e))?)
                }
                (None, Some(issuer), Some(subject)) if root.is_some() => {
                    Signer::Identity(Identity { issuer: issuer.clone(), subject: subject.clone() })
                }
                (None, Some(_), Some(_)) => {
                    return Err(rule("an identity needs a trusted root in [sigstore]"));
                }
                _ => return Err(rule("either `key`, or `issuer` and `identity`")),
            };
            if signers.contains_key(&section.name) {
                return Err(rule("this name is taken"));
            }
            signers.insert(section.name, signer);
        }
        file.rule.iter().try_for_each(|rule| rule.check(&signers))?;
        Ok(Self { signers, root, rules: file.rule })
    }

    /// Lets a plugin in: the names of those who signed it. `served`: the latest version that has
    /// served under this name.
    pub fn admit(
        &self,
        manifest: &Manifest,
        package: &Package,
        served: Option<&Version>,
    ) -> Result<BTreeSet<String>, Inadmissible> {
        let name = &manifest.name;
        let mut rules = self.rules.iter().filter(|rule| rule.names(name)).peekable();
        if rules.peek().is_none() {
            return Err(Inadmissible::NoRule(name.clone()));
        }
        let (signed, seen) = self.signed(package)?;
        let digest = format!("sha256:{}", package.hex_digest());
        for rule in rules {
            if !rule.digests.contains(&digest) && !rule.satisfied(&signed) {
                let seen = match (signed.is_empty(), seen.is_empty()) {
                    (true, true) => "it has no signature".to_owned(),
                    (true, false) => format!("of its signatures: {}", seen.join("; ")),
                    (false, _) => format!("signed by {}", joined(&signed)),
                };
                return Err(Inadmissible::Unsigned { wanted: rule.wanted(), seen });
            }
            rule.recent(&manifest.version, served)?;
        }
        Ok(signed)
    }

    /// Whether an administrator may have the version before serve again.
    #[must_use]
    pub fn permits_rollback(&self, name: &str) -> bool {
        self.rules.iter().filter(|rule| rule.names(name)).all(|rule| rule.rollback)
    }

    /// Whether a version is one that rules still allow (apart from what has served).
    pub fn permits_version(&self, name: &str, version: &str) -> Result<(), Inadmissible> {
        let rules = self.rules.iter().filter(|rule| rule.names(name));
        rules
            .filter(|rule| rule.minimum_version.is_some())
            .try_for_each(|r| r.recent(version, None))
    }

    /// Who signed, and what is wrong with signatures that count for nobody.
    fn signed(&self, package: &Package) -> Result<(BTreeSet<String>, Vec<String>), Inadmissible> {
        let (digest, mut signed, mut seen) = (package.digest(), BTreeSet::new(), Vec::new());
        for signature in &package.signatures {
            let bundle = Bundle::parse(signature)?;
            let by =
                self.root.as_ref().map(|root| root.signer(&bundle, &package.component, &digest));
            let before = signed.len();
            for (name, signer) in &self.signers {
                let own = match (signer, &by) {
                    (Signer::Key(key), _) => key.signed(&bundle, &package.component, &digest),
                    (Signer::Identity(own), Some(Ok(by))) => own == by,
                    (Signer::Identity(_), _) => false,
                };
                if own {
                    signed.insert(name.clone());
                }
            }
            if signed.len() == before {
                seen.push(match by {
                    Some(Ok(by)) => format!("{} by {} is not listed", by.subject, by.issuer),
                    Some(Err(doubt)) if doubt != sigstore::Doubt::NoCertificate => {
                        doubt.to_string()
                    }
                    _ => "it is of no listed key, or of other bytes".to_owned(),
                });
            }
        }
        Ok((signed, seen))
    }
}

impl Rule {
    fn check(&self, signers: &BTreeMap<String, Signer>) -> Result<(), VerificationError> {
        let wrong = |what: String| {
            VerificationError::Rule(format!("the rule for {}: {what}", self.plugins.join(", ")))
        };
        if self.plugins.is_empty() {
            return Err(wrong("it names no plugin".to_owned()));
        }
        let named = self.all_of.iter().chain(&self.any_of);
        if let Some(unknown) = named.clone().find(|name| !signers.contains_key(*name)) {
            return Err(wrong(format!("there is no signer {unknown:?}")));
        }
        if self.all_of.is_empty() && self.any_of.is_empty() && self.digests.is_empty() {
            return Err(wrong("`all_of`, `any_of` or `digests` must name somebody".to_owned()));
        }
        if !self.any_of.is_empty() && !(1..=self.any_of.len()).contains(&self.minimum) {
            return Err(wrong("`minimum` is from 1 to as many as `any_of` has".to_owned()));
        }
        let is_digest = |digest: &&String| {
            let hex = digest.strip_prefix("sha256:").map(|hex| HEXLOWER.decode(hex.as_bytes()));
            matches!(hex, Some(Ok(bytes)) if bytes.len() == 32)
        };
        match self.digests.iter().find(|digest| !is_digest(digest)) {
            Some(digest) => Err(wrong(format!("{digest:?} is no sha256: digest"))),
            None => Ok(()),
        }
    }

    fn names(&self, name: &str) -> bool {
        self.plugins.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }

    fn satisfied(&self, signed: &BTreeSet<String>) -> bool {
        let some = self.any_of.is_empty()
            || self.any_of.intersection(signed).count() >= self.minimum.max(1);
        let named = !(self.all_of.is_empty() && self.any_of.is_empty());
        named && some && self.all_of.is_subset(signed)
    }

    fn recent(&self, version: &str, served: Option<&Version>) -> Result<(), Inadmissible> {
        let compares = self.minimum_version.is_some() || (self.never_older && served.is_some());
        if !compares {
            return Ok(());
        }
        let version =
            Version::parse(version).map_err(|_| Inadmissible::Version(version.to_owned()))?;
        if let Some(least) = self.minimum_version.as_ref().filter(|least| version < **least) {
            return Err(Inadmissible::TooOld { version, least: least.clone() });
        }
        match served.filter(|served| self.never_older && version < **served) {
            Some(than) => Err(Inadmissible::Older { version, than: than.clone() }),
            None => Ok(()),
        }
    }

    fn wanted(&self) -> String {
        let mut wanted = Vec::new();
        if !self.all_of.is_empty() {
            wanted.push(format!("by {}", joined(&self.all_of)));
        }
        if !self.any_of.is_empty() {
            wanted.push(format!("by {} of {}", self.minimum, joined(&self.any_of)));
        }
        if wanted.is_empty() {
            wanted.push("of a listed digest".to_owned());
        }
        wanted.join(", and ")
    }
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
