//! How Key Vault writes things: base64url without padding, whole seconds since 1970, identifiers that begin
//! with the vault's own URL.

use std::collections::BTreeMap;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::NewReleasePolicy;
use crate::flow::vault::{
    Attributes, Deletion, Described, KeyDescription, Recoverable, SecretDescription,
};
use crate::release_policy::Language;
use crate::secret::Secret;

/// `contentType` of a release policy, where none is named.
const POLICY_TYPE: &str = "application/json; charset=utf-8";

/// Octets in base64: the service's own clients write it with either alphabet, with and without padding.
#[derive(Clone)]
pub(super) struct Octets(pub(super) Secret);

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The value is not repeated: it may be a secret.
        octets(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not base64url"))
    }
}

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Decodes either alphabet, with or without padding.
pub(super) fn octets(text: &str) -> Option<Secret> {
    let bare = text.trim_end_matches('=');
    if text.len() - bare.len() > 2 {
        return None;
    }
    let decoded = match bare.contains(['+', '/']) {
        true => BASE64_NOPAD.decode(bare.as_bytes()),
        false => BASE64URL_NOPAD.decode(bare.as_bytes()),
    };
    decoded.ok().map(Secret::new)
}

/// The one spelling in which octets leave.
pub(super) fn text(octets: &[u8]) -> String {
    BASE64URL_NOPAD.encode(octets)
}

/// `attributes` of a request.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireAttributes {
    enabled: Option<bool>,
    nbf: Option<u64>,
    exp: Option<u64>,
    pub(super) exportable: Option<bool>,
}

impl WireAttributes {
    pub(super) fn read(&self) -> Attributes {
        Attributes {
            enabled: self.enabled,
            not_before: self.nbf.map(Timestamp),
            expires: self.exp.map(Timestamp),
        }
    }
}

/// `release_policy` of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePolicy {
    content_type: Option<String>,
    data: Octets,
    immutable: Option<bool>,
}

impl WirePolicy {
    pub(super) fn read(&self) -> Result<NewReleasePolicy, Refusal> {
        let refuse = |why: &str| Err(Refusal::new(Code::PolicyInvalid, why));
        let json = |kind: &String| {
            let essence = kind.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        };
        if !self.content_type.as_ref().is_none_or(json) {
            return refuse("the content type of a release policy is application/json");
        }
        let Ok(written) = std::str::from_utf8(self.data.0.expose()) else {
            return refuse("the release policy is not UTF-8");
        };
        let immutable = self.immutable.unwrap_or(false);
        Ok(NewReleasePolicy { language: Language::Akv, text: without_space(written), immutable })
    }
}

/// JSON without the white space between its tokens, as the service stores policies.
fn without_space(json: &str) -> String {
    let (mut text, mut quoted, mut escaped) = (String::with_capacity(json.len()), false, false);
    for letter in json.chars() {
        if !quoted && matches!(letter, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        text.push(letter);
        match (quoted, escaped, letter) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, false, '"') => quoted = !quoted,
            _ => {}
        }
    }
    text
}

/// A key as every operation answers it.
pub(super) fn key_bundle(key: &KeyDescription, url: &str) -> Value {
    let mut bundle = Map::new();
    bundle.insert("key".to_owned(), Value::Object(jwk(key, url)));
    bundle.insert("attributes".to_owned(), key_attributes(key));
    insert_tags(&mut bundle, &key.described.tags);
    if let Some(policy) = &key.release_policy {
        bundle.insert("release_policy".to_owned(), release_policy(policy));
    }
    Value::Object(bundle)
}

/// The public JWK with the key's identifier. There is no private member to leave out.
pub(super) fn jwk(key: &KeyDescription, url: &str) -> Map<String, Value> {
    let mut jwk = match &key.public {
        Some(Value::Object(public)) => public.clone(),
        _ => Map::new(),
    };
    let kty = match key.kind.split('-').next() {
        Some("rsa") => "RSA",
        Some("oct") => "oct",
        Some("ec") => "EC",
        _ => "OKP",
    };
    let kty = if key.hardware { format!("{kty}-HSM") } else { kty.to_owned() };
    jwk.insert("kid".to_owned(), json!(format!("{url}/keys/{}/{}", key.name, key.version)));
    jwk.insert("kty".to_owned(), json!(kty));
    jwk.insert("key_ops".to_owned(), json!(key.operations));
    jwk
}

