//! Given keys, put into the vault (learn.microsoft.com: Key Vault REST, `keys/import-key`,
//! `secrets/set-secret`). The host writes the material into the request; it does not come in here.

use claviger_plugin_sdk::base64;
use claviger_plugin_sdk::kms::Error;
use claviger_plugin_sdk::kms::http::Form;
use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::rest;
use claviger_plugin_sdk::setting::{self, wrong};

use crate::configuration::{Configuration, Source};
use crate::service::{self, Known};

/// Puts the key there, where nothing has its name yet. The vault makes a further version of what is
/// there already, so that it is asked first; who puts one there in between loses to nobody here.
pub(crate) fn import(
    of: &Configuration,
    name: &str,
    kind: &str,
    key: &Secret,
) -> Result<Known, Error> {
    match service::known(of, name, None) {
        Err(Error::NotFound) => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(Error::Conflict("there is one of that name in the vault".into())),
    }
    let octets = kind.strip_prefix("oct-").and_then(|bits| bits.parse::<u32>().ok());
    if octets.is_some_and(|bits| bits / 8 != key.length()) {
        return Err(Error::Malformed(format!("the key is not of the kind {kind}")));
    }
    match of.source {
        Source::Secret => secret(of, name, key),
        Source::Release if octets.is_some() => symmetric(of, name, key),
        Source::Release => Err(Error::Unsupported(
            "of keys to be released only symmetric ones are imported; put it there and name it"
                .into(),
        )),
    }
}

fn secret(of: &Configuration, name: &str, key: &Secret) -> Result<Known, Error> {
    let body = (r#"{"value":""#, setting::form(of.encoding)?, key, "\"}");
    let url = service::url(of, &format!("secrets/{name}"));
    service::made(&rest::send_key("PUT", url, &[], body)?, "secrets", &["id"], name)
}

/// An exportable `oct-HSM` key of Managed HSM.
fn symmetric(of: &Configuration, name: &str, key: &Secret) -> Result<Known, Error> {
    let Some(policy) = &of.release_policy else {
        return wrong("release-policy", "is missing: without one a key is never released");
    };
    let data = base64::url(policy.as_bytes());
    let before = r#"{"key":{"kty":"oct-HSM","key_ops":["encrypt","decrypt"],"k":""#;
    let behind = format!(
        r#""}},"hsm":true,"attributes":{{"exportable":true}},"release_policy":{{"contentType":"application/json; charset=utf-8","data":"{data}"}}}}"#
    );
    let url = service::url(of, &format!("keys/{name}"));
    let answer = rest::send_key("PUT", url, &[], (before, Form::Base64url, key, &behind))?;
    service::made(&answer, "keys", &["key", "kid"], name)
}
