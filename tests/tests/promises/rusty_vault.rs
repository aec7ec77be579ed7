//! Keys of a real server that speaks Vault's API: RustyVault, on loopback over TLS, ended by the test. It
//! has version 1 of the key-value engine and logins by AppRole, and neither policies that it enforces nor a
//! transit engine. Where it
//! is not installed (`cargo install rusty_vault`, or `CLAVIGER_RVAULT` names it) these tests say
//! `SKIPPED`, and fail where `CI=true`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger::clock::{Clock, SystemClock};
use claviger::credentials::{CredentialKind, EndpointPlan, SecretSource, VaultLogin, VaultPlan};
use claviger::egress::{
    EgressLimits, Gate, Outgoing, Resolver, SystemResolver, TargetPlan, TlsPlan,
};
use claviger::error::{Code, Refusal};
use claviger::http::DevelopmentCertificates;
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, Site, caller, code, new_key};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::vault::{connected, secret};

/// The running server, initialized and unsealed.
struct RustyVault {
    process: Child,
    folder: TempDir,
    url: String,
    ca: Vec<u8>,
    gate: Gate,
    root: String,
}

impl Drop for RustyVault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl RustyVault {
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let certificates = DevelopmentCertificates::open(folder.path(), SystemClock.now()).unwrap();
        std::fs::write(at("chain.pem"), certificates.certificate).unwrap();
        std::fs::write(at("server.key"), certificates.key.expose()).unwrap();
        std::fs::create_dir(at("data")).unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let configuration = format!(
            r#"storage "file" {{ path = "{}" }}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = "false"
  tls_cert_file = "{}"
  tls_key_file = "{}"
}}
work_dir = "{}"
"#,
            at("data"),
            at("chain.pem"),
            at("server.key"),
            at("data")
        );
        std::fs::write(at("config.hcl"), configuration).unwrap();
        let program = std::env::var_os("CLAVIGER_RVAULT").unwrap_or_else(|| "rvault".into());
        let started = Command::new(program)
            .args(["server", "--config", &at("config.hcl")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!required, "RustyVault is not installed");
            println!("SKIPPED: RustyVault is not installed");
            return None;
        };
        let (url, ca) = (format!("https://localhost:{port}"), std::fs::read(at("ca.pem")).unwrap());
        let gate = gate(&url, &ca);
        let mut vault = Self { process, folder, url, ca, gate, root: String::new() };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                vault.unseal().await;
                return Some(vault);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("RustyVault does not listen");
    }

    async fn unseal(&mut self) {
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = self.ask("PUT", "sys/init", &shares).await;
        let opened = self.ask("PUT", "sys/unseal", &json!({"key": made["keys"][0]})).await;
        assert_eq!(opened["sealed"], false);
        self.root = made["root_token"].as_str().unwrap().to_owned();
    }

    /// Asks as its owner; the answer is one of success.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/v1/{path}", self.url);
        let headers = [("x-vault-token".to_owned(), self.root.clone())];
        let answer = self.gate.send(Outgoing {
            method,
            url: &url,
            headers: &headers,
            body: body.to_string().into_bytes(),
            credential: None,
            tenant: None,
            ends: Instant::now() + Duration::from_secs(9),
        });
        let answer = answer.await.unwrap();
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.status);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    async fn put(&self, name: &str, key: &[u8]) {
        let path = format!("secret/claviger/default/{name}");
        self.ask("POST", &path, &json!({ "value": BASE64.encode(key) })).await;
    }

    /// A role, and a secret to log in with.
    async fn role(&self) -> (String, String) {
        self.ask("POST", "sys/auth/approle", &json!({"type": "approle"})).await;
        let role = json!({"token_policies": "default", "token_ttl": "60s"});
        self.ask("POST", "auth/approle/role/claviger", &role).await;
        let id = self.ask("GET", "auth/approle/role/claviger/role-id", &Value::Null).await;
        let id = id["data"]["role_id"].as_str().unwrap().to_owned();
        (id, self.secret_id().await)
    }

    async fn secret_id(&self) -> String {
        let made = self.ask("POST", "auth/approle/role/claviger/secret-id", &json!({})).await;
        made["data"]["secret_id"].as_str().unwrap().to_owned()
    }

    /// A host whose keys are here, and which logs in with this role.
    async fn host(&self, role_id: &str, secret_id: &str) -> Site {
        let login = |endpoint: &EndpointPlan| {
            let file = secret(self.folder.path(), "secret-id", secret_id);
            CredentialKind::Vault(VaultPlan {
                endpoint: endpoint.clone(),
                mount: "approle".to_owned(),
                namespace: None,
                login: VaultLogin::AppRole {
                    role_id: role_id.to_owned(),
                    secret_id: Some(SecretSource::File(file)),
                },
            })
        };
        let server = (self.url.as_str(), self.ca.as_slice());
        let settings = [("engine", "kv-v1")];
        connected(Ground::new(), server, "kms-vault", &settings, login, |_| ()).await
    }
}

