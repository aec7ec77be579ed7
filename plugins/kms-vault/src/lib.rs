//! Keys of OpenBao and HashiCorp Vault: secrets of the KV engine, exportable keys of the transit
//! engine, or data keys that transit wraps. The host attaches the token and withholds the material;
//! neither comes in here.
#![forbid(unsafe_code)]

mod configuration;
mod record;
mod service;

use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyManagement, KeyReference, KeyRelease, KeySummary, NewKey, Released,
};

use configuration::{Configuration, Engine};
use record::{Record, Version};

claviger_plugin_sdk::manifest! {
    name: "kms-vault",
    kind: "kms",
    imports: ["clock", "http", "log", "material", "release-context", "sealed-store", "settings"],
    settings: {
        "address": "The server: https://vault.example:8200.",
        "engine": "kv-v2 (the default), kv-v1, transit-export or transit-datakey.",
        "mount": "Where the engine is mounted: secret or transit by default.",
        "path": "What stands before a key's name: claviger/{tenant}/ (KV) or claviger.{tenant}. by default.",
        "namespace": "The namespace of the mount.",
        "field": "KV: the field of the secret that is the key; value by default.",
        "encoding": "How the key is written: base64 (the default), base64url, hex, utf8 or raw.",
        "media-type": "What the key is: application/octet-stream by default.",
        "export": "transit-export: encryption-key (the default), signing-key or hmac-key.",
        "kek": "transit-datakey: the key that wraps the data keys; claviger by default.",
    },
}
claviger_plugin_sdk::register_managed_kms!(Vault);

/// Keys on one page of a list.
const PAGE: u32 = 100;

struct Vault;

impl KeyRelease for Vault {
    fn release(key: KeyReference, _: &Context) -> Result<Released, Error> {
        let of = Configuration::read()?;
        let record = record::find(&key.name)?.record;
        if !record.enabled {
            return Err(Error::Disabled);
        }
        let wanted = key.version.as_deref();
        let (key, version) = match of.engine {
            Engine::TransitDatakey => {
                let version = pick(&record, wanted)?;
                if !version.enabled {
                    return Err(Error::Disabled);
                }
                (service::unwrap(&of, &version.wrapped)?, version.number.to_string())
            }
            _ => {
                let fetched = service::fetch(&of, &key.name, wanted)?;
                (fetched.key, fetched.version)
            }
        };
        check_length(&record.kind, &key)?;
        Ok(Released::Held(Held { media_type: of.media_type, key, version }))
    }

    fn health() -> Result<(), Error> {
        service::health(&Configuration::read()?)
    }
}

