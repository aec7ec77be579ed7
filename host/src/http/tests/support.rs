//! A host that remembers what it was asked, and a raw client that may misbehave.

use std::future::ready;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, ClientSettings};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::{
    Attested, Caller, Health, IssuedChallenge, KeySummary, NewKey, NewReleasePolicy, PluginChange,
    PluginSummary, Purpose, ReleasePolicySummary, ReleasedKey, RequestReport, Submission, Wanted,
};
use crate::foreign::Issuers;
use crate::http::azure::{
    AttestationSettings, AzureSettings, Principal, Principals, Proof, Signing, VaultSettings,
};
use crate::http::{
    AdminListener, Administrator, Answer, Api, DevelopmentCertificates, HttpSettings, Listener,
    Listeners, ServerCertificate, ServerHandle, serve, tls,
};
use crate::keys::TokenKeySummary;
use crate::permission::{Permission, Permissions};
use crate::random::SystemRandomness;
use crate::reference::{Change, Container, Reference};
use crate::tenant::Tenant;

pub(super) const NOW: Timestamp = Timestamp(1_767_225_600);

/// Remembers each call as one line; answers by the key's name.
#[derive(Default)]
pub(super) struct FakeHost {
    pub(super) calls: Mutex<Vec<String>>,
    /// A release of the key `slow` waits for this.
    pub(super) go: Notify,
    /// Notified when such a release has begun.
    pub(super) begun: Notify,
    pub(super) unhealthy: bool,
}

impl FakeHost {
    fn call(&self, caller: &Caller, what: impl std::fmt::Display) {
        let line = format!("{} {what}", caller.tenant);
        self.calls.lock().unwrap().push(line);
    }

    pub(super) fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn released(version: Option<&str>) -> ReleasedKey {
        ReleasedKey {
            jwe: "a.b.c.d.e".into(),
            media_type: "application/octet-stream".into(),
            version: version.unwrap_or("1").into(),
            status: "affirming",
            simulated: true,
            reads_key_material: false,
            audit_index: 7,
        }
    }

    async fn release(&self, key: &str, version: Option<&str>) -> Result<ReleasedKey, Refusal> {
        match key {
            "absent" => Err(Refusal::new(Code::KeyNotFound, "secret internals\nforged line")),
            "busy" => {
                let refusal = Refusal::new(Code::KmsUnavailable, "try later");
                Err(refusal.retry_after(Duration::from_millis(2500)))
            }
            "panic" => panic!("a fault with internals in its message"),
            "slow" => {
                self.begun.notify_one();
                self.go.notified().await;
                Ok(Self::released(version))
            }
            _ => Ok(Self::released(version)),
        }
    }
}

fn summary(name: &str) -> KeySummary {
    KeySummary {
        name: name.into(),
        version: "1".into(),
        kind: "oct-256".into(),
        enabled: true,
        created: NOW,
        updated: NOW.plus(60),
    }
}

impl Api for FakeHost {
    fn challenge(&self, caller: &Caller, purpose: Purpose) -> Result<IssuedChallenge, Refusal> {
        self.call(caller, format_args!("challenge {}", purpose.label()));
        Ok(IssuedChallenge {
            token: "challenge-token".into(),
            nonce: [0xfb; 32],
            expires: NOW,
            host: "host-1".into(),
            purpose: purpose.label(),
        })
    }

