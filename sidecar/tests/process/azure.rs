//! `/attest/maa` and `/key/release` against the model of Azure's services that Azure's own clients were
//! run against (its limits: it verifies no evidence). Where it is not there the tests say `SKIPPED`.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use claviger_client::Trust;
use claviger_client::http::Service;
use data_encoding::BASE64;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::serve::{ANY_PORT, Served};
use crate::support::{Host, Running, skipped};

pub(crate) struct Model {
    _process: Running,
    /// `localhost:port`.
    pub(crate) endpoint: String,
    ca: Vec<u8>,
}

impl Model {
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = program.join("../../shared/peers/azure_model.py");
        let started = program.is_file().then(|| Self::launch(&program, folder)).flatten();
        if started.is_none() {
            skipped("the model of Azure's services");
        }
        started
    }

    fn launch(program: &Path, folder: &Path) -> Option<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let process = Command::new("python3")
            .arg(program)
            .args(["--port", &free.to_string(), "--dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = Running(process.ok()?);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take()?).read_line(&mut line).ok()?;
        let ca = std::fs::read(folder.join("ca.pem")).ok()?;
        let endpoint = format!("localhost:{free}");
        line.starts_with("listening").then_some(Self { _process: process, endpoint, ca })
    }

    /// Imports a key that the model's own attestation service may release.
    fn import(&self, name: &str, key: &Value) {
        import(&self.endpoint, &self.ca, "x", name, key);
    }
}

/// Imports a key that attestation by the service itself releases.
pub(crate) fn import(endpoint: &str, ca: &[u8], token: &str, name: &str, key: &Value) {
    let policy = json!({"version": "1.0.0", "anyOf": [{
            "authority": format!("https://{}", endpoint),
            "allOf": [{"claim": "x-ms-attestation-type", "equals": "sevsnpvm"}]}]});
    let body = json!({"key": key, "hsm": true, "attributes": {"exportable": true},
            "release_policy": {"data": data_encoding::BASE64URL_NOPAD.encode(policy.to_string().as_bytes())}});
    let tls = Trust::roots(ca).tls().unwrap();
    let service = Service::https(&format!("https://{}", endpoint), Arc::clone(&tls)).unwrap();
    let path = format!("/keys/{name}?api-version=7.4");
    let mut request = service.request(Method::PUT, &path, body.to_string().into_bytes()).unwrap();
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(service.send(request)).unwrap();
    assert!(answer.status().is_success(), "{:?}", answer.body());
}

#[test]
fn a_token_and_keys_of_two_kinds_come_from_the_models_services() {
    let Some(host) = Host::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = Model::start(folder.path()) else { return };
    let roots = folder.path().join("ca.pem");
    let more = format!("{ANY_PORT}[azure]\nroots = \"{}\"\n", roots.display());
    let served = Served::start(&host, &more);
    let endpoint = &model.endpoint;

    let runtime_data = BASE64.encode(br#"{"keys":[]}"#);
    let request = json!({"maa_endpoint": endpoint, "runtime_data": runtime_data});
    let (status, answer) = served.ask("POST", "/attest/maa", &request.to_string());
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["token"].as_str().unwrap().split('.').count(), 3);

    let k = data_encoding::BASE64URL_NOPAD.encode(&[0x5a; 32]);
    model.import("disk", &json!({"kty": "oct-HSM", "k": k}));
    let request = json!({"maa_endpoint": endpoint, "akv_endpoint": endpoint, "kid": "disk",
        "access_token": "x"});
    let (status, answer) = served.ask("POST", "/key/release", &request.to_string());
    assert_eq!(status, 200, "{answer}");
    let key: Value = serde_json::from_str(answer["key"].as_str().unwrap()).unwrap();
    assert_eq!((&key["kty"], &key["k"]), (&json!("oct"), &json!(k)));

    let absent = json!({"maa_endpoint": endpoint, "akv_endpoint": endpoint, "kid": "absent",
        "access_token": "x"});
    let (status, answer) = served.ask("POST", "/key/release", &absent.to_string());
    assert_eq!(status, 403, "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(error.contains("KeyNotFound") && error.contains("404 Not Found"), "{error}");
}

#[test]
fn a_vault_below_another_root_is_not_believed() {
    let Some(host) = Host::start() else { return };
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(model) = Model::start(folder.path()) else { return };
    let Some(_another) = Model::start(other.path()) else { return };
    let roots = other.path().join("ca.pem");
    let more = format!("{ANY_PORT}[azure]\nroots = \"{}\"\n", roots.display());
    let served = Served::start(&host, &more);
    let request = json!({"maa_endpoint": model.endpoint, "akv_endpoint": model.endpoint,
        "kid": "disk", "access_token": "x"});
    let (status, answer) = served.ask("POST", "/key/release", &request.to_string());
    assert_eq!(status, 403, "{answer}");
    assert!(answer["error"].as_str().unwrap().contains("not trusted"), "{answer}");
}
