//! A fake of Vault's HTTP API, written from its published documents (openbao.org/api-docs: `secret/kv`,
//! `secret/transit`, `auth/approle`, `auth/jwt`, `auth/kubernetes`, `system/health`).
//!
//! Its limits: one token policy (a token may read everything or nothing), no leases but a login's, no
//! namespaces but that it notes them, transit "ciphertexts" that are only names of what it remembers,
//! and neither seals nor replication beyond the statuses that a test sets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::server::{Asked, Server};
use crate::service::Reply;

/// What it remembers.
#[derive(Default)]
pub struct State {
    /// Secrets of KV version 1 and 2: path to versions, the latest last; none: deleted.
    pub secrets: BTreeMap<String, Vec<Option<Value>>>,
    /// Exportable transit keys: name to versions.
    pub keys: BTreeMap<String, Vec<Vec<u8>>>,
    /// Tokens that are good.
    pub tokens: Vec<String>,
    /// AppRole: role identifier and secret identifier that may log in.
    pub approle: Option<(String, String)>,
    /// JWT and Kubernetes: role and token that may log in.
    pub jwt: Option<(String, String)>,
    /// What is answered whatever is asked, where it is set.
    pub instead: Option<Reply>,
    logins: usize,
    data_keys: Vec<Vec<u8>>,
}

/// The running fake.
pub struct FakeVault {
    /// The server.
    pub server: Server,
    state: Arc<Mutex<State>>,
}

impl FakeVault {
    /// Starts it with nothing in it.
    pub async fn start(folder: &Path) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(folder, move |asked| answer(&mut shared.lock().unwrap(), asked));
        Self { server: server.await, state }
    }

    /// What it remembers, to change.
    ///
    /// # Panics
    /// Where an answer did.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts a version of a secret, with the key in base64 in its field `value`.
    pub fn put(&self, path: &str, key: &[u8]) {
        let value = json!({ "value": BASE64.encode(key), "note": "not secret, nor shown" });
        self.state().secrets.entry(path.to_owned()).or_default().push(Some(value));
    }

    /// How many logins there were.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.state().logins
    }
}

fn answer(state: &mut State, asked: &Asked) -> Reply {
    let path = asked.path().to_owned();
    if path == "/v1/sys/health" && state.instead.is_none() {
        return reply(200, &json!({ "initialized": true, "sealed": false }));
    }
    if path.starts_with("/v1/auth/") && path.ends_with("/login") {
        return login(state, &path, &asked.json());
    }
    if let Some(instead) = &state.instead {
        return instead.clone();
    }
    let token = asked.header("x-vault-token").unwrap_or_default();
    if !state.tokens.iter().any(|good| good == token) {
        // As some proxies before it do: what was sent comes back.
        return reply(403, &json!({ "errors": [format!("permission denied for {token}")] }));
    }
    let parts: Vec<_> = path.trim_start_matches("/v1/").split('/').collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["secret", "data", path @ ..]) => kv_v2(state, &path.join("/"), &asked.target),
        ("GET", ["kv1", path @ ..]) => kv_v1(state, &path.join("/")),
        ("GET", ["transit", "export", "encryption-key", name, version]) => {
            export(state, name, version)
        }
        ("POST", ["transit", "datakey", "wrapped", _]) => {
            let bits = asked.json()["bits"].as_u64().unwrap_or(256);
            let mut key = vec![0; usize::try_from(bits / 8).unwrap()];
            aws_lc_rs::rand::fill(&mut key).unwrap();
            state.data_keys.push(key);
            let ciphertext = format!("vault:v1:{}", BASE64.encode(&[state.data_keys.len() as u8]));
            reply(200, &json!({ "data": { "ciphertext": ciphertext, "key_version": 1 } }))
        }
        ("POST", ["secret", "data", path @ ..]) => put_v2(state, &path.join("/"), &asked.json()),
        ("POST", ["kv1", path @ ..]) => {
            let versions = state.secrets.entry(path.join("/")).or_default();
            versions.push(Some(asked.json()));
            Reply::status(204)
        }
        ("POST", ["transit", "encrypt", _]) => {
            let plaintext = asked.json()["plaintext"].as_str().unwrap_or_default().to_owned();
            state.data_keys.push(BASE64.decode(plaintext.as_bytes()).unwrap());
            let ciphertext = format!("vault:v1:{}", BASE64.encode(&[state.data_keys.len() as u8]));
            reply(200, &json!({ "data": { "ciphertext": ciphertext, "key_version": 1 } }))
        }
        ("POST", ["transit", "decrypt", _]) => {
            let ciphertext = asked.json()["ciphertext"].as_str().unwrap_or_default().to_owned();
            let number = ciphertext.strip_prefix("vault:v1:").map(str::as_bytes);
            let number = number.and_then(|number| BASE64.decode(number).ok());
            let place = number.and_then(|number| number.first()?.checked_sub(1));
            match place.and_then(|place| state.data_keys.get(usize::from(place))) {
                Some(key) => reply(200, &json!({ "data": { "plaintext": BASE64.encode(key) } })),
                None => reply(400, &json!({ "errors": ["invalid ciphertext"] })),
            }
        }
        _ => reply(404, &json!({ "errors": [] })),
    }
}