impl KeyManagement for Vault {
    /// Puts a given key into the server, or makes a data key; or makes known a key that somebody put into
    /// the server, once it was fetched.
    fn create(key: NewKey) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        let bits = bits(&key.kind);
        if bits.is_none() && (of.engine == Engine::TransitDatakey || key.kind.starts_with("oct")) {
            return Err(Error::Unsupported("there are no keys of that kind here".into()));
        }
        let mut record = Record::new(key.kind, Vec::new());
        let version = match (&key.key, of.engine, bits) {
            (Some(given), engine, _) => {
                check_length(&record.kind, given)?;
                record::absent(&key.name)?;
                match engine {
                    Engine::TransitDatakey => {
                        record.add(service::wrap(&of, given)?)?;
                        "1".to_owned()
                    }
                    _ => service::put(&of, &key.name, given)?,
                }
            }
            (None, Engine::TransitDatakey, bits) => {
                let bits = bits.filter(|bits| matches!(bits, 128 | 256 | 512));
                let bits = bits.ok_or_else(|| {
                    Error::Unsupported("data keys are oct-128, oct-256 or oct-512".into())
                })?;
                record.add(service::data_key(&of, bits)?)?;
                "1".to_owned()
            }
            (None, _, _) => {
                let fetched = service::fetch(&of, &key.name, None)?;
                check_length(&record.kind, &fetched.key)?;
                fetched.version
            }
        };
        record::create(&key.name, &record)?;
        Ok(summary(&key.name, &record, version))
    }

    fn rotate(name: String) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        let stored = record::find(&name)?;
        if of.engine != Engine::TransitDatakey {
            let why =
                "the key is rotated where it lives; the latest version is released from then on";
            return Err(Error::Unsupported(why.into()));
        }
        let mut record = stored.record.clone();
        let bits = bits(&record.kind).ok_or_else(|| Error::Unsupported("not a data key".into()))?;
        record.add(service::data_key(&of, bits)?)?;
        record::change(&name, &stored, &record)?;
        newest(&name, &record, &of)
    }

    fn list(cursor: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error> {
        let names = record::names(cursor.as_deref(), PAGE)?;
        let full = usize::try_from(PAGE).is_ok_and(|page| names.len() == page);
        let next = names.last().filter(|_| full).cloned();
        let mut page = Vec::new();
        for name in names {
            match record::find(&name) {
                // The server is not asked for each: the version is the one that is known here.
                Ok(stored) => page.push(summary(&name, &stored.record, known(&stored.record))),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((page, next))
    }

    fn versions(name: String) -> Result<Vec<KeySummary>, Error> {
        let of = Configuration::read()?;
        let record = record::find(&name)?.record;
        if of.engine != Engine::TransitDatakey {
            return Ok(vec![newest(&name, &record, &of)?]);
        }
        let versions = record.versions.iter();
        Ok(versions.map(|version| of_version(&name, &record, version)).collect())
    }

    fn get(key: KeyReference) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        let record = record::find(&key.name)?.record;
        match (&key.version, of.engine) {
            (None, _) => newest(&key.name, &record, &of),
            (Some(wanted), Engine::TransitDatakey) => {
                Ok(of_version(&key.name, &record, pick(&record, Some(wanted))?))
            }
            (Some(wanted), _) => {
                let fetched = service::fetch(&of, &key.name, Some(wanted))?;
                Ok(summary(&key.name, &record, fetched.version))
            }
        }
    }

    fn set_enabled(key: KeyReference, enabled: bool) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        let stored = record::find(&key.name)?;
        let mut record = stored.record.clone();
        match &key.version {
            None => record.enabled = enabled,
            Some(_) if of.engine != Engine::TransitDatakey => {
                let why = "versions are disabled where the key lives";
                return Err(Error::Unsupported(why.into()));
            }
            Some(wanted) => {
                let number = pick(&record, Some(wanted))?.number;
                let mut versions = record.versions.iter_mut();
                let version = versions.find(|version| version.number == number);
                version.ok_or(Error::NotFound)?.enabled = enabled;
            }
        }
        record.updated = claviger_plugin_sdk::kms::clock::now();
        record::change(&key.name, &stored, &record)?;
        Ok(summary(&key.name, &record, key.version.unwrap_or_else(|| known(&record))))
    }

    /// The key is not known here any more; what the server has of it stays.
    fn delete(name: String) -> Result<(), Error> {
        record::delete(&name)
    }
}

/// The version of a data key that is wanted, or the latest that is enabled.
fn pick<'a>(record: &'a Record, wanted: Option<&str>) -> Result<&'a Version, Error> {
    let mut versions = record.versions.iter().rev();
    let found = match wanted {
        Some(wanted) => versions.find(|version| version.number.to_string() == wanted),
        None => versions.clone().find(|version| version.enabled).or_else(|| versions.next()),
    };
    found.ok_or(Error::NotFound)
}

/// The bits of `oct-256`.
fn bits(kind: &str) -> Option<u32> {
    let bits: u32 = kind.strip_prefix("oct-")?.parse().ok()?;
    (kind == format!("oct-{bits}") && bits.is_multiple_of(8) && (128..=65_536).contains(&bits))
        .then_some(bits)
}

/// Symmetric keys are as long as their kind says; of others the host cannot look inside.
fn check_length(kind: &str, key: &Secret) -> Result<(), Error> {
    match bits(kind) {
        Some(bits) if key.length() != bits / 8 => {
            Err(Error::Malformed(format!("the stored key is not of the kind {kind}")))
        }
        _ => Ok(()),
    }
}

fn newest(name: &str, record: &Record, of: &Configuration) -> Result<KeySummary, Error> {
    Ok(match of.engine {
        Engine::TransitDatakey => of_version(name, record, pick(record, None)?),
        _ => summary(name, record, service::fetch(of, name, None)?.version),
    })
}

fn known(record: &Record) -> String {
    let last = record.versions.last();
    last.map_or_else(|| "latest".to_owned(), |version| version.number.to_string())
}

fn of_version(name: &str, record: &Record, version: &Version) -> KeySummary {
    let mut summary = summary(name, record, version.number.to_string());
    summary.enabled &= version.enabled;
    summary.created = version.created;
    summary
}

fn summary(name: &str, record: &Record, version: String) -> KeySummary {
    KeySummary {
        name: name.to_owned(),
        version,
        kind: record.kind.clone(),
        enabled: record.enabled,
        exportable: true,
        created: record.created,
        updated: record.updated,
    }
}
