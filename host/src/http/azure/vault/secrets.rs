//! Secrets: `/secrets…`, `/deletedsecrets…`.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::{Client, host};
use super::keys::{Answered, Named, ValueBody};
use super::paging::Wanted;
use super::wire::{WireAttributes, deleted, secret_item, text};
use super::words::About;
use crate::error::{Code, Refusal};
use crate::flow::vault::{Deletion, NewSecret, SecretChange, SecretDescription};
use crate::http::azure::body::Raw;
use crate::http::azure::error::Fault;
use crate::http::door::Door;
use crate::secret::Secret;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/secrets", get(list))
        .route("/secrets/{name}", get(read).put(set).patch(update).delete(delete).post(restore))
        .route("/secrets/{name}/{version}", get(read_below).patch(update).post(backup))
        .route("/deletedsecrets", get(list_deleted))
        .route("/deletedsecrets/{name}", get(read_deleted).delete(purge))
        .route("/deletedsecrets/{name}/{verb}", post(recover))
}

/// A value on its way in: wiped when dropped, never printed.
struct SecretValue(Secret);

impl<'de> Deserialize<'de> for SecretValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Zeroizing::new(String::deserialize(deserializer)?);
        Ok(Self(Secret::new(std::mem::take(&mut *text).into_bytes())))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetBody {
    value: SecretValue,
    content_type: Option<String>,
    attributes: Option<WireAttributes>,
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateBody {
    content_type: Option<String>,
    attributes: Option<WireAttributes>,
    tags: Option<BTreeMap<String, String>>,
}

async fn list(State(door): State<Door>, client: Client, RawQuery(query): RawQuery) -> Answered {
    let wanted = Wanted::of(query.as_deref())?;
    let page = host(&door)?.secrets(client.actor(), wanted.after, wanted.limit).await;
    let page = page.map_err(|refusal| About::Vault.fault(refusal))?;
    let item = |secret| Value::Object(secret_item(secret, &client.url, false));
    let items = page.items.iter().map(item).collect();
    Ok(wanted.answer(&client, "secrets", items, page.next.as_deref()))
}

async fn set(
    State(door): State<Door>,
    client: Client,
    Path(secret): Path<Named>,
    body: Raw,
) -> Answered {
    let body: SetBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let value = body.value.0;
    let new = NewSecret {
        name: secret.name.clone(),
        value: value.clone(),
        content_type: body.content_type,
        attributes: body.attributes.unwrap_or_default().read(),
        tags: body.tags.unwrap_or_default(),
        release_policy: None,
    };
    let set = host(&door)?.secret_set(client.actor(), new).await;
    let set = set.map_err(|refusal| About::Secret(&secret.name).fault(refusal))?;
    Ok(Json(with_value(&set, &value, &client.url)))
}

async fn read(State(door): State<Door>, client: Client, Path(secret): Path<Named>) -> Answered {
    let version = secret.version.as_deref();
    let found = host(&door)?.secret_get(client.actor(), &secret.name, version).await;
    let (found, value) = found.map_err(|refusal| About::Secret(&secret.name).fault(refusal))?;
    Ok(Json(with_value(&found, &value, &client.url)))
}

async fn read_below(
    State(door): State<Door>,
    client: Client,
    Path(secret): Path<Named>,
    RawQuery(query): RawQuery,
) -> Answered {
    if secret.version.as_deref() != Some("versions") {
        return read(State(door), client, Path(secret)).await;
    }
    let (name, wanted) = (&secret.name, Wanted::of(query.as_deref())?);
    let versions = host(&door)?.secret_versions(client.actor(), name).await;
    let versions = versions.map_err(|refusal| About::Secret(name).fault(refusal))?;
    let begin = match wanted.after {
        None => 0,
        Some(after) => {
            let found = versions.iter().position(|version| version.version == after);
            let found = found.ok_or_else(|| super::words::refuse("$skiptoken is not known."))?;
            found.saturating_add(1)
        }
    };
    let page: Vec<_> = versions.iter().skip(begin).take(wanted.limit).collect();
    let more = versions.len() > begin.saturating_add(page.len());
    let next = page.last().filter(|_| more).map(|version| version.version.as_str());
    let item = |secret: &&SecretDescription| Value::Object(secret_item(secret, &client.url, true));
    let items = page.iter().map(item).collect();
    Ok(wanted.answer(&client, &format!("secrets/{name}/versions"), items, next))
}

async fn update(
    State(door): State<Door>,
    client: Client,
    Path(secret): Path<Named>,
    body: Raw,
) -> Answered {
    let body: UpdateBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let change = SecretChange {
        content_type: body.content_type,
        attributes: body.attributes.unwrap_or_default().read(),
        tags: body.tags,
    };
    let version = secret.version.as_deref();
    let changed = host(&door)?.secret_update(client.actor(), &secret.name, version, change).await;
    let changed = changed.map_err(|refusal| About::Secret(&secret.name).fault(refusal))?;
    Ok(Json(Value::Object(secret_item(&changed, &client.url, true))))
}

async fn delete(State(door): State<Door>, client: Client, Path(secret): Path<Named>) -> Answered {
    let gone = host(&door)?.secret_delete(client.actor(), &secret.name).await;
    let (gone, deletion) = gone.map_err(|refusal| About::Secret(&secret.name).fault(refusal))?;
    Ok(Json(bundle(&gone, deletion, &client.url)))
}

async fn list_deleted(
    State(door): State<Door>,
    client: Client,
    RawQuery(query): RawQuery,
) -> Answered {
    let wanted = Wanted::of(query.as_deref())?;
    let page = host(&door)?.deleted_secrets(client.actor(), wanted.after, wanted.limit).await;
    let page = page.map_err(|refusal| About::Vault.fault(refusal))?;
    let item = |(secret, deletion): &(SecretDescription, Deletion)| {
        let place = format!("deletedsecrets/{}", secret.name);
        deleted(secret_item(secret, &client.url, false), *deletion, &client.url, &place)
    };
    let items = page.items.iter().map(item).collect();
    Ok(wanted.answer(&client, "deletedsecrets", items, page.next.as_deref()))
}

async fn read_deleted(
    State(door): State<Door>,
    client: Client,
    Path(name): Path<String>,
) -> Answered {
    let found = host(&door)?.deleted_secret(client.actor(), &name).await;
    let (gone, deletion) = found.map_err(|refusal| About::Secret(&name).fault(refusal))?;
    Ok(Json(bundle(&gone, deletion, &client.url)))
}

async fn purge(
    State(door): State<Door>,
    client: Client,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    let purged = host(&door)?.secret_purge(client.actor(), &name).await;
    purged.map_err(|refusal| About::Secret(&name).fault(refusal))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn recover(
    State(door): State<Door>,
    client: Client,
    Path((name, verb)): Path<(String, String)>,
) -> Answered {
    if verb != "recover" {
        return Err(Refusal::new(Code::NotFound, "no such verb").into());
    }
    let recovered = host(&door)?.secret_recover(client.actor(), &name).await;
    let recovered = recovered.map_err(|refusal| About::Secret(&name).fault(refusal))?;
    Ok(Json(Value::Object(secret_item(&recovered, &client.url, true))))
}

async fn backup(State(door): State<Door>, client: Client, Path(secret): Path<Named>) -> Answered {
    if secret.version.as_deref() != Some("backup") {
        return Err(Refusal::new(Code::NotFound, "no such verb").into());
    }
    let sealed = host(&door)?.secret_backup(client.actor(), &secret.name).await;
    let sealed = sealed.map_err(|refusal| About::Secret(&secret.name).fault(refusal))?;
    Ok(Json(json!({"value": text(&sealed)})))
}

/// `POST /secrets/restore`
async fn restore(
    State(door): State<Door>,
    client: Client,
    Path(secret): Path<Named>,
    body: Raw,
) -> Answered {
    if secret.name != "restore" {
        return Err(Refusal::new(Code::MethodNotAllowed, "no verb behind the name").into());
    }
    let body: ValueBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let restored = host(&door)?.secret_restore(client.actor(), body.value.0.expose()).await;
    let restored = restored.map_err(|refusal| About::Vault.fault(refusal))?;
    Ok(Json(Value::Object(secret_item(&restored, &client.url, true))))
}

fn with_value(secret: &SecretDescription, value: &Secret, url: &str) -> Value {
    let mut item = secret_item(secret, url, true);
    item.insert("value".to_owned(), json!(String::from_utf8_lossy(value.expose())));
    Value::Object(item)
}

fn bundle(secret: &SecretDescription, deletion: Deletion, url: &str) -> Value {
    let place = format!("deletedsecrets/{}", secret.name);
    deleted(secret_item(secret, url, true), deletion, url, &place)
}
