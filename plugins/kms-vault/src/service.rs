//! Vault's HTTP API, as far as keys are fetched with it (developer.hashicorp.com/vault/api-docs,
//! openbao.org/api-docs: `secret/kv`, `secret/transit`, `system/health`).

use claviger_plugin_sdk::kms::Error;
use claviger_plugin_sdk::kms::http::Form;
use claviger_plugin_sdk::kms::material::{Encoding, Secret};
use claviger_plugin_sdk::rest::{self, Answer};
use claviger_plugin_sdk::setting;

use crate::configuration::{Configuration, Engine};

/// The version of what has none.
pub(crate) const UNVERSIONED: &str = "unversioned";

/// A key as it came.
pub(crate) struct Fetched {
    pub(crate) key: Secret,
    pub(crate) version: String,
}

/// Fetches a key of the engines in which others put them.
pub(crate) fn fetch(
    of: &Configuration,
    name: &str,
    version: Option<&str>,
) -> Result<Fetched, Error> {
    match of.engine {
        Engine::KvV1 => kv_v1(of, name, version),
        Engine::KvV2 => kv_v2(of, name, version),
        Engine::TransitExport => export(of, name, version),
        Engine::TransitDatakey => Err(Error::Unsupported("data keys come by their record".into())),
    }
}

/// `GET /v1/{mount}/{path}`.
fn kv_v1(of: &Configuration, name: &str, version: Option<&str>) -> Result<Fetched, Error> {
    if version.is_some_and(|version| version != UNVERSIONED) {
        return Err(Error::NotFound);
    }
    let mut answer = get(of, &of.place(name))?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    let key = decode(answer.take(&format!("/data/{}", of.field))?, of.encoding)?;
    Ok(Fetched { key, version: UNVERSIONED.into() })
}

/// `GET /v1/{mount}/data/{path}?version=…`.
fn kv_v2(of: &Configuration, name: &str, version: Option<&str>) -> Result<Fetched, Error> {
    let query = match version {
        None => String::new(),
        Some(version) => format!("?version={}", number(version)?),
    };
    let mut answer = get(of, &format!("data/{}{query}", of.place(name)))?;
    let metadata = ["data", "metadata"];
    // A version that was deleted or destroyed is answered with 404 and its metadata.
    if answer.status == 404 && answer.at(&metadata).is_some() {
        return Err(Error::Disabled);
    }
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    let found = answer.number(&["data", "metadata", "version"]).ok_or_else(|| {
        Error::Misconfigured("the mount does not answer like the KV engine, version 2".into())
    })?;
    let key = decode(answer.take(&format!("/data/data/{}", of.field))?, of.encoding)?;
    Ok(Fetched { key, version: found.to_string() })
}

/// `GET /v1/{mount}/export/{type}/{name}/{version}`.
fn export(of: &Configuration, name: &str, version: Option<&str>) -> Result<Fetched, Error> {
    let wanted = match version {
        None => "latest".to_owned(),
        Some(version) => number(version)?.to_string(),
    };
    let place = of.place(name);
    let mut answer = get(of, &format!("export/{}/{place}/{wanted}", of.export))?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    let pointers: Vec<_> = answer.withheld().map(str::to_owned).collect();
    let mut found = pointers.iter().filter_map(|pointer| {
        let version = pointer.strip_prefix("/data/keys/")?;
        Some((pointer, version.to_owned()))
    });
    let (Some((pointer, version)), None) = (found.next(), found.next()) else {
        return Err(match answer.at(&["data", "keys"]) {
            Some(_) => Error::Misconfigured("the grant does not withhold /data/keys/*".into()),
            None => Error::Malformed("the answer has not one key".into()),
        });
    };
    let key = decode(answer.take(pointer)?, of.encoding)?;
    Ok(Fetched { key, version })
}

