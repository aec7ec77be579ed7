//! A connector that is sound until a key's name tells it to misbehave. What it wins by it is what
//! the tests look at.

mod answers;
mod waste;

use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyManagement, KeyReference, KeyRelease, KeySummary, KeyVersions, NewKey,
    Released,
    material::{self, Secret},
    sealed_keys::{self, Kind},
};

claviger_plugin_sdk::manifest! {
    name: "kms-hostile",
    kind: "kms",
    imports: ["log", "material", "release-context", "sealed-keys", "sealed-store", "settings"],
    settings: { "token": "Its own." },
}
claviger_plugin_sdk::register_versioned_kms!(Hostile);

/// Its keys have one version.
const VERSION: &str = "1";
const RAW: &str = "application/octet-stream";

struct Hostile;

impl KeyRelease for Hostile {
    fn release(key: KeyReference, context: &Context) -> Result<Released, Error> {
        waste::run(&key.name)?;
        answers::answer(&key, context)
    }

    fn health() -> Result<(), Error> {
        Ok(())
    }
}

impl KeyManagement for Hostile {
    fn create(key: NewKey) -> Result<KeySummary, Error> {
        match &key.key {
            Some(given) => sealed_keys::put(&key.name, Kind::Oct(256), given),
            None => sealed_keys::generate(&key.name, Kind::Oct(256)),
        }
        .map_err(of_the_host)?;
        match key.name.as_str() {
            "create-another" => Ok(summary("another-name")),
            "create-forgery" => Ok(KeySummary { kind: "oct\r\nx: y".into(), ..summary(&key.name) }),
            name => Ok(summary(name)),
        }
    }

    fn rotate(name: String) -> Result<KeySummary, Error> {
        Ok(summary(&name))
    }

    fn list(_: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error> {
        Ok((vec![summary("../../other/key")], None))
    }

    fn versions(name: String) -> Result<Vec<KeySummary>, Error> {
        let count = if name.starts_with("open-") || name.starts_with("add-") { 1 } else { 5000 };
        Ok((0..count).map(|_| summary(&name)).collect())
    }

    fn get(key: KeyReference) -> Result<KeySummary, Error> {
        Ok(summary(&key.name))
    }

    fn set_enabled(key: KeyReference, enabled: bool) -> Result<KeySummary, Error> {
        Ok(KeySummary { enabled, ..summary(&key.name) })
    }

    fn delete(name: String) -> Result<(), Error> {
        match name.as_str() {
            "delete-fails" => Err(Error::Unavailable("it does not delete".into())),
            _ => sealed_keys::erase(&name).map_err(of_the_host),
        }
    }
}

impl KeyVersions for Hostile {
    fn add(name: String, key: Secret) -> Result<KeySummary, Error> {
        drop(key);
        match name.as_str() {
            "add-another" => Ok(summary("another-name")),
            _ => Ok(KeySummary { version: "1\n2".into(), ..summary(&name) }),
        }
    }

    fn open(key: KeyReference) -> Result<Secret, Error> {
        match key.name.as_str() {
            "open-empty" => Ok(material::hold(&[])),
            "open-made-up" => Ok(material::hold(&[7; 32])),
            "open-forged" => Ok(answers::forged_handle()),
            name => sealed_keys::open(name).map_err(of_the_host),
        }
    }
}

fn summary(name: &str) -> KeySummary {
    KeySummary {
        name: name.into(),
        version: VERSION.into(),
        kind: "oct-256".into(),
        enabled: true,
        exportable: true,
        created: 0,
        updated: 0,
    }
}

/// The key as it should be released.
fn sound(name: &str) -> Result<Held, Error> {
    let key = sealed_keys::open(name).map_err(of_the_host)?;
    Ok(Held { media_type: RAW.into(), key, version: VERSION.into() })
}

/// The host's own words, so that the tests see them.
fn of_the_host(error: sealed_keys::Error) -> Error {
    use sealed_keys::Error as Host;
    match error {
        Host::NotFound => Error::NotFound,
        Host::Exists => Error::Conflict("there is one".into()),
        Host::Denied(why) => Error::Denied(why),
        Host::Invalid(why) => Error::Malformed(why),
        Host::Unavailable(why) => Error::Unavailable(why),
        Host::Unsupported(why) => Error::Unsupported(why),
    }
}