fn login(state: &mut State, path: &str, body: &Value) -> Reply {
    state.logins += 1;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (wanted, given) = match path {
        "/v1/auth/approle/login" => (&state.approle, (text("role_id"), text("secret_id"))),
        "/v1/auth/jwt/login" | "/v1/auth/kubernetes/login" => {
            (&state.jwt, (text("role"), text("jwt")))
        }
        _ => (&None, Default::default()),
    };
    if wanted.as_ref() != Some(&given) {
        return reply(400, &json!({ "errors": [format!("invalid {}", given.1)] }));
    }
    let token = format!("hvs.login-{}", state.logins);
    state.tokens.push(token.clone());
    reply(200, &json!({ "auth": { "client_token": token, "lease_duration": 600 } }))
}

fn kv_v1(state: &State, path: &str) -> Reply {
    let found = state.secrets.get(path).and_then(|versions| versions.last()?.clone());
    match found {
        Some(data) => reply(200, &json!({ "data": data, "lease_duration": 2_764_800 })),
        None => reply(404, &json!({ "errors": [] })),
    }
}

fn kv_v2(state: &State, path: &str, target: &str) -> Reply {
    let Some(versions) = state.secrets.get(path) else {
        return reply(404, &json!({ "errors": [] }));
    };
    let asked = target.split_once("version=").and_then(|(_, version)| version.parse().ok());
    let number: usize = asked.unwrap_or(versions.len());
    let metadata = |deletion: &str| {
        json!({ "version": number, "deletion_time": deletion, "destroyed": false,
            "created_time": "2026-11-24T04:00:00Z", "custom_metadata": null })
    };
    match number.checked_sub(1).and_then(|place| versions.get(place)) {
        None => reply(404, &json!({ "errors": [] })),
        Some(None) => {
            let data = json!({ "data": null, "metadata": metadata("2026-11-24T05:00:00Z") });
            reply(404, &json!({ "data": data }))
        }
        Some(Some(secret)) => {
            let data = json!({ "data": secret, "metadata": metadata("") });
            reply(200, &json!({ "request_id": "r", "data": data, "warnings": null }))
        }
    }
}

fn put_v2(state: &mut State, path: &str, body: &Value) -> Reply {
    let versions = state.secrets.entry(path.to_owned()).or_default();
    if body["options"]["cas"].as_u64().is_some_and(|cas| cas != versions.len() as u64) {
        let why = "check-and-set parameter did not match the current version";
        return reply(400, &json!({ "errors": [why] }));
    }
    versions.push(Some(body["data"].clone()));
    let data = json!({ "version": versions.len(), "created_time": "2026-11-24T04:00:00Z",
        "deletion_time": "", "destroyed": false });
    reply(200, &json!({ "data": data }))
}

fn export(state: &State, name: &str, version: &str) -> Reply {
    let Some(versions) = state.keys.get(name) else {
        return reply(404, &json!({ "errors": [] }));
    };
    let number = match version {
        "latest" => versions.len(),
        number => number.parse().unwrap_or(0),
    };
    match number.checked_sub(1).and_then(|place| versions.get(place)) {
        Some(key) => {
            let keys = json!({ number.to_string(): BASE64.encode(key) });
            reply(200, &json!({ "data": { "name": name, "keys": keys, "type": "aes256-gcm96" } }))
        }
        None => reply(400, &json!({ "errors": ["invalid version"] })),
    }
}

fn reply(status: u16, body: &Value) -> Reply {
    let headers = vec![("content-type", "application/json".to_owned())];
    Reply { headers, body: body.to_string().into_bytes(), ..Reply::status(status) }
}