    fn attest<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        wanted: Wanted,
    ) -> Answer<'a, Attested> {
        self.call(caller, format_args!("attest {submission:?} {wanted:?}"));
        Box::pin(ready(Ok(Attested {
            token: "e30".into(),
            expires: NOW,
            status: "affirming",
            simulated: false,
            audit_index: u64::MAX,
        })))
    }

    fn release_with_evidence<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        submission: Submission,
    ) -> Answer<'a, ReleasedKey> {
        let challenge = submission.challenge;
        self.call(caller, format_args!("release {key} {version:?} evidence {challenge}"));
        Box::pin(self.release(key, version))
    }

    fn release_with_token<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        token: &'a str,
    ) -> Answer<'a, ReleasedKey> {
        self.call(caller, format_args!("release {key} {version:?} token {token}"));
        Box::pin(self.release(key, version))
    }

    fn create_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        key: NewKey,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} creates {key:?}"));
        let taken = Refusal::new(Code::Conflict, "taken\u{1b}[2J is there already");
        let broken = Refusal::new(Code::KmsUnavailable, "secret internals");
        Box::pin(ready(match key.name.as_str() {
            "taken" => Err(taken),
            "broken" => Err(broken),
            name => Ok(summary(name)),
        }))
    }

    fn rotate_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} rotates {name}"));
        Box::pin(ready(Ok(summary(name))))
    }

    fn list_keys<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<KeySummary>, Option<String>)> {
        self.call(caller, format_args!("{by} lists from {cursor:?}"));
        let next = cursor.is_none().then(|| "page-2".to_owned());
        Box::pin(ready(Ok((vec![summary("k")], next))))
    }

    fn get_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} reads {name}"));
        Box::pin(ready(Ok(summary(name))))
    }

    fn key_versions<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, Vec<KeySummary>> {
        self.call(caller, format_args!("{by} lists versions of {name}"));
        Box::pin(ready(Ok(vec![summary(name)])))
    }

    fn set_key_enabled<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
        version: Option<&'a str>,
        enabled: bool,
    ) -> Answer<'a, ()> {
        self.call(caller, format_args!("{by} sets {name} {version:?} {enabled}"));
        Box::pin(ready(Ok(())))
    }

    fn release_policy(
        &self,
        caller: &Caller,
        by: &str,
        name: &str,
    ) -> Result<ReleasePolicySummary, Refusal> {
        self.call(caller, format_args!("{by} reads the policy of {name}"));
        let (id, policy) = ("affirming".into(), NewReleasePolicy::affirming());
        Ok(ReleasePolicySummary { id, policy, created: NOW })
    }

    fn set_release_policy<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
        policy: NewReleasePolicy,
    ) -> Answer<'a, ReleasePolicySummary> {
        self.call(caller, format_args!("{by} sets the policy of {name} to {policy:?}"));
        let id = policy.language.name().to_owned();
        Box::pin(ready(Ok(ReleasePolicySummary { id, policy, created: NOW })))
    }

    fn delete_key<'a>(&'a self, caller: &'a Caller, by: &'a str, name: &'a str) -> Answer<'a, ()> {
        self.call(caller, format_args!("{by} deletes {name}"));
        Box::pin(ready(Ok(())))
    }

    fn add_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<String>,
    ) -> Answer<'a, Reference> {
        let length = bytes.len();
        self.call(caller, format_args!("{principal} adds {container:?} {length} {replaces:?}"));
        Box::pin(ready(Err(Refusal::new(Code::ReferenceRefused, "nobody signed it"))))
    }

    fn list_references<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<Reference>, Option<String>)> {
        self.call(caller, format_args!("{principal} lists references from {cursor:?}"));
        Box::pin(ready(Ok((Vec::new(), None))))
    }

    fn get_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, (Reference, Vec<u8>)> {
        self.call(caller, format_args!("{principal} reads reference {id}"));
        Box::pin(ready(Err(Refusal::new(Code::StoreUnavailable, "the store is away"))))
    }

    fn reference_history<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
    ) -> Answer<'a, Vec<Change>> {
        self.call(caller, format_args!("{principal} reads the history"));
        Box::pin(ready(Ok(Vec::new())))
    }

    fn revoke_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, ()> {
        self.call(caller, format_args!("{principal} revokes reference {id}"));
        Box::pin(ready(Ok(())))
    }

    fn token_keys(&self) -> Vec<TokenKeySummary> {
        Vec::new()
    }

    fn rotate_token_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        revoke: bool,
    ) -> Answer<'a, Vec<TokenKeySummary>> {
        self.call(caller, format_args!("{principal} rotates the token key, revoke {revoke}"));
        Box::pin(ready(Ok(Vec::new())))
    }

    fn discovery(&self) -> Value {
        json!({})
    }

    fn explain<'a>(&'a self, caller: &'a Caller, request: &'a str) -> Answer<'a, RequestReport> {
        self.call(caller, format_args!("explain {request}"));
        let records = vec![json!({ "request": request })];
        Box::pin(ready(Ok(RequestReport { records, attested: None, more: false })))
    }

    fn plugins(&self) -> Vec<PluginSummary> {
        vec![PluginSummary {
            name: "verifier-snp".into(),
            kind: "verifier",
            version: "0.1.0".into(),
            digest: "00".repeat(32),
            source: "bundled",
            signers: Vec::new(),
            imports: vec!["claviger:plugin/quotes@0.1.0".into()],
            reads_key_material: false,
            state: "serving",
            reason: None,
        }]
    }

    fn change_plugin<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        change: PluginChange,
    ) -> Answer<'a, PluginSummary> {
        let what = match change {
            PluginChange::Choose { name } => format!("chooses {name}"),
            PluginChange::Disable { name } => format!("disables {name}"),
            PluginChange::Install(package) => format!("installs {}", package.hex_digest()),
            PluginChange::RollBack { name, revoke } => format!("rolls {name} back, {revoke}"),
            PluginChange::Swap { name, revoke, .. } => format!("swaps {name}, {revoke}"),
        };
        self.call(caller, format_args!("{principal} {what}"));
        let plugin = self.plugins().pop();
        let none = || Refusal::new(Code::NotFound, "there is none");
        Box::pin(ready(plugin.ok_or_else(none)))
    }

    fn health<'a>(&'a self) -> std::pin::Pin<Box<dyn Future<Output = Health> + Send + 'a>> {
        Box::pin(ready(Health {
            healthy: !self.unhealthy,
            development: true,
            parts: vec![("store", "ok".into())],
        }))
    }

    fn jwks(&self) -> Value {
        json!({"keys": []})
    }

    fn audit_checkpoint(&self) -> String {
        "claviger\n1\nroot\n".into()
    }
}

