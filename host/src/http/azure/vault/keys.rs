//! Keys: `/keys…`. What stands behind a key's name is a version or a verb.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, host};
use super::import::{PrivateJwk, kind};
use super::paging::Wanted;
use super::wire::{Octets, WireAttributes, WirePolicy, key_bundle, key_item, text};
use super::words::{About, refuse};
use super::{operations, release, rotation};
use crate::error::{Code, Refusal};
use crate::flow::vault::{KeyChange, NewVaultKey, Operation};
use crate::http::azure::body::Raw;
use crate::http::azure::error::Fault;
use crate::http::door::Door;

pub(super) type Answered = Result<Json<Value>, Fault>;

pub(super) fn routes() -> Router<Door> {
    let one: MethodRouter<Door> =
        get(read).put(import).patch(update).delete(super::deleted::delete).post(restore);
    let below: MethodRouter<Door> = get(read_below).put(put_below).patch(update).post(post_below);
    Router::new()
        .route("/keys", get(list))
        .route("/keys/{name}", one)
        .route("/keys/{name}/{version}", below)
        .route("/keys/{name}/{version}/{operation}", post(operate).get(attestation))
        .route("/rng", post(operations::random))
}

/// `/keys/{name}[/{version}]`
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CreateBody {
    kty: String,
    key_size: Option<u64>,
    public_exponent: Option<u64>,
    key_ops: Option<Vec<Operation>>,
    attributes: Option<WireAttributes>,
    tags: Option<BTreeMap<String, String>>,
    crv: Option<String>,
    release_policy: Option<WirePolicy>,
}

/// `Hsm` is also written `hsm`.
#[derive(Debug, Deserialize)]
struct ImportBody {
    #[serde(alias = "Hsm")]
    hsm: Option<bool>,
    key: PrivateJwk,
    attributes: Option<WireAttributes>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<WirePolicy>,
}

