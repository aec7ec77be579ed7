//! What keys do: `POST /keys/{name}[/{version}]/{encrypt|decrypt|sign|verify|wrapkey|unwrapkey}`, and
//! random octets.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Client, host};
use super::keys::Answered;
use super::wire::{Octets, text};
use super::words::{About, refuse};
use crate::error::{Code, Refusal};
use crate::flow::vault::{Beside, Operation, OperationRequest};
use crate::http::azure::body::Json as Body;
use crate::http::azure::body::Raw;
use crate::http::door::Door;
use crate::secret::Secret;

/// The most random octets at once.
const MOST_RANDOM: usize = 128;

#[derive(Debug, Deserialize)]
struct OperationBody {
    alg: String,
    value: Option<Octets>,
    digest: Option<Octets>,
    iv: Option<Octets>,
    aad: Option<Octets>,
    tag: Option<Octets>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RandomBody {
    count: usize,
}

pub(super) async fn perform(
    door: &Door,
    client: &Client,
    name: &str,
    version: Option<&str>,
    verb: &str,
    body: &Raw,
) -> Answered {
    let operation = match verb {
        "decrypt" => Operation::Decrypt,
        "encrypt" => Operation::Encrypt,
        "sign" => Operation::Sign,
        "unwrapkey" => Operation::UnwrapKey,
        "verify" => Operation::Verify,
        "wrapkey" => Operation::WrapKey,
        _ => return Err(Refusal::new(Code::NotFound, "no such verb").into()),
    };
    let body: OperationBody = body.read().map_err(|refusal| About::Vault.fault(refusal))?;
    let octets = |octets: &Option<Octets>| octets.as_ref().map(|octets| octets.0.expose().to_vec());
    let (input, signature) = match operation {
        // The digest is checked, and `value` is the signature.
        Operation::Verify => (body.digest, octets(&body.value).unwrap_or_default()),
        _ => (body.value, Vec::new()),
    };
    let input = input.ok_or_else(|| refuse("Property value or digest is missing."))?.0;
    let beside = Beside { iv: octets(&body.iv), aad: octets(&body.aad), tag: octets(&body.tag) };
    let aad = body.aad;
    let request = OperationRequest { operation, algorithm: body.alg, input, signature, beside };
    let done = host(door)?.vault_perform(client.actor(), name, version, request).await;
    let done = done.map_err(|refusal| About::Key(name).fault(refusal))?;
    if operation == Operation::Verify {
        return Ok(Json(json!({"value": done.holds})));
    }
    let mut answer = Map::new();
    let kid = format!("{}/keys/{name}/{}", client.url, done.version);
    answer.insert("kid".to_owned(), json!(kid));
    answer.insert("value".to_owned(), json!(text(done.value.expose())));
    let aad = aad.filter(|_| done.tag.is_some()).map(|aad| aad.0.expose().to_vec());
    for (name, octets) in [("iv", done.iv), ("tag", done.tag), ("aad", aad)] {
        if let Some(octets) = octets {
            answer.insert(name.to_owned(), json!(text(&octets)));
        }
    }
    Ok(Json(Value::Object(answer)))
}

pub(super) async fn random(
    State(door): State<Door>,
    _client: Client,
    Body(body): Body<RandomBody>,
) -> Answered {
    if !(1..=MOST_RANDOM).contains(&body.count) {
        return Err(refuse("Property count must be from 1 to 128."));
    }
    let octets: Secret = host(&door)?.vault_random(body.count)?;
    Ok(Json(json!({"value": text(octets.expose())})))
}
