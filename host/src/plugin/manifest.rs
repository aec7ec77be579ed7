//! What a plugin says about itself: JSON in the custom section `claviger:manifest` of the component
//! or of a module inside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The section's name.
pub(super) const SECTION: &str = "claviger:manifest";

/// The largest manifest that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// Modules and components inside each other, deeper than this, are not looked into.
const MAX_DEPTH: u32 = 4;

/// A plugin's manifest. Nothing in it is trusted: it tells the operator what the plugin wants.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `verifier-acme`.
    pub name: String,
    /// What it exports.
    pub kind: Kind,
    /// The plugin's own version.
    pub version: String,
    /// One line for a person.
    #[serde(default)]
    pub description: String,
    /// The interfaces that it wants to import: `log`, `http`.
    pub imports: Vec<String>,
    /// The sets of trust anchors that a verifier names.
    #[serde(default)]
    pub anchors: Vec<String>,
    /// What `settings.get` knows.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
}

/// What a manifest says of a setting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Setting {
    /// One line of help; any text is a value.
    Help(String),
    /// Help, and what a value must be.
    Described(SettingRule),
}

/// What a value must be.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SettingRule {
    /// One line for a person.
    pub help: String,
    /// What it is.
    #[serde(default, rename = "type")]
    pub kind: SettingKind,
    /// Whether there must be one.
    #[serde(default)]
    pub required: bool,
    /// The only values that there are; any where empty.
    #[serde(default)]
    pub one_of: Vec<String>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// Anything.
    #[default]
    Text,
}

/// Why the operator's values are not those that a plugin knows.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingFault {
    /// One that it needs is not there.
    #[error("its setting {0:?} is missing")]
    Missing(String),
    /// One that it does not know.
    #[error("its manifest names no setting {0:?}")]
    Unknown(String),
    /// One that is not what the manifest wants.
    #[error("its setting {name:?} is not {wanted}")]
    Value {
        /// Which.
        name: String,
        /// What it must be.
        wanted: String,
    },
}

impl Setting {
    /// One line for a person.
    #[must_use]
    pub fn help(&self) -> &str {
        match self {
            Self::Help(help) => help,
            Self::Described(rule) => &rule.help,
        }
    }

    fn check(&self, name: &str, value: &str) -> Result<(), SettingFault> {
        let Self::Described(rule) = self else { return Ok(()) };
        let wanted = match rule.kind {
            SettingKind::Boolean if !matches!(value, "true" | "false") => {
                "true or false".to_owned()
            }
            SettingKind::Integer if value.parse::<i64>().is_err() => "a whole number".to_owned(),
            _ if !rule.one_of.is_empty() && !rule.one_of.iter().any(|one| one == value) => {
                format!("one of {}", rule.one_of.join(", "))
            }
            _ => return Ok(()),
        };
        Err(SettingFault::Value { name: name.to_owned(), wanted })
    }
}

/// What a plugin is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Reaches a key management service.
    Kms,
    /// Reads evidence.
    Verifier,
}

impl Kind {
    /// The name in manifests, lists and configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Verifier => "verifier",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManifestError {
    /// The section's JSON does not parse, or has members that are unknown.
    #[error("its manifest is malformed: {0}")]
    Malformed(String),
    /// There are two, so it is not clear which one counts.
    #[error("it has more than one manifest")]
    Many,
    /// There is none.
    #[error("it has no manifest (custom section `{SECTION}`)")]
    Missing,
}

impl Manifest {
    /// Holds the operator's values against what the manifest says of them.
    pub fn check_settings(&self, values: &BTreeMap<String, String>) -> Result<(), SettingFault> {
        for (name, value) in values {
            let setting = self.settings.get(name);
            setting.ok_or_else(|| SettingFault::Unknown(name.clone()))?.check(name, value)?;
        }
        let missing = |(name, setting): &(&String, &Setting)| {
            matches!(setting, Setting::Described(rule) if rule.required)
                && !values.contains_key(*name)
        };
        match self.settings.iter().find(missing) {
            Some((name, _)) => Err(SettingFault::Missing(name.clone())),
            None => Ok(()),
        }
    }

    /// Reads the manifest of a component.
    pub fn read(component: &[u8]) -> Result<Self, ManifestError> {
        let mut found = Vec::new();
        collect(component, MAX_DEPTH, &mut found);
        match found.as_slice() {
            [] => Err(ManifestError::Missing),
            [json] if json.len() <= MAX_BYTES => {
                serde_json::from_slice(json).map_err(|e| ManifestError::Malformed(e.to_string()))
            }
            [json] => Err(ManifestError::Malformed(format!("{} bytes", json.len()))),
            _ => Err(ManifestError::Many),
        }
    }
}

