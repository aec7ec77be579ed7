//! A site's host behind its front doors: TLS on loopback, ports of the system's choice.

use std::sync::Arc;

use claviger::audit::Digest;
use claviger::client::{Client, ClientSettings};
use claviger::clock::{Clock, SystemClock};
use claviger::flow::AttestationRules;
use claviger::foreign::Issuers;
use claviger::http::azure::{
    AttestationSettings, AzureSettings, Principal, Principals, Proof, Signing, VaultSettings,
};
use claviger::http::{
    AdminListener, Administrator, Credential, DevelopmentCertificates, HttpSettings, Listener,
    Listeners, ServerCertificate, ServerHandle, serve,
};
use claviger::permission::{Permissions, Role};
use claviger::random::SystemRandomness;
use claviger::tenant::Tenant;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Raw, Site};

/// The token of the administrator of all tenants.
pub const ADMINISTRATOR: &str = "administrators-token-for-the-tests";

/// The token of an administrator who sees what there is and changes nothing.
const AUDITOR: &str = "auditors-token-for-the-tests";

/// Serves until it is dropped.
pub struct Served {
    handle: ServerHandle,
    authority: Vec<u8>,
}

impl Site {
    /// Opens the front doors, without a rate limit: every test comes from one address.
    pub async fn serve(&self) -> Served {
        self.serve_by(HttpSettings { rate: None, ..HttpSettings::default() }).await
    }

    /// Opens the front doors.
    pub async fn serve_by(&self, settings: HttpSettings) -> Served {
        self.serve_with(settings, None).await
    }

    /// The same with the face that speaks as Azure's services do, for the principal who shows
    /// [`ADMINISTRATOR`].
    pub async fn serve_attestation(&self, rules: AttestationRules) -> Served {
        self.serve_attestation_to(rules, Permissions::all()).await
    }

    /// The same for a principal who may only this.
    pub async fn serve_attestation_to(
        &self,
        rules: AttestationRules,
        permissions: Permissions,
    ) -> Served {
        let now = SystemClock.now();
        let folder = self.ground.path().join("azure");
        DevelopmentCertificates::open(&folder, now).unwrap();
        let mut azure = AzureSettings::new(None, std::collections::BTreeMap::new()).unwrap();
        let principal = Principal {
            name: "tests".to_owned(),
            tenant: None,
            proof: Proof::Token(Digest::of(ADMINISTRATOR.as_bytes()).0),
            permissions,
        };
        azure.vault = Some(VaultSettings {
            authorization: "https://login.example/common".to_owned(),
            resource: None,
            principals: Principals::new(vec![principal], Issuers::default()),
            signing: Signing::Development { folder, now },
        });
        azure.attestation = Some(AttestationSettings { rules });
        self.serve_azure(azure).await
    }

    /// Opens the front doors with the one that clients of Microsoft's services know.
    pub async fn serve_azure(&self, azure: AzureSettings) -> Served {
        let settings = HttpSettings { rate: None, ..HttpSettings::default() };
        self.serve_with(settings, Some(azure)).await
    }

    async fn serve_with(&self, settings: HttpSettings, azure: Option<AzureSettings>) -> Served {
        // Certificates are looked at by the system's clock, on both sides.
        let minted = DevelopmentCertificates::mint(SystemClock.now()).unwrap();
        let (certificate, key) = (minted.certificate.as_bytes(), minted.key.expose());
        let certificate = ServerCertificate::from_pem(certificate, key).unwrap();
        let listener = || Listener {
            address: ([127, 0, 0, 1], 0).into(),
            certificate: Arc::clone(&certificate),
        };
        let administrator = |name: &str, permissions, token| Administrator {
            name: name.to_owned(),
            tenant: None,
            permissions,
            credential: Credential::of_token(token),
        };
        let auditor = Role::Auditor.permissions().iter().copied().collect();
        let administrators = vec![
            administrator("tests", Permissions::all(), ADMINISTRATOR),
            administrator("auditor", auditor, AUDITOR),
        ];
        let admin = AdminListener { listener: listener(), client_authority: None, administrators };
        let listeners = Listeners { api: listener(), admin: Some(admin), azure };
        let random = Arc::new(SystemRandomness::default());
        let handle = serve(self.host.clone(), random, settings, listeners).await.unwrap();
        Served { handle, authority: minted.authority.into_bytes() }
    }
}

impl Served {
    /// A workload's client of the default tenant.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.api()).unwrap()
    }

    /// A workload's client of a tenant.
    #[must_use]
    pub fn client_of(&self, tenant: &Tenant) -> Client {
        Client::new(ClientSettings { tenant: Some(tenant.clone()), ..self.api() }).unwrap()
    }

    /// The administrator's client.
    #[must_use]
    pub fn administrator(&self) -> Client {
        Client::new(self.admin()).unwrap()
    }

    /// The administrator's client for a tenant.
    #[must_use]
    pub fn administrator_of(&self, tenant: &Tenant) -> Client {
        Client::new(ClientSettings { tenant: Some(tenant.clone()), ..self.admin() }).unwrap()
    }

    /// The client of an administrator who sees what there is and changes nothing.
    #[must_use]
    pub fn auditor(&self) -> Client {
        Client::new(self.admin().token(AUDITOR)).unwrap()
    }

    /// The administrators' client with a token that nobody has.
    #[must_use]
    pub fn stranger(&self) -> Client {
        Client::new(self.admin().token("a-token-that-nobody-has")).unwrap()
    }

    /// A connection to the workloads' door on which anything can be sent.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.handle.api_address().port(), &self.authority).await
    }

    /// The same to the administrators' door.
    pub async fn raw_admin(&self) -> Raw {
        Raw::connect(self.admin_port(), &self.authority).await
    }

    /// The port of the workloads' door.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.handle.api_address().port()
    }

    /// The workloads' door, and the authority of its certificate (PEM).
    #[must_use]
    pub fn address(&self) -> (String, &[u8]) {
        let url = format!("https://localhost:{}", self.handle.api_address().port());
        (url, &self.authority)
    }

    /// Makes a key in the vault, 32 × `07`, that tokens of this authority get where they meet all of these
    /// conditions (`allOf` of the policy's grammar).
    pub async fn vault_key(&self, name: &str, authority: &str, conditions: Value) {
        let policy = json!({
            "version": "1.0.0", "anyOf": [{"authority": authority, "allOf": conditions}],
        });
        let key = json!({
            "key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&[7; 32]), "key_ops": ["encrypt", "decrypt"]},
            "hsm": true,
            "attributes": {"exportable": true},
            "release_policy": {"data": BASE64URL_NOPAD.encode(policy.to_string().as_bytes())},
        });
        let path = format!("/keys/{name}?api-version=7.4");
        let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
        let made = self.raw().await.ask("PUT", &path, &bearer, &key.to_string()).await;
        assert_eq!(made.status, 200, "{}", made.text);
    }

    fn admin_port(&self) -> u16 {
        self.handle.admin_address().unwrap().port()
    }

    fn api(&self) -> ClientSettings {
        let url = format!("https://localhost:{}", self.handle.api_address().port());
        ClientSettings::new(url, self.authority.clone())
    }

    fn admin(&self) -> ClientSettings {
        let url = format!("https://localhost:{}", self.admin_port());
        ClientSettings::new(url, self.authority.clone()).token(ADMINISTRATOR)
    }
}
