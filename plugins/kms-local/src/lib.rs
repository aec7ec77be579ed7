//! The embedded KMS: keys in the host's own sealed store. It decides which key and which version;
//! the host holds the material, and no byte of it comes in here.

mod keys;
mod kind;
mod record;

use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyManagement, KeyReference, KeyRelease, KeySummary, KeyVersions, NewKey,
    Released,
};

use record::{Record, Version};

claviger_plugin_sdk::manifest! {
    name: "kms-local",
    kind: "kms",
    imports: ["clock", "log", "material", "release-context", "sealed-keys", "sealed-store"],
    settings: {},
}
claviger_plugin_sdk::register_versioned_kms!(Local);

/// Keys on one page of a list. Each costs one call of the host.
const PAGE: u32 = 100;

struct Local;

impl KeyRelease for Local {
    fn release(key: KeyReference, _: &Context) -> Result<Released, Error> {
        let number = number(&key)?;
        let record = keys::find(&key.name)?.record;
        if !record.exportable {
            return Err(Error::Denied("the key is not exportable".into()));
        }
        let version = pick(&record, number)?;
        if !record.enabled || !version.enabled {
            return Err(Error::Disabled);
        }
        Ok(Released::Held(Held {
            media_type: kind::media_type(record.kind).into(),
            key: keys::open(&key.name, version.number)?,
            version: version.number.to_string(),
        }))
    }

    fn health() -> Result<(), Error> {
        keys::names(None, 1).map(drop)
    }
}

impl KeyManagement for Local {
    fn create(key: NewKey) -> Result<KeySummary, Error> {
        let kind = kind::parse(&key.kind)
            .ok_or_else(|| Error::Unsupported("there are no keys of that kind here".into()))?;
        let record = keys::create(&key.name, kind, key.exportable, key.key.as_ref())?;
        newest(&key.name, &record)
    }

    fn rotate(name: String) -> Result<KeySummary, Error> {
        newest(&name, &keys::rotate(&name, None)?)
    }

    fn list(cursor: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error> {
        let names = keys::names(cursor.as_deref(), PAGE)?;
        let full = usize::try_from(PAGE).is_ok_and(|page| names.len() == page);
        let next = names.last().filter(|_| full).cloned();
        let mut page = Vec::new();
        for name in names {
            match keys::find(&name) {
                Ok(stored) => page.push(newest(&name, &stored.record)?),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((page, next))
    }

    fn versions(name: String) -> Result<Vec<KeySummary>, Error> {
        let record = keys::find(&name)?.record;
        let versions = record.versions.iter();
        Ok(versions.map(|version| summary(&name, &record, version)).collect())
    }

    fn get(key: KeyReference) -> Result<KeySummary, Error> {
        let number = number(&key)?;
        let record = keys::find(&key.name)?.record;
        match number {
            None => newest(&key.name, &record),
            some => Ok(summary(&key.name, &record, pick(&record, some)?)),
        }
    }

    fn set_enabled(key: KeyReference, enabled: bool) -> Result<KeySummary, Error> {
        let number = number(&key)?;
        let record = keys::set_enabled(&key.name, number, enabled)?;
        match number {
            None => newest(&key.name, &record),
            some => Ok(summary(&key.name, &record, pick(&record, some)?)),
        }
    }

    fn delete(name: String) -> Result<(), Error> {
        keys::delete(&name)
    }
}

impl KeyVersions for Local {
    fn add(name: String, key: Secret) -> Result<KeySummary, Error> {
        newest(&name, &keys::rotate(&name, Some(&key))?)
    }

    fn open(key: KeyReference) -> Result<Secret, Error> {
        let number = number(&key)?;
        let record = keys::find(&key.name)?.record;
        if !record.exportable {
            return Err(Error::Denied("the key is not exportable".into()));
        }
        keys::open(&key.name, pick(&record, number)?.number)
    }
}

/// The version that was asked for, in its one spelling.
fn number(key: &KeyReference) -> Result<Option<u32>, Error> {
    let Some(text) = &key.version else {
        return Ok(None);
    };
    let number = text.parse::<u32>().ok();
    let number = number.filter(|number| number.to_string() == *text);
    number.map(Some).ok_or(Error::NotFound)
}

/// The version of that number, or the latest that is enabled.
fn pick(record: &Record, number: Option<u32>) -> Result<&Version, Error> {
    match number {
        Some(number) => {
            let mut versions = record.versions.iter();
            let version = versions.find(|version| version.number == number);
            version.ok_or(Error::NotFound)
        }
        None => record.latest().ok_or(Error::Disabled),
    }
}

/// What is known of the last version.
fn newest(name: &str, record: &Record) -> Result<KeySummary, Error> {
    let version = record.versions.last();
    let version = version.ok_or_else(|| Error::Unavailable("the key has no version".into()))?;
    Ok(summary(name, record, version))
}

fn summary(name: &str, record: &Record, version: &Version) -> KeySummary {
    KeySummary {
        name: name.into(),
        version: version.number.to_string(),
        kind: kind::name(record.kind),
        enabled: record.enabled && version.enabled,
        exportable: record.exportable,
        created: version.created,
        updated: version.updated,
    }
}