/// Puts a key under a name under which there must be none, and tells its version: `POST
/// /v1/{mount}/data/{path}` of KV version 2, which takes care of that itself (`cas`), `POST
/// /v1/{mount}/{path}` of version 1, which does not.
pub(crate) fn put(of: &Configuration, name: &str, key: &Secret) -> Result<String, Error> {
    let (place, form) = (of.place(name), setting::form(of.encoding)?);
    match of.engine {
        Engine::KvV2 => {
            let before = format!(r#"{{"options":{{"cas":0}},"data":{{"{}":""#, of.field);
            let body = (before.as_str(), form, key, "\"}}");
            let url = url(of, &format!("data/{place}"));
            let answer = rest::send_key("POST", url, &namespace(of), body)?;
            match (answer.is_success(), answer.number(&["data", "version"])) {
                (true, Some(version)) => Ok(version.to_string()),
                (true, None) => Err(Error::Misconfigured(
                    "the mount does not answer like the KV engine, version 2".into(),
                )),
                // What it says where the version is not the one that was expected.
                (false, _) if answer.status == 400 => {
                    Err(Error::Conflict("there is a secret of that name on the server".into()))
                }
                (false, _) => Err(failure(&answer)),
            }
        }
        Engine::KvV1 => {
            match get(of, &place)? {
                answer if answer.is_success() => {
                    let why = "there is a secret of that name on the server";
                    return Err(Error::Conflict(why.into()));
                }
                answer if answer.status == 404 => {}
                answer => return Err(failure(&answer)),
            }
            let before = format!(r#"{{"{}":""#, of.field);
            let body = (before.as_str(), form, key, "\"}");
            let answer = rest::send_key("POST", url(of, &place), &namespace(of), body)?;
            match answer.is_success() {
                true => Ok(UNVERSIONED.into()),
                false => Err(failure(&answer)),
            }
        }
        Engine::TransitExport | Engine::TransitDatakey => Err(Error::Unsupported(
            "the transit engine takes keys in only where they are wrapped to its own; put it there \
             and name it"
                .into(),
        )),
    }
}

/// A given key as a data key: wrapped by the server (`POST /v1/{mount}/encrypt/{kek}`).
pub(crate) fn wrap(of: &Configuration, key: &Secret) -> Result<String, Error> {
    let body = (r#"{"plaintext":""#, Form::Base64, key, "\"}");
    let url = url(of, &format!("encrypt/{}", of.kek));
    wrapped(&rest::send_key("POST", url, &namespace(of), body)?)
}

/// A new data key, wrapped (`POST /v1/{mount}/datakey/wrapped/{kek}`): its material is not sent.
pub(crate) fn data_key(of: &Configuration, bits: u32) -> Result<String, Error> {
    let path = format!("datakey/wrapped/{}", of.kek);
    wrapped(&post(of, &path, format!("{{\"bits\":{bits}}}"))?)
}

fn wrapped(answer: &Answer) -> Result<String, Error> {
    if !answer.is_success() {
        return Err(failure(answer));
    }
    let wrapped = answer.text(&["data", "ciphertext"]).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":+/=-_".contains(&byte);
    if wrapped.is_empty() || !wrapped.bytes().all(plain) {
        return Err(Error::Unavailable("its answer has no data key".into()));
    }
    Ok(wrapped.to_owned())
}

/// Unwraps a data key (`POST /v1/{mount}/decrypt/{kek}`).
pub(crate) fn unwrap(of: &Configuration, wrapped: &str) -> Result<Secret, Error> {
    let path = format!("decrypt/{}", of.kek);
    let mut answer = post(of, &path, format!("{{\"ciphertext\":\"{wrapped}\"}}"))?;
    if !answer.is_success() {
        return Err(failure(&answer));
    }
    decode(answer.take("/data/plaintext")?, Encoding::Base64)
}

/// `GET /v1/sys/health`: whether the server is there and open.
pub(crate) fn health(of: &Configuration) -> Result<(), Error> {
    let path = "/v1/sys/health?standbyok=true&perfstandbyok=true";
    let answer = rest::send("GET", format!("{}{path}", of.address), &[], None)?;
    match answer.status {
        200 => Ok(()),
        501 => Err(Error::Unavailable("the server is not initialised".into())),
        503 => Err(Error::Unavailable("the server is sealed".into())),
        _ => Err(failure(&answer)),
    }
}

fn get(of: &Configuration, path: &str) -> Result<Answer, Error> {
    rest::send("GET", url(of, path), &namespace(of), None)
}

fn post(of: &Configuration, path: &str, body: String) -> Result<Answer, Error> {
    rest::send("POST", url(of, path), &namespace(of), Some(body))
}

fn url(of: &Configuration, path: &str) -> String {
    format!("{}/v1/{}/{path}", of.address, of.mount)
}

fn namespace(of: &Configuration) -> Vec<(&str, &str)> {
    of.namespace.as_deref().map(|namespace| ("x-vault-namespace", namespace)).into_iter().collect()
}

/// A version in its one spelling.
fn number(version: &str) -> Result<u32, Error> {
    let number = version.parse::<u32>().ok().filter(|number| *number > 0);
    let number = number.filter(|number| number.to_string() == version);
    number.ok_or(Error::NotFound)
}

fn decode(secret: Secret, encoding: Encoding) -> Result<Secret, Error> {
    secret.decode(encoding).map_err(|_| {
        Error::Malformed("what is stored under that name is not written as `encoding` says".into())
    })
}

/// What Vault's statuses mean (api-docs: HTTP status codes). Its words are not repeated: some
/// versions repeat what they were sent.
fn failure(answer: &Answer) -> Error {
    match answer.status {
        400 => Error::Malformed("the server finds the request malformed (status 400)".into()),
        412 => Error::Unavailable("the server is not up to date yet (status 412)".into()),
        472 | 473 => Error::Unavailable("the server is on standby".into()),
        503 => Error::Unavailable("the server is sealed, or in maintenance".into()),
        _ => answer.failure(),
    }
}
