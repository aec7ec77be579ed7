//! Deleted keys: `DELETE /keys/{name}`, `/deletedkeys…`.

use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::Value;

use super::client::{Client, host};
use super::keys::{Answered, Named};
use super::paging::Wanted;
use super::wire::{deleted, key_bundle, key_item};
use super::words::About;
use crate::error::{Code, Refusal};
use crate::flow::vault::{Deletion, KeyDescription};
use crate::http::azure::error::Fault;
use crate::http::door::Door;

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/deletedkeys", get(list))
        .route("/deletedkeys/{name}", get(read).delete(purge))
        .route("/deletedkeys/{name}/{verb}", post(recover))
}

pub(super) async fn delete(
    State(door): State<Door>,
    client: Client,
    Path(key): Path<Named>,
) -> Answered {
    let gone = host(&door)?.vault_delete(client.actor(), &key.name).await;
    let (gone, deletion) = gone.map_err(|refusal| About::Key(&key.name).fault(refusal))?;
    Ok(Json(bundle(&gone, deletion, &client.url)))
}

async fn list(State(door): State<Door>, client: Client, RawQuery(query): RawQuery) -> Answered {
    let wanted = Wanted::of(query.as_deref())?;
    let page = host(&door)?.vault_deleted_keys(client.actor(), wanted.after, wanted.limit).await;
    let page = page.map_err(|refusal| About::Vault.fault(refusal))?;
    let item = |(key, deletion): &(KeyDescription, Deletion)| {
        let place = format!("deletedkeys/{}", key.name);
        deleted(key_item(key, &client.url, false), *deletion, &client.url, &place)
    };
    let items = page.items.iter().map(item).collect();
    Ok(wanted.answer(&client, "deletedkeys", items, page.next.as_deref()))
}

async fn read(State(door): State<Door>, client: Client, Path(name): Path<String>) -> Answered {
    let found = host(&door)?.vault_deleted_key(client.actor(), &name).await;
    let (gone, deletion) = found.map_err(|refusal| About::Key(&name).fault(refusal))?;
    Ok(Json(bundle(&gone, deletion, &client.url)))
}

async fn purge(
    State(door): State<Door>,
    client: Client,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    let purged = host(&door)?.vault_purge(client.actor(), &name).await;
    purged.map_err(|refusal| About::Key(&name).fault(refusal))?;
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
    let recovered = host(&door)?.vault_recover(client.actor(), &name).await;
    let recovered = recovered.map_err(|refusal| About::Key(&name).fault(refusal))?;
    Ok(Json(key_bundle(&recovered, &client.url)))
}

fn bundle(key: &KeyDescription, deletion: Deletion, url: &str) -> Value {
    let Value::Object(bundle) = key_bundle(key, url) else { return Value::Null };
    deleted(bundle, deletion, url, &format!("deletedkeys/{}", key.name))
}
