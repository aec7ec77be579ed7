//! A host that is served, and what a test needs to reach it.

mod fake_host;
pub(super) mod http2;
mod raw;

use std::path::PathBuf;
use std::sync::Arc;

use crate::client::{Client, ClientSettings};
use crate::clock::Timestamp;
use crate::foreign::Issuers;
use crate::http::azure::{
    AttestationSettings, AzureSettings, Principal, Principals, Proof, Signing, VaultSettings,
};
use crate::http::{
    AdminListener, Administrator, Api, DevelopmentCertificates, HttpSettings, Listener, Listeners,
    ServerCertificate, ServerHandle, serve,
};
use crate::permission::{Permission, Permissions};
use crate::random::SystemRandomness;
use crate::tenant::Tenant;

pub(super) use fake_host::FakeHost;
pub(super) use raw::{Raw, Received};

pub(super) const NOW: Timestamp = Timestamp(1_767_225_600);

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