pub(super) fn key_attributes(key: &KeyDescription) -> Value {
    let mut attributes = attributes(&key.described, key.recoverable_days);
    attributes.insert("exportable".to_owned(), json!(key.exportable));
    Value::Object(attributes)
}

/// What can be known of an item in a list.
pub(super) fn key_item(key: &KeyDescription, url: &str, versioned: bool) -> Map<String, Value> {
    let mut item = Map::new();
    let version = if versioned { format!("/{}", key.version) } else { String::new() };
    item.insert("kid".to_owned(), json!(format!("{url}/keys/{}{version}", key.name)));
    item.insert("attributes".to_owned(), key_attributes(key));
    insert_tags(&mut item, &key.described.tags);
    item
}

/// A secret, without its value.
pub(super) fn secret_item(
    secret: &SecretDescription,
    url: &str,
    versioned: bool,
) -> Map<String, Value> {
    let mut item = Map::new();
    let version = if versioned { format!("/{}", secret.version) } else { String::new() };
    item.insert("id".to_owned(), json!(format!("{url}/secrets/{}{version}", secret.name)));
    item.insert(
        "attributes".to_owned(),
        Value::Object(attributes(&secret.described, secret.recoverable_days)),
    );
    insert_tags(&mut item, &secret.described.tags);
    if let Some(kind) = &secret.content_type {
        item.insert("contentType".to_owned(), json!(kind));
    }
    item
}

/// What a deleted item says beside what it is; `place`: `deletedkeys/name`.
pub(super) fn deleted(
    mut item: Map<String, Value>,
    deletion: Deletion,
    url: &str,
    place: &str,
) -> Value {
    item.insert("recoveryId".to_owned(), json!(format!("{url}/{place}")));
    item.insert("deletedDate".to_owned(), json!(deletion.deleted.0));
    item.insert("scheduledPurgeDate".to_owned(), json!(deletion.purge.0));
    Value::Object(item)
}

pub(super) fn release_policy(policy: &NewReleasePolicy) -> Value {
    json!({
        "contentType": POLICY_TYPE,
        "data": text(policy.text.as_bytes()),
        "immutable": policy.immutable,
    })
}

fn attributes(described: &Described, recoverable_days: u64) -> Map<String, Value> {
    let mut attributes = Map::new();
    let mut insert = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    insert("enabled", json!(described.enabled));
    if let Some(begins) = described.not_before {
        insert("nbf", json!(begins.0));
    }
    if let Some(ends) = described.expires {
        insert("exp", json!(ends.0));
    }
    insert("created", json!(described.created.0));
    insert("updated", json!(described.updated.0));
    insert("recoverableDays", json!(recoverable_days));
    let usual = recoverable_days >= *Recoverable::RANGE.end();
    let level = if usual { "Recoverable+Purgeable" } else { "CustomizedRecoverable+Purgeable" };
    insert("recoveryLevel", json!(level));
    attributes
}

fn insert_tags(item: &mut Map<String, Value>, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        item.insert("tags".to_owned(), json!(tags));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_every_spelling_of_the_same_octets() {
        for spelling in ["-_8", "-_8=", "+/8=", "+/8"] {
            assert!(octets(spelling).unwrap().matches(&[0xfb, 0xff]), "{spelling}");
        }
        for bad in ["-/8", "-_9", "a", "====", "-_8===", " -_8"] {
            assert!(octets(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_policy_is_stored_without_white_space_and_otherwise_as_it_came() {
        let written = "{ \"b\" : [1,\n2], \"a\\\" x\" :\t\"y  z\\\\\" }";
        assert_eq!(without_space(written), "{\"b\":[1,2],\"a\\\" x\":\"y  z\\\\\"}");
    }
}
