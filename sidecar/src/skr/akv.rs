//! Secure key release by Azure Key Vault or a service that speaks its protocol: a token goes there, a
//! key wrapped to the recipient that the token names comes back.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
use claviger_client::Secret;
use claviger_client::http::Service;
use data_encoding::BASE64URL_NOPAD;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::{Skr, jwk, jws, unwrap, upstream};

const FAILED: &str = "SecureKeyRelease failed";

/// What is asked for.
#[derive(Deserialize)]
pub(super) struct Wanted {
    pub(super) maa_endpoint: String,
    pub(super) akv_endpoint: String,
    /// `name` or `name/version`.
    pub(super) kid: String,
    /// A token for the vault, if the caller has one.
    #[serde(default)]
    pub(super) access_token: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

/// The payload of the vault's answer, as far as it is read.
#[derive(Deserialize)]
struct Payload {
    request: PayloadRequest,
    response: PayloadResponse,
}

#[derive(Deserialize)]
struct PayloadRequest {
    enc: String,
}

#[derive(Deserialize)]
struct PayloadResponse {
    key: PayloadKey,
}

#[derive(Deserialize)]
struct PayloadKey {
    key: PayloadJwk,
}

#[derive(Deserialize)]
struct PayloadJwk {
    kid: String,
    kty: String,
    key_hsm: String,
    #[serde(default)]
    key_ops: Option<Value>,
}

#[derive(Deserialize)]
struct KeyHsm {
    ciphertext: String,
}

/// What was in the answer.
#[derive(Debug)]
struct Released {
    kty: String,
    key_ops: Option<Value>,
    material: Secret,
}

impl Skr {
    /// A key as a JWK.
    pub(super) async fn release(&self, wanted: &Wanted) -> Result<Value, Failure> {
        let released = self.fetch(wanted).await?;
        jwk::jwk(&released.kty, released.key_ops.as_ref(), &released.material)
            .map_err(|error| Failure::refused(FAILED, error))
    }

    /// A key as it was released: PKCS#8 of an asymmetric one.
    pub(super) async fn release_pkcs8(&self, wanted: &Wanted) -> Result<Secret, Failure> {
        self.fetch(wanted).await.map(|released| released.material)
    }

    /// Fetches a key with a fresh recipient key.
    async fn fetch(&self, wanted: &Wanted) -> Result<Released, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::refused(FAILED, error);
        let path = release_path(&wanted.kid).ok_or_else(|| failed(&"`kid` is no key's name"))?;
        let recipient =
            tokio::task::spawn_blocking(|| PrivateDecryptingKey::generate(KeySize::Rsa2048))
                .await
                .ok()
                .and_then(Result::ok);
        let recipient = recipient.ok_or_else(|| failed(&"no recipient key could be made"))?;
        let runtime_data =
            runtime_data(&recipient).ok_or_else(|| failed(&"no recipient key could be made"))?;
        let token = self.attest(&wanted.maa_endpoint, runtime_data.as_bytes()).await?;
        let bearer = match &wanted.access_token {
            Some(token) if !token.is_empty() => Secret::new(token.clone().into_bytes()),
            _ => self.identity.token(&wanted.akv_endpoint).await.map_err(|error| failed(&error))?,
        };
        let answer = self.ask(&wanted.akv_endpoint, &path, &bearer, &token).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let payload = jws::verify(&answer.value, &wanted.akv_endpoint, &self.roots, now);
        let payload = payload.map_err(|error| failed(&error))?;
        open(&recipient, payload, &wanted.kid)
    }

    async fn ask(
        &self,
        endpoint: &str,
        path: &str,
        bearer: &Secret,
        token: &str,
    ) -> Result<Answer, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::refused(FAILED, error);
        let service = Service::https(&format!("https://{endpoint}"), Arc::clone(&self.tls));
        let service = service.map_err(|error| failed(&error))?;
        let body = json!({"target": token}).to_string().into_bytes();
        let request = service.request(Method::POST, path, body);
        let mut request = request.map_err(|error| failed(&error))?;
        let value = Zeroizing::new([b"Bearer ", bearer.expose()].concat());
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| failed(&"a bad token"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = service.send(request).await.map_err(|error| failed(&error))?;
        upstream(FAILED, &answer)
    }
}