#[derive(Debug, Deserialize)]
struct UpdateBody {
    key_ops: Option<Vec<Operation>>,
    attributes: Option<WireAttributes>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<WirePolicy>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ValueBody {
    pub(super) value: Octets,
}

async fn list(State(door): State<Door>, client: Client, RawQuery(query): RawQuery) -> Answered {
    let wanted = Wanted::of(query.as_deref())?;
    let page = host(&door)?.vault_keys(client.actor(), wanted.after, wanted.limit).await;
    let page = page.map_err(|refusal| About::Vault.fault(refusal))?;
    let items = page.items.iter().map(|key| Value::Object(key_item(key, &client.url, false)));
    Ok(wanted.answer(&client, "keys", items.collect(), page.next.as_deref()))
}

async fn read(State(door): State<Door>, client: Client, Path(key): Path<Named>) -> Answered {
    let found = host(&door)?.vault_key(client.actor(), &key.name, key.version.as_deref()).await;
    let found = found.map_err(|refusal| About::Key(&key.name).fault(refusal))?;
    Ok(Json(key_bundle(&found, &client.url)))
}

async fn read_below(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    RawQuery(query): RawQuery,
) -> Answered {
    match key.version.as_deref() {
        Some("versions") => versions(&door, &client, &key.name, query.as_deref()).await,
        Some("rotationpolicy") => rotation::read(&door, &client, &key.name).await,
        _ => read(State(door), client, Path(key)).await,
    }
}

async fn versions(door: &Door, client: &Client, name: &str, query: Option<&str>) -> Answered {
    let wanted = Wanted::of(query)?;
    let page = host(door)?.vault_versions(client.actor(), name, wanted.after, wanted.limit).await;
    let page = page.map_err(|refusal| About::Key(name).fault(refusal))?;
    let items = page.items.iter().map(|key| Value::Object(key_item(key, &client.url, true)));
    let path = format!("keys/{name}/versions");
    Ok(wanted.answer(client, &path, items.collect(), page.next.as_deref()))
}

async fn put_below(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    body: Raw,
) -> Answered {
    match key.version.as_deref() {
        Some("rotationpolicy") => rotation::set(&door, &client, &key.name, &body).await,
        _ => Err(Refusal::new(Code::MethodNotAllowed, "nothing to be put there").into()),
    }
}

/// A verb behind the name; the version was left out.
async fn post_below(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    body: Raw,
) -> Answered {
    let (name, verb) = (key.name.as_str(), key.version.as_deref().unwrap_or_default());
    match verb {
        "create" => create(&door, &client, name, &body).await,
        "backup" => backup(&door, &client, name).await,
        "rotate" => rotation::rotate(&door, &client, name).await,
        "release" => release::release(&door, &client, name, None, &body).await,
        verb => operations::perform(&door, &client, name, None, verb, &body).await,
    }
}

async fn operate(
    State(door): State<Door>,
    client: Client,
    Path((name, version, verb)): Path<(String, String, String)>,
    body: Raw,
) -> Answered {
    match verb.as_str() {
        "release" => release::release(&door, &client, &name, Some(&version), &body).await,
        verb => operations::perform(&door, &client, &name, Some(&version), verb, &body).await,
    }
}

/// Attestation of the key by the hardware that holds it: there is no such hardware.
async fn attestation(
    client: Client,
    Path((_, _, verb)): Path<(String, String, String)>,
) -> Answered {
    let reason = match verb.as_str() {
        "attestation" => "keys are not attested by a hardware security module here",
        _ => return Err(Refusal::new(Code::NotFound, "no such resource").into()),
    };
    tracing::debug!(request = client.caller.request_id, reason);
    Err(Refusal::new(Code::KmsUnsupported, reason).into())
}

async fn create(door: &Door, client: &Client, name: &str, body: &Raw) -> Answered {
    let body: CreateBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    if body.public_exponent.is_some_and(|exponent| exponent != 65_537) {
        return Err(refuse("Property public_exponent has an invalid value: 65537."));
    }
    let (kind, hardware) = kind(&body.kty, body.key_size, body.crv.as_deref())?;
    let attributes = body.attributes.unwrap_or_default();
    let (exportable, release_policy) =
        exportable(attributes.exportable, body.release_policy.as_ref())?;
    let new = NewVaultKey {
        name: name.to_owned(),
        kind,
        hardware,
        material: None,
        attributes: attributes.read(),
        operations: body.key_ops,
        tags: body.tags.unwrap_or_default(),
        exportable,
        release_policy,
    };
    created(door, client, new).await
}

async fn import(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    body: Raw,
) -> Answered {
    let body: ImportBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let (kind, hardware, material) = body.key.read(&client.url)?;
    let attributes = body.attributes.unwrap_or_default();
    let (exportable, release_policy) =
        exportable(attributes.exportable, body.release_policy.as_ref())?;
    let new = NewVaultKey {
        name: key.name,
        kind,
        hardware: hardware || body.hsm == Some(true),
        material: Some(material),
        attributes: attributes.read(),
        operations: body.key.key_ops,
        tags: body.tags.unwrap_or_default(),
        exportable,
        release_policy,
    };
    created(&door, &client, new).await
}

async fn created(door: &Door, client: &Client, new: NewVaultKey) -> Answered {
    let name = new.name.clone();
    let made = host(door)?.vault_create(client.actor(), new).await;
    let made = made.map_err(|refusal| About::Key(&name).fault(refusal))?;
    Ok(Json(key_bundle(&made, &client.url)))
}

/// Whether a new key may be released. With a policy it may, without one it may not.
fn exportable(
    exportable: Option<bool>,
    policy: Option<&WirePolicy>,
) -> Result<(bool, Option<crate::flow::NewReleasePolicy>), Fault> {
    match (exportable.unwrap_or(false), policy) {
        (true, None) => Err(refuse("AKV.SKR.1004: Exportable keys must have release policy.")),
        (false, Some(_)) => {
            Err(refuse("AKV.SKR.1005: Non-exportable keys must not have release policy."))
        }
        (exportable, policy) => {
            let policy = policy.map(WirePolicy::read).transpose();
            Ok((exportable, policy.map_err(|refusal| About::Vault.fault(refusal))?))
        }
    }
}

async fn update(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    body: Raw,
) -> Answered {
    let body: UpdateBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    if key.version.is_some() && body.release_policy.is_some() {
        return Err(refuse("AKV.SKR.1016: Key Release Policy can only be set on versionless key."));
    }
    let attributes = body.attributes.unwrap_or_default();
    let policy = body.release_policy.as_ref().map(WirePolicy::read).transpose();
    let change = KeyChange {
        attributes: attributes.read(),
        operations: body.key_ops,
        tags: body.tags,
        release_policy: policy.map_err(|refusal| About::Vault.fault(refusal))?,
        exportable: attributes.exportable,
    };
    if let Some(exportable) = change.exportable {
        let found = host(&door)?.vault_key(client.actor(), &key.name, key.version.as_deref()).await;
        if found.is_ok_and(|found| found.exportable != exportable) {
            return Err(refuse(
                "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.",
            ));
        }
    }
    let version = key.version.as_deref();
    let changed = host(&door)?.vault_update(client.actor(), &key.name, version, change).await;
    let changed = changed.map_err(|refusal| About::Key(&key.name).fault(refusal))?;
    Ok(Json(key_bundle(&changed, &client.url)))
}

async fn backup(door: &Door, client: &Client, name: &str) -> Answered {
    let sealed = host(door)?.vault_backup(client.actor(), name).await;
    let sealed = sealed.map_err(|refusal| About::Key(name).fault(refusal))?;
    Ok(Json(json!({"value": text(&sealed)})))
}

/// `POST /keys/restore`
async fn restore(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
    body: Raw,
) -> Answered {
    if key.name != "restore" {
        return Err(Refusal::new(Code::MethodNotAllowed, "no verb behind the name").into());
    }
    let body: ValueBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let restored = host(&door)?.vault_restore(client.actor(), body.value.0.expose()).await;
    let restored = restored.map_err(|refusal| About::Vault.fault(refusal))?;
    Ok(Json(key_bundle(&restored, &client.url)))
}
