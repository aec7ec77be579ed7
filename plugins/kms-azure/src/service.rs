//! Key Vault's REST API (learn.microsoft.com: Key Vault REST), as far as keys are fetched with it.

use claviger_plugin_sdk::kms::Error;
use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::rest::{self, Answer};

use crate::configuration::{Configuration, Source};

/// A secret as it came.
pub(crate) struct Fetched {
    pub(crate) key: Secret,
    pub(crate) version: String,
}

/// What the vault tells of a key or a secret.
pub(crate) struct Known {
    pub(crate) version: String,
    pub(crate) enabled: bool,
}

/// `GET /secrets/{name}/{version}`.
pub(crate) fn secret(
    of: &Configuration,
    name: &str,
    version: Option<&str>,
) -> Result<Fetched, Error> {
    let mut answer = get(of, "secrets", name, version)?;
    if answer.at(&["attributes", "enabled"]) == Some(&claviger_plugin_sdk::json::Value::Flag(false))
    {
        return Err(Error::Disabled);
    }
    let version = identified(answer.text(&["id"]), "secrets", name)?;
    let key = answer.take("/value")?.decode(of.encoding).map_err(|_| {
        Error::Malformed("what is stored under that name is not written as `encoding` says".into())
    })?;
    Ok(Fetched { key, version })
}

/// What is there under a name, without its material.
pub(crate) fn known(of: &Configuration, name: &str, version: Option<&str>) -> Result<Known, Error> {
    let (collection, id): (_, &[&str]) = match of.source {
        Source::Release => ("keys", &["key", "kid"]),
        Source::Secret => ("secrets", &["id"]),
    };
    let answer = get(of, collection, name, version)?;
    let version = identified(answer.text(id), collection, name)?;
    let disabled = claviger_plugin_sdk::json::Value::Flag(false);
    let enabled = answer.at(&["attributes", "enabled"]) != Some(&disabled);
    Ok(Known { version, enabled })
}

/// What the vault tells of what it made.
pub(crate) fn made(
    answer: &Answer,
    collection: &str,
    id: &[&str],
    name: &str,
) -> Result<Known, Error> {
    if !answer.is_success() {
        return Err(failure(answer));
    }
    let version = identified(answer.text(id), collection, name)?;
    Ok(Known { version, enabled: true })
}

/// Reaches the vault without touching a key: what it answers to a name that nobody has.
pub(crate) fn health(of: &Configuration) -> Result<(), Error> {
    let collection = match of.source {
        Source::Release => "keys",
        Source::Secret => "secrets",
    };
    let name = format!("{}claviger-health", of.prefix);
    match get(of, collection, &name, None) {
        Ok(_) | Err(Error::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) fn url(of: &Configuration, path: &str) -> String {
    format!("{}/{path}?api-version={}", of.vault, of.api_version)
}

fn get(
    of: &Configuration,
    collection: &str,
    name: &str,
    version: Option<&str>,
) -> Result<Answer, Error> {
    let at = version.map_or_else(String::new, |version| format!("/{version}"));
    let answer = rest::send("GET", url(of, &format!("{collection}/{name}{at}")), &[], None)?;
    match answer.is_success() {
        true => Ok(answer),
        false => Err(failure(&answer)),
    }
}

/// The version at the end of an identifier, which must be one of this name.
fn identified(id: Option<&str>, collection: &str, name: &str) -> Result<String, Error> {
    let (place, version) = id.and_then(|id| id.rsplit_once('/')).unwrap_or_default();
    match place.ends_with(&format!("/{collection}/{name}")) {
        true => Ok(version.to_owned()),
        false => Err(Error::Unavailable("its answer is of another key".into())),
    }
}

/// What the vault's statuses mean; of its words only the codes are looked at.
pub(crate) fn failure(answer: &Answer) -> Error {
    let inner = answer.text(&["error", "innererror", "code"]).unwrap_or_default();
    match (answer.status, inner) {
        (403, "KeyDisabled" | "SecretDisabled") => Error::Disabled,
        (403, "ForbiddenByPolicy" | "ForbiddenByRbac" | "AccessDenied") => {
            Error::Denied("the host's identity lacks the permission (status 403)".into())
        }
        (400, _) => Error::Malformed("the vault finds the request malformed (status 400)".into()),
        _ => answer.failure(),
    }
}