/// The path of a release, unless the name would change its meaning.
fn release_path(kid: &str) -> Option<String> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let good = match kid.split_once('/') {
        Some((name, version)) => plain(name) && plain(version),
        None => plain(kid),
    };
    good.then(|| format!("/keys/{kid}/release?api-version=7.4"))
}

/// `{"keys": […]}` with the public key, named by its thumbprint (RFC 7638).
fn runtime_data(recipient: &PrivateDecryptingKey) -> Option<String> {
    let spki: PublicKeyX509Der<'_> = recipient.public_key().as_der().ok()?;
    let (_, spki) = SubjectPublicKeyInfo::from_der(spki.as_ref()).ok()?;
    let PublicKey::RSA(key) = spki.parsed().ok()? else { return None };
    let number = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes.strip_prefix(&[0]).unwrap_or(bytes));
    let (n, e) = (number(key.modulus), number(key.exponent));
    let canonical = format!("{{\"e\":\"{e}\",\"kty\":\"RSA\",\"n\":\"{n}\"}}");
    let thumbprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    let kid = BASE64URL_NOPAD.encode(thumbprint.as_ref());
    let key = json!({"e": e, "key_ops": ["encrypt"], "kid": kid, "kty": "RSA", "n": n});
    Some(json!({"keys": [key]}).to_string())
}

/// Takes the key out of a payload that was verified, where it is the one that was asked for.
fn open(recipient: &PrivateDecryptingKey, payload: Value, kid: &str) -> Result<Released, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::refused(FAILED, error);
    let payload: Payload = serde_json::from_value(payload).map_err(|error| failed(&error))?;
    let key = payload.response.key.key;
    let path = key.kid.split_once("/keys/").map(|(_, path)| path).unwrap_or_default();
    if path != kid && path.rsplit_once('/').map(|(name, _)| name) != Some(kid) {
        return Err(failed(&"the answer is about another key"));
    }
    let octets = |text: &str| BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok();
    let sealed: Option<KeyHsm> =
        octets(&key.key_hsm).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let ciphertext = sealed.and_then(|sealed| octets(&sealed.ciphertext));
    let ciphertext = ciphertext.ok_or_else(|| failed(&"`key_hsm` is malformed"))?;
    let material = unwrap::unwrap(recipient, &payload.request.enc, &ciphertext);
    let material = material.map_err(|error| failed(&error))?;
    Ok(Released { kty: key.kty, key_ops: key.key_ops, material })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_change_the_path_is_not_sent() {
        assert_eq!(release_path("disk").unwrap(), "/keys/disk/release?api-version=7.4");
        assert_eq!(release_path("disk/0a1b").unwrap(), "/keys/disk/0a1b/release?api-version=7.4");
        for kid in ["", "/", "a/", "/a", "a/b/c", "..", "a?b", "a#b", "a%2f"] {
            assert!(release_path(kid).is_none(), "{kid}");
        }
    }

    #[test]
    fn an_answer_about_another_key_is_not_opened() {
        let recipient = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let payload = |kid: &str| {
            json!({"request": {"enc": "CKM_RSA_AES_KEY_WRAP"}, "response": {"key": {"key": {
                "kid": kid, "kty": "oct", "key_hsm": "e30"}}}})
        };
        for (kid, cause) in [
            ("https://v/keys/other/1", "another key"),
            ("https://v/keys/disk/2/1", "another key"),
            ("disk", "another key"),
            ("https://v/keys/disk/1", "key_hsm"),
            ("https://v/keys/disk", "key_hsm"),
        ] {
            let error = open(&recipient, payload(kid), "disk").unwrap_err();
            assert!(error.to_string().contains(cause), "{kid}: {error}");
        }
    }

    #[test]
    fn runtime_data_name_the_key_by_its_thumbprint() {
        let recipient = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let data: Value = serde_json::from_str(&runtime_data(&recipient).unwrap()).unwrap();
        let key = data["keys"][0].as_object().unwrap();
        assert!(key.keys().eq(["e", "key_ops", "kid", "kty", "n"].iter()));
        assert_eq!(key["kid"].as_str().unwrap().len(), 43);
    }
}