/// Collects the manifests of a module or component and of those nested in it. Walks the sections
/// only (WebAssembly core specification, 5.5.2; component model, Binary.md); whether the rest is
/// valid, the engine says.
fn collect<'a>(binary: &'a [u8], depth: u32, found: &mut Vec<&'a [u8]>) {
    const CUSTOM: u8 = 0;
    // In a component's layer, nested modules and components are sections 1 and 4.
    const NESTED: [u8; 2] = [1, 4];

    let Some((header, mut rest)) = binary.split_at_checked(8) else {
        return;
    };
    let is_component = header.get(6..) == Some(&[1, 0]);
    while let Some((&id, after)) = rest.split_first() {
        let Some((size, after)) = leb128(after) else {
            return;
        };
        let Some((section, after)) = after.split_at_checked(size) else {
            return;
        };
        if id == CUSTOM {
            found.extend(named(section));
        } else if is_component && NESTED.contains(&id) && depth > 0 {
            collect(section, depth - 1, found);
        }
        rest = after;
    }
}

/// The content of a custom section, if it is a manifest.
fn named(section: &[u8]) -> Option<&[u8]> {
    let (length, rest) = leb128(section)?;
    let (name, content) = rest.split_at_checked(length)?;
    (name == SECTION.as_bytes()).then_some(content)
}

/// An unsigned LEB128 number of at most 32 bits, and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"name":"x","kind":"verifier","version":"1","imports":["log"]}"#;

    fn custom(json: &str) -> Vec<u8> {
        let mut section = vec![u8::try_from(SECTION.len()).unwrap()];
        section.extend(SECTION.bytes());
        section.extend(json.bytes());
        let mut bytes = vec![0];
        bytes.push(u8::try_from(section.len() & 0x7f).unwrap() | 0x80);
        bytes.push(u8::try_from(section.len() >> 7).unwrap());
        bytes.extend(section);
        bytes
    }

    fn module(sections: &[u8]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0", sections].concat()
    }

    fn component(nested: &[u8]) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0\x01".to_vec();
        bytes.push(u8::try_from(nested.len() & 0x7f).unwrap() | 0x80);
        bytes.push(u8::try_from(nested.len() >> 7).unwrap());
        bytes.extend(nested);
        bytes
    }

    #[test]
    fn a_manifest_is_found_in_a_nested_module() {
        let manifest = Manifest::read(&component(&module(&custom(JSON)))).unwrap();
        assert_eq!(manifest.name, "x");
        assert_eq!(manifest.kind, Kind::Verifier);
        assert_eq!(manifest.imports, ["log"]);
    }

    #[test]
    fn values_are_held_against_what_the_manifest_says_of_them() {
        let json = JSON.replace(
            "\"imports\"",
            r#""settings":{"free":"Any.","count":{"help":"How many.","type":"integer","required":true},
                "mode":{"help":"How.","one-of":["a","b"]},"on":{"help":"If.","type":"boolean"}},"imports""#,
        );
        let manifest = Manifest::read(&module(&custom(&json.replace('\n', " ")))).unwrap();
        let check = |values: &[(&str, &str)]| {
            let values = values.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            manifest.check_settings(&values.collect()).map_err(|fault| fault.to_string())
        };
        let count = ("count", "-3");
        assert_eq!(check(&[count, ("free", "\u{1b}"), ("mode", "b"), ("on", "false")]), Ok(()));
        for (values, why) in [
            (&[count, ("cuont", "3")][..], "names no setting \"cuont\""),
            (&[], "\"count\" is missing"),
            (&[("count", "3.5")], "\"count\" is not a whole number"),
            (&[count, ("on", "yes")], "\"on\" is not true or false"),
            (&[count, ("mode", "c")], "\"mode\" is not one of a, b"),
        ] {
            let refused = check(values).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn none_two_and_unknown_members_are_refused() {
        let none = component(&module(&[]));
        assert!(matches!(Manifest::read(&none), Err(ManifestError::Missing)));
        let two = module(&[custom(JSON), custom(JSON)].concat());
        assert!(matches!(Manifest::read(&two), Err(ManifestError::Many)));
        let more = module(&custom(&JSON.replace("\"name\"", "\"grant\":\"all\",\"name\"")));
        assert!(matches!(Manifest::read(&more), Err(ManifestError::Malformed(_))));
    }

    #[test]
    fn every_truncation_is_read_without_a_panic() {
        let whole = component(&module(&custom(JSON)));
        for length in 0..whole.len() {
            assert!(Manifest::read(&whole[..length]).is_err());
        }
    }
}
