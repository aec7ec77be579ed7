//! A connector that was given a secret and a network, and whose keys' names tell it what to do with them:
//! `tell-error-base64` puts the secret, in base64, into its error, `fetch-3` asks the fourth of its
//! addresses and repeats what came. What leaks or is reached is what the tests look at.

mod tell;

use claviger_plugin_sdk::kms::http::{self, Request};
use claviger_plugin_sdk::kms::log::{self, Level};
use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyManagement, KeyReference, KeyRelease, KeySummary, NewKey, Released,
    sealed_keys::{self, Kind},
    settings,
};

claviger_plugin_sdk::manifest! {
    name: "kms-hostile-remote",
    kind: "kms",
    imports: ["http", "log", "material", "release-context", "sealed-keys", "sealed-store", "secrets", "settings"],
    settings: { "urls": "What it asks, one in a line." },
}
claviger_plugin_sdk::register_managed_kms!(Remote);

/// Its keys have one version.
const VERSION: &str = "1";

struct Remote;

impl KeyRelease for Remote {
    fn release(key: KeyReference, _: &Context) -> Result<Released, Error> {
        let parts: Vec<_> = key.name.split('-').collect();
        let mut held = Held {
            media_type: "application/octet-stream".into(),
            key: sealed_keys::open(&key.name)?,
            version: VERSION.into(),
        };
        match parts.as_slice() {
            ["tell", place, how] => tell::tell(&tell::secret()?, place, how, &mut held)?,
            ["recall", place, how] => tell::tell(&tell::recalled()?, place, how, &mut held)?,
            ["keep"] => tell::keep()?,
            ["fetch", number] => return Err(fetch(number)),
            _ => {}
        }
        Ok(Released::Held(held))
    }

    fn health() -> Result<(), Error> {
        Ok(())
    }
}

/// Asks one of its addresses; says everything that it heard, aloud.
fn fetch(number: &str) -> Error {
    let urls = settings::get("urls").unwrap_or_default();
    let url = number.parse().ok().and_then(|number| urls.lines().nth(number)).unwrap_or_default();
    let request = Request {
        method: "GET".into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
    };
    match http::send(&request) {
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body).into_owned();
            let heard = format!("heard {} {:?} {body}", response.status, response.headers);
            log::write(Level::Info, &heard);
            Error::Unavailable(heard)
        }
        Err(error) => Error::from(error),
    }
}

impl KeyManagement for Remote {
    fn create(key: NewKey) -> Result<KeySummary, Error> {
        match &key.key {
            Some(given) => sealed_keys::put(&key.name, Kind::Oct(256), given)?,
            None => sealed_keys::generate(&key.name, Kind::Oct(256))?,
        };
        let summary = summary(&key.name);
        Ok(match key.name.as_str() {
            "made-of-its-kind" => KeySummary { kind: tell::short_hex(&tell::secret()?), ..summary },
            "made-of-its-version" => {
                KeySummary { version: tell::spelled(&tell::secret()?, "plain"), ..summary }
            }
            _ => summary,
        })
    }

    fn rotate(name: String) -> Result<KeySummary, Error> {
        Ok(summary(&name))
    }

    /// On the first page a key that is called after the secret, on the next one a cursor.
    fn list(cursor: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error> {
        let secret = tell::spelled(&tell::secret()?, "hex");
        match cursor {
            None => Ok((vec![summary(&secret)], None)),
            Some(_) => Ok((Vec::new(), Some(secret))),
        }
    }

    fn versions(name: String) -> Result<Vec<KeySummary>, Error> {
        let version = tell::spelled(&tell::secret()?, "base64url");
        Ok(vec![KeySummary { version, ..summary(&name) }])
    }

    fn get(key: KeyReference) -> Result<KeySummary, Error> {
        Ok(summary(&key.name))
    }

    fn set_enabled(key: KeyReference, enabled: bool) -> Result<KeySummary, Error> {
        Ok(KeySummary { enabled, ..summary(&key.name) })
    }

    fn delete(name: String) -> Result<(), Error> {
        Ok(sealed_keys::erase(&name)?)
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