/// A serving host and what a test needs to reach it.
pub(super) struct Served {
    pub(super) host: Arc<FakeHost>,
    pub(super) handle: ServerHandle,
    pub(super) authority: String,
}

/// No rate limit: every test comes from one address.
pub(super) fn settings() -> HttpSettings {
    HttpSettings { rate: None, ..HttpSettings::default() }
}

pub(super) async fn start(settings: HttpSettings) -> Served {
    start_host(FakeHost::default(), settings, Vec::new(), None).await
}

pub(super) async fn start_host(
    host: FakeHost,
    settings: HttpSettings,
    administrators: Vec<Administrator>,
    client_authority: Option<Vec<u8>>,
) -> Served {
    let minted = DevelopmentCertificates::mint(Timestamp(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
    ))
    .unwrap();
    let certificate =
        ServerCertificate::from_pem(minted.certificate.as_bytes(), minted.key.expose()).unwrap();
    let served = serve_with(host, settings, certificate, administrators, client_authority).await;
    Served { authority: minted.authority, ..served }
}

/// The face for clients of Microsoft's services, wholly open.
pub(super) fn azure(folder: PathBuf) -> AzureSettings {
    let names = [("payroll".to_owned(), Tenant::parse("hr").unwrap())].into();
    let mut azure = AzureSettings::new(None, names).unwrap();
    let token = |name: &str, token: &str, permissions: Permissions| Principal {
        name: name.to_owned(),
        tenant: None,
        proof: Proof::Token(crate::audit::Digest::of(token.as_bytes()).0),
        permissions,
    };
    let known = vec![
        token("officer", "officers-token", Permissions::all()),
        token("workload", "workloads-token", [Permission::KeysRelease].into_iter().collect()),
    ];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    azure.vault = Some(VaultSettings {
        authorization: "https://login.example/tenant".to_owned(),
        resource: None,
        principals: Principals::new(known, Issuers::default()),
        signing: Signing::Development { folder, now: Timestamp(now.as_secs()) },
    });
    azure.attestation = Some(AttestationSettings::default());
    azure
}

/// A host with that face.
pub(super) async fn start_azure(
    host: FakeHost,
    settings: HttpSettings,
    azure: AzureSettings,
) -> Served {
    let minted = DevelopmentCertificates::mint(Timestamp(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
    ))
    .unwrap();
    let certificate =
        ServerCertificate::from_pem(minted.certificate.as_bytes(), minted.key.expose()).unwrap();
    let host = Arc::new(host);
    let api = Listener { address: ([127, 0, 0, 1], 0).into(), certificate };
    let listeners = Listeners { api, admin: None, azure: Some(azure) };
    let random = Arc::new(SystemRandomness::default());
    let handle = serve(Arc::clone(&host) as _, random, settings, listeners).await.unwrap();
    Served { host, handle, authority: minted.authority }
}

