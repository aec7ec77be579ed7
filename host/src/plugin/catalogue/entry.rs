//! What is told of a plugin: one line for each version that is loaded, and for what was refused.

use serde::Serialize;

use super::{Plugins, Slot, Version};
use crate::plugin::manifest::{Kind, Manifest};

/// What is told of a version of a plugin.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The name under which it is loaded.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// The plugin's own version.
    pub version: String,
    /// SHA-256 of the component, in lower-case hexadecimal.
    pub digest: String,
    /// What its manifest says that it imports; a component that imports more is not admitted.
    pub imports: Vec<String>,
    /// Whether the operator let it read the bytes of key material.
    pub reads_key_material: bool,
    /// Where it came from.
    pub source: Source,
    /// Who signed it, as the verification file calls them.
    pub signers: Vec<String>,
    /// Whether it serves.
    #[serde(flatten)]
    pub state: State,
}

/// Where a plugin came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The binary.
    Bundled,
    /// The drop-in directory.
    Directory,
    /// A file that the operator named; it goes before a bundled plugin of the same name.
    File,
    /// An administrator, over the API.
    Installed,
}

impl Source {
    /// Its name in lists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bundled => "bundled",
            Self::Directory => "directory",
            Self::File => "file",
            Self::Installed => "installed",
        }
    }
}

/// Whether a plugin serves.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum State {
    /// It is loaded and checked, and no request is handed to it: a connector that is not the one
    /// that holds the keys, or a version that served before and is kept for a rollback.
    Checked,
    /// It served before, and requests that began with it are still in flight.
    Draining,
    /// It was not let in; why.
    Refused(String),
    /// It serves.
    Serving,
}

impl State {
    /// Its name in lists.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::Draining => "draining",
            Self::Refused(_) => "refused",
            Self::Serving => "serving",
        }
    }
}

impl Entry {
    /// A component that was not let in under this name, as far as its manifest is known.
    #[must_use]
    pub fn refused(
        name: &str,
        manifest: &Manifest,
        digest: &str,
        source: Source,
        why: String,
    ) -> Self {
        Self {
            name: name.to_owned(),
            kind: manifest.kind,
            version: manifest.version.clone(),
            digest: digest.to_owned(),
            imports: manifest.imports.clone(),
            reads_key_material: false,
            source,
            signers: Vec::new(),
            state: State::Refused(why),
        }
    }
}

impl Plugins {
    /// What there is, by name: what serves, what served before, what was refused.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.slots.iter().flat_map(|(name, slot)| slot.entries(name == self.kms()))
    }
}

impl Slot {
    fn entries(&self, chosen: bool) -> impl Iterator<Item = Entry> {
        let serving = self.serving.as_ref().map(|version| {
            let idle = version.plugin.kind() == Kind::Kms && !chosen;
            version.entry(if idle { State::Checked } else { State::Serving })
        });
        let before = self.before.as_ref().map(|version| {
            // Beside the one here, whoever holds it is a request, or the plugins that a request
            // began with.
            let held = version.plugin.holders() > 1;
            version.entry(if held { State::Draining } else { State::Checked })
        });
        serving.into_iter().chain(before).chain(self.refused.clone())
    }
}

impl Version {
    fn entry(&self, state: State) -> Entry {
        let manifest = self.plugin.manifest();
        Entry {
            name: self.plugin.name().to_owned(),
            kind: manifest.kind,
            version: manifest.version.clone(),
            digest: self.plugin.digest().to_owned(),
            imports: manifest.imports.clone(),
            reads_key_material: self.plugin.reads_key_material(),
            source: self.source,
            signers: self.signers.clone(),
            state,
        }
    }
}
