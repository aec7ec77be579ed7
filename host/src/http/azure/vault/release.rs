//! `POST /keys/{name}[/{version}]/release`: the token of an attestation service in, a signed answer with
//! the key wrapped to the recipient that the token names out.

use std::sync::Arc;

use axum::Json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, host, vault};
use super::keys::Answered;
use super::wire::{jwk, key_attributes, release_policy, text};
use super::words::{About, refuse};
use super::{ReleaseSigner, Signing};
use crate::error::{Code, Refusal};
use crate::flow::vault::{VaultRelease, VaultReleased};
use crate::foreign::{Issuer, said_issuer};
use crate::http::azure::body::Raw;
use crate::http::door::Door;
use crate::keys::RsaAesKeyWrap;

/// The longest nonce that is repeated, in bytes.
const LONGEST_NONCE: usize = 1024;

#[derive(Debug, Deserialize)]
struct ReleaseBody {
    target: String,
    nonce: Option<String>,
    enc: Option<String>,
}

pub(super) async fn release(
    door: &Door,
    client: &Client,
    name: &str,
    version: Option<&str>,
    body: &Raw,
) -> Answered {
    let body: ReleaseBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let wrap = match body.enc.as_deref() {
        None => RsaAesKeyWrap::default(),
        Some(name) => RsaAesKeyWrap::of(name).ok_or_else(|| {
            refuse("Property enc has an invalid value: CKM_RSA_AES_KEY_WRAP, RSA_AES_KEY_WRAP_256, RSA_AES_KEY_WRAP_384.")
        })?,
    };
    if body.nonce.as_ref().is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
        return Err(refuse("Property nonce is too long."));
    }
    // What signs comes first: without it nothing is released that could not be handed out.
    let signer = signer(door)?;
    let host = host(door)?;
    let own = own(door, client, &body.target).await?;
    let own = own.as_deref();
    let wanted = VaultRelease { key: name, version, token: &body.target, wrap, own };
    let released = host.vault_release(client.actor(), wanted).await;
    let released = released.map_err(|refusal| About::Key(name).fault(refusal))?;

    let mut request = Map::new();
    let version = version.map_or_else(String::new, |version| format!("/{version}"));
    request.insert("api-version".to_owned(), json!(client.api_version));
    request.insert("enc".to_owned(), json!(wrap.name()));
    request.insert("kid".to_owned(), json!(format!("{}/keys/{name}{version}", client.url)));
    if let Some(nonce) = body.nonce {
        request.insert("nonce".to_owned(), json!(nonce));
    }
    let payload = json!({"request": request, "response": {"key": key(&released, client, wrap)}});
    Ok(Json(json!({"value": signer.sign(&payload)?})))
}

/// This host's own attestation service, where the token says that it is of it. The tenant may have more
/// names than one: the token is of whichever was attested at.
async fn own(door: &Door, client: &Client, token: &str) -> Result<Option<Arc<Issuer>>, Refusal> {
    let Some(face) = door.azure.as_ref() else { return Ok(None) };
    let Ok(attestation) = face.attestation() else { return Ok(None) };
    // Its keys are gathered for a token of its own alone: anybody may send one of another service.
    let Some(said) = said_issuer(token) else { return Ok(None) };
    match face.urls_of(&client.caller.tenant).into_iter().find(|url| *url == said) {
        Some(url) => host(door)?.maa_issuer(&url, &attestation.rules).await.map(Some),
        None => Ok(None),
    }
}

/// The key bundle, with the wrapped key (`key_hsm`) in it.
fn key(released: &VaultReleased, client: &Client, wrap: RsaAesKeyWrap) -> Value {
    let key = &released.key;
    let mut jwk = jwk(key, &client.url);
    let wrapped = json!({
        "ciphertext": released.released.jwe,
        "header": {"alg": "dir", "enc": wrap.name(), "kid": released.recipient},
        "schema_version": "1.0",
    });
    jwk.insert("key_hsm".to_owned(), json!(text(wrapped.to_string().as_bytes())));
    let mut bundle = Map::new();
    bundle.insert("attributes".to_owned(), key_attributes(key));
    bundle.insert("key".to_owned(), Value::Object(jwk));
    if !key.described.tags.is_empty() {
        bundle.insert("tags".to_owned(), json!(key.described.tags));
    }
    if let Some(policy) = &key.release_policy {
        bundle.insert("release_policy".to_owned(), release_policy(policy));
    }
    Value::Object(bundle)
}

fn signer(door: &Door) -> Result<&ReleaseSigner, Refusal> {
    match &vault(door)?.signing {
        Signing::Ready(signer) => Ok(signer),
        Signing::Development { .. } => {
            Err(Refusal::new(Code::Internal, "the release signer was never made"))
        }
    }
}