pub(super) async fn serve_with(
    host: FakeHost,
    settings: HttpSettings,
    certificate: Arc<ServerCertificate>,
    administrators: Vec<Administrator>,
    client_authority: Option<Vec<u8>>,
) -> Served {
    let host = Arc::new(host);
    let listener =
        || Listener { address: ([127, 0, 0, 1], 0).into(), certificate: Arc::clone(&certificate) };
    let listeners = Listeners {
        azure: None,
        api: listener(),
        admin: Some(AdminListener { listener: listener(), client_authority, administrators }),
    };
    let api: Arc<dyn Api> = Arc::clone(&host) as _;
    let random = Arc::new(SystemRandomness::default());
    let handle = serve(api, random, settings, listeners).await.unwrap();
    Served { host, handle, authority: String::new() }
}

impl Served {
    pub(super) fn client_settings(&self) -> ClientSettings {
        let url = format!("https://localhost:{}", self.handle.api_address().port());
        ClientSettings::new(url, self.authority.as_bytes())
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.client_settings()).unwrap()
    }

    pub(super) fn admin_settings(&self) -> ClientSettings {
        let port = self.handle.admin_address().unwrap().port();
        ClientSettings::new(format!("https://localhost:{port}"), self.authority.as_bytes())
    }

    pub(super) async fn raw(&self) -> Raw {
        Raw::connect(self.handle.api_address().port(), &self.authority, &[b"http/1.1"]).await
    }

    /// A connection of another client.
    pub(super) async fn raw_from(&self, client: [u8; 4]) -> Raw {
        let port = self.handle.api_address().port();
        Raw::connect_from(client, port, &self.authority, &[b"http/1.1"]).await
    }

    pub(super) async fn raw_admin(&self) -> Raw {
        let port = self.handle.admin_address().unwrap().port();
        Raw::connect(port, &self.authority, &[b"http/1.1"]).await
    }
}

/// A TLS connection on which any bytes can be sent.
pub(super) struct Raw(pub(super) TlsStream<TcpStream>);

/// An answer as it stood on the wire.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The code of a problem, after a look at the rest of it.
    pub(super) fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        let code = self.body["code"].as_str().unwrap();
        assert_eq!(self.body["type"], format!("urn:claviger:problem:{code}"));
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"));
        code
    }
}

impl Raw {
    pub(super) async fn connect(port: u16, authority: &str, alpn: &[&[u8]]) -> Self {
        Self::connect_from([127, 0, 0, 1], port, authority, alpn).await
    }

    /// From another address of the loopback network: another client.
    pub(super) async fn connect_from(
        client: [u8; 4],
        port: u16,
        authority: &str,
        alpn: &[&[u8]],
    ) -> Self {
        let mut config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(tls::roots(authority.as_bytes()).unwrap())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((client, 0).into()).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        Self(connector.connect(name, stream).await.unwrap())
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// A whole request with `headers` (each line ended with CR LF) and the answer to it.
    pub(super) async fn ask(&mut self, line: &str, headers: &str, body: &str) -> Received {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\n{headers}{length}\r\n");
        self.send(head + body).await;
        self.receive().await
    }

    pub(super) async fn post(&mut self, path: &str, body: &str) -> Received {
        self.ask(&format!("POST {path}"), "content-type: application/json\r\n", body).await
    }

    /// A request whose body does not come. Returns once the host waits for it.
    pub(super) async fn begin_body(&mut self, path: &str) {
        let head = "host: h\r\ncontent-type: application/json\r\ncontent-length: 900\r\n";
        self.send(format!("POST {path} HTTP/1.1\r\n{head}expect: 100-continue\r\n\r\n")).await;
        assert_eq!(self.receive().await.status, 100);
    }

    pub(super) async fn receive(&mut self) -> Received {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut received =
            Received { status: head[9..12].parse().unwrap(), head, body: Value::Null };
        let length = received.header("content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        if length > 0 {
            received.body = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8(body).unwrap()));
        }
        received
    }

    /// Whether the host closes the connection within `limit`, whatever it says before.
    pub(super) async fn closed_within(&mut self, limit: Duration) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(limit, self.0.read_to_end(&mut rest)).await.is_ok()
    }
}
