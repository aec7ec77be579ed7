//! Rotation, and the policy by which it happens: `/keys/{name}/rotate`, `/keys/{name}/rotationpolicy`.

use axum::Json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, host};
use super::keys::Answered;
use super::wire::key_bundle;
use super::words::{About, refuse};
use crate::flow::vault::{LifetimeAction, RotationPolicy, Trigger};
use crate::http::azure::body::Raw;
use crate::http::azure::error::Fault;
use crate::http::door::Door;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody {
    lifetime_actions: Option<Vec<ActionBody>>,
    attributes: Option<PolicyAttributes>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyAttributes {
    expiry_time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ActionBody {
    trigger: Option<TriggerBody>,
    action: Option<KindBody>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TriggerBody {
    time_after_create: Option<String>,
    time_before_expiry: Option<String>,
}

#[derive(Debug, Deserialize)]
struct KindBody {
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) async fn rotate(door: &Door, client: &Client, name: &str) -> Answered {
    let rotated = host(door)?.vault_rotate(client.actor(), name).await;
    let rotated = rotated.map_err(|refusal| About::Key(name).fault(refusal))?;
    Ok(Json(key_bundle(&rotated, &client.url)))
}

pub(super) async fn read(door: &Door, client: &Client, name: &str) -> Answered {
    let policy = host(door)?.vault_rotation_policy(client.actor(), name).await;
    let policy = policy.map_err(|refusal| About::Key(name).fault(refusal))?;
    Ok(Json(policy_bundle(&policy, client, name)))
}

pub(super) async fn set(door: &Door, client: &Client, name: &str, body: &Raw) -> Answered {
    let body: PolicyBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let actions = body.lifetime_actions.unwrap_or_default();
    let actions = actions.into_iter().map(action).collect::<Result<_, Fault>>()?;
    let expiry = body.attributes.and_then(|attributes| attributes.expiry_time);
    let policy = RotationPolicy { actions, expiry, ..RotationPolicy::default() };
    let set = host(door)?.vault_set_rotation_policy(client.actor(), name, policy).await;
    let set = set.map_err(|refusal| About::Key(name).fault(refusal))?;
    Ok(Json(policy_bundle(&set, client, name)))
}

fn action(body: ActionBody) -> Result<LifetimeAction, Fault> {
    let kind = body.action.and_then(|action| action.kind).unwrap_or_default();
    let rotate = match kind.to_ascii_lowercase().as_str() {
        "rotate" => true,
        "notify" => false,
        _ => return Err(refuse("Property action.type must be Rotate or Notify.")),
    };
    let trigger =
        body.trigger.map(|trigger| (trigger.time_after_create, trigger.time_before_expiry));
    let trigger = match trigger {
        Some((Some(after), None)) => Trigger::AfterCreation(after),
        Some((None, Some(before))) => Trigger::BeforeExpiry(before),
        _ => return Err(refuse("A trigger has one of timeAfterCreate and timeBeforeExpiry.")),
    };
    Ok(LifetimeAction { trigger, rotate })
}

fn policy_bundle(policy: &RotationPolicy, client: &Client, name: &str) -> Value {
    let action = |action: &LifetimeAction| {
        let trigger = match &action.trigger {
            Trigger::AfterCreation(after) => json!({"timeAfterCreate": after}),
            Trigger::BeforeExpiry(before) => json!({"timeBeforeExpiry": before}),
        };
        let kind = if action.rotate { "Rotate" } else { "Notify" };
        json!({"trigger": trigger, "action": {"type": kind}})
    };
    let mut attributes = Map::new();
    attributes.insert("expiryTime".to_owned(), json!(policy.expiry));
    for (name, moment) in [("created", policy.created), ("updated", policy.updated)] {
        attributes.insert(name.to_owned(), json!(moment.map(|moment| moment.0)));
    }
    json!({
        "id": format!("{}/keys/{name}/rotationpolicy", client.url),
        "lifetimeActions": policy.actions.iter().map(action).collect::<Vec<_>>(),
        "attributes": attributes,
    })
}