fn gate(url: &str, ca: &[u8]) -> Gate {
    let target = TargetPlan {
        url: format!("{url}/v1/"),
        methods: ["GET", "POST", "PUT"].map(str::to_owned).into(),
        tls: TlsPlan { roots: ca.to_vec(), identity: None },
        addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        ..TargetPlan::default()
    };
    let (resolver, clock): (Arc<dyn Resolver>, Arc<dyn Clock>) =
        (Arc::new(SystemResolver), Arc::new(SystemClock));
    Gate::new(vec![target], EgressLimits::default(), &resolver, &clock).unwrap()
}

async fn adopt(site: &Site, name: &str) -> Result<(), Refusal> {
    let caller = caller(&Tenant::default());
    site.host.create_key(&caller, "tests", new_key(name)).await.map(drop)
}

async fn released(site: &Site, name: &str) -> Result<Vec<u8>, Refusal> {
    let guest = Guest::new();
    Ok(guest.open(&site.release(&guest, name).await?.jwe))
}

#[tokio::test]
async fn a_key_of_a_real_vault_is_released_as_it_stands_there_and_one_that_is_absent_is_not() {
    let Some(vault) = RustyVault::start().await else { return };
    vault.put("k", &[7; 32]).await;
    let (role_id, secret_id) = vault.role().await;
    let site = vault.host(&role_id, &secret_id).await;
    adopt(&site, "k").await.unwrap();
    assert_eq!(released(&site, "k").await.unwrap(), [7; 32]);
    let record = site.records().pop().unwrap();
    assert_eq!(record["connector"]["name"], "kms-vault", "{record}");
    // Changed there.
    vault.put("k", &[8; 32]).await;
    assert_eq!(released(&site, "k").await.unwrap(), [8; 32]);
    // Shorter than the key that was announced.
    vault.put("k", &[9; 16]).await;
    assert_eq!(code(released(&site, "k").await), Code::RequestMalformed);
    assert_eq!(code(adopt(&site, "absent").await), Code::KeyNotFound);
}

#[tokio::test]
async fn a_login_that_a_real_vault_refuses_releases_nothing_and_the_next_secret_is_picked_up() {
    let Some(vault) = RustyVault::start().await else { return };
    vault.put("k", &[7; 32]).await;
    let (role_id, good) = vault.role().await;
    let site = vault.host(&role_id, "not-the-secret").await;
    let refused = adopt(&site, "k").await.unwrap_err();
    assert_eq!(refused.code, Code::KmsMisconfigured, "{refused}");
    // The file was written anew; nothing was restarted.
    secret(vault.folder.path(), "secret-id", &good);
    // After a failure nobody asks again for two seconds of the host's clock.
    site.at(3);
    adopt(&site, "k").await.unwrap();
    assert_eq!(released(&site, "k").await.unwrap(), [7; 32]);
}
