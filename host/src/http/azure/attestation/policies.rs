//! `/policies/{type}` and `/certificates`: what the service answers are tokens, signed by it. Who asks
//! is one of the principals of `[azure.vault]`; to change anything takes `policies/set`.

use axum::Json as Answer;
use axum::extract::{Path, Request, State};
use serde_json::{Value, json};

use super::attest::{failed, named};
use super::service;
use crate::error::{Code, Refusal};
use crate::flow::AttestationKind;
use crate::http::azure::error::Fault;
use crate::http::azure::vault::Client;
use crate::http::body;
use crate::http::door::Door;
use crate::permission::Permission;

type Answered = Result<Answer<Value>, Fault>;

/// What stands behind the type where its policy is reset.
const RESET: &str = ":reset";

pub(super) async fn read(
    State(door): State<Door>,
    Path(kind): Path<String>,
    client: Client,
) -> Answered {
    let (host, rules) = service(&door)?;
    let token = host.maa_policy(&client.caller, &client.url, named(&kind)?, rules).await?;
    answer(token)
}

pub(super) async fn set(
    State(door): State<Door>,
    Path(kind): Path<String>,
    client: Client,
    request: Request,
) -> Answered {
    let kind = named(&kind)?;
    let (host, rules) = service(&door)?;
    let Client { caller, principal, url, .. } = &may_set(client)?;
    let token = token(request, &door).await?;
    let set = host.maa_set_policy(caller, principal, url, kind, &token, rules).await;
    answer(set.map_err(failed)?)
}

pub(super) async fn reset(
    State(door): State<Door>,
    Path(kind): Path<String>,
    client: Client,
    request: Request,
) -> Answered {
    let kind = kind.strip_suffix(RESET);
    let kind: AttestationKind = match kind {
        Some(kind) => named(kind)?,
        None => return Err(Refusal::new(Code::MethodNotAllowed, "not `:reset`").into()),
    };
    let (host, rules) = service(&door)?;
    let Client { caller, principal, url, .. } = &may_set(client)?;
    let token = token(request, &door).await?;
    let reset = host.maa_reset_policy(caller, principal, url, kind, &token, rules).await;
    answer(reset.map_err(failed)?)
}

pub(super) async fn certificates(State(door): State<Door>, client: Client) -> Answered {
    let (host, rules) = service(&door)?;
    answer(host.maa_signers(&client.caller, &client.url, rules).await?)
}

pub(super) async fn add_certificate(
    State(door): State<Door>,
    client: Client,
    request: Request,
) -> Answered {
    change_certificates(&door, client, request, true).await
}

pub(super) async fn remove_certificate(
    State(door): State<Door>,
    client: Client,
    request: Request,
) -> Answered {
    change_certificates(&door, client, request, false).await
}

async fn change_certificates(
    door: &Door,
    client: Client,
    request: Request,
    present: bool,
) -> Answered {
    let (host, rules) = service(door)?;
    let Client { caller, principal, url, .. } = &may_set(client)?;
    let token = token(request, door).await?;
    let changed = host.maa_change_signers(caller, principal, url, &token, present, rules).await;
    answer(changed.map_err(failed)?)
}

fn may_set(client: Client) -> Result<Client, Refusal> {
    client.permissions.require(Permission::PoliciesSet, &client.principal)?;
    Ok(client)
}

fn answer(token: String) -> Answered {
    Ok(Answer(json!({"token": token})))
}

/// A JWT, as it is or as a JSON text.
async fn token(request: Request, door: &Door) -> Result<String, Refusal> {
    let malformed = || Refusal::new(Code::RequestMalformed, "the body is no JWT");
    let bytes = body::read(request, &door.settings).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=".contains(&byte);
    match text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(malformed()),
    }
}
