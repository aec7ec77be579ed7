//! Clients of Azure Key Vault: what they may, what they get, and what they are told, by a host in this process.

mod bodies;
mod keys;
mod permissions;
mod releases;
mod secrets;
mod wrapped;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use claviger::assemble::Plan;
use claviger::audit::Digest;
use claviger::foreign::{IssuerPlan, Issuers};
use claviger::http::DevelopmentCertificates;
use claviger::http::azure::{AzureSettings, Principal, Principals, Proof, Signing, VaultSettings};
use claviger::permission::{Permissions, Role};
use claviger_tests::site::{Answer, Ground, NOW, Raw, Served, Site, tenant};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// The attestation service whose tokens are believed.
pub(super) const ATTESTATION: &str = "https://attestation.example";

/// The service whose access tokens are believed.
const IDENTITY: &str = "https://identity.example";

/// Signs tokens, as a service.
pub(super) struct Service {
    issuer: &'static str,
    key: EcdsaKeyPair,
}

impl Service {
    pub(super) fn new(issuer: &'static str) -> Self {
        Self { issuer, key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
    }

    fn plan(&self, audience: Option<&str>) -> IssuerPlan {
        let point = self.key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| BASE64URL_NOPAD.encode(part));
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": self.issuer, "x": x, "y": y});
        IssuerPlan {
            issuer: self.issuer.to_owned(),
            audience: audience.map(str::to_owned),
            ca: None,
            jwks: Some(json!({"keys": [jwk]}).to_string().into_bytes()),
            jwks_host: None,
            max_token_age: 300,
        }
    }

    /// A token with these claims besides issuer and times.
    pub(super) fn token(&self, more: Value) -> String {
        let mut claims =
            json!({"iss": self.issuer, "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 3600});
        claims.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        let header = json!({"alg": "ES256", "kid": self.issuer, "typ": "JWT"});
        let encode = |part: Value| BASE64URL_NOPAD.encode(part.to_string().as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

/// A host with a vault, and everything that a test needs of it.
pub(super) struct Vault {
    pub(super) site: Site,
    pub(super) served: Served,
    pub(super) attestation: Service,
    pub(super) identity: Service,
    raw: tokio::sync::Mutex<Raw>,
}

impl Vault {
    pub(super) async fn open() -> Self {
        Self::believing(Vec::new()).await
    }

    /// One that believes the tokens of others, too.
    pub(super) async fn believing(others: Vec<IssuerPlan>) -> Self {
        Self::with(|_, plan| plan.authorities.extend(others)).await
    }

    /// One of a host that is configured otherwise.
    pub(super) async fn with(change: impl FnOnce(&Ground, &mut Plan)) -> Self {
        let (attestation, identity) = (Service::new(ATTESTATION), Service::new(IDENTITY));
        let site = Site::with(|ground, plan| {
            plan.authorities = vec![attestation.plan(None)];
            change(ground, plan);
        });
        let site = site.await;
        let now = NOW;
        DevelopmentCertificates::open(site.ground.path(), now).unwrap();
        let mut azure =
            AzureSettings::new(None, [("payroll".to_owned(), tenant("hr"))].into()).unwrap();
        let hashed = |name: &str, roles: &[Role]| Principal {
            name: name.to_owned(),
            tenant: (name == "of-hr").then(|| tenant("hr")),
            proof: Proof::Token(Digest::of(name.as_bytes()).0),
            permissions: permissions(roles),
        };
        let mut principals: Vec<_> = [
            ("root", Role::Administrator),
            ("auditor", Role::Auditor),
            ("officer", Role::CryptoOfficer),
            ("user", Role::CryptoUser),
            ("workload", Role::ReleaseUser),
            ("reader", Role::SecretsUser),
            ("of-hr", Role::Administrator),
        ]
        .map(|(name, role)| hashed(name, &[role]))
        .into();
        principals.push(Principal {
            name: "by-claims".to_owned(),
            tenant: None,
            proof: Proof::Claims {
                issuer: IDENTITY.to_owned(),
                claims: [("oid".to_owned(), "1".to_owned()), ("azp".to_owned(), "2".to_owned())]
                    .into(),
            },
            permissions: permissions(&[Role::Auditor]),
        });
        let issuers = Issuers::new(vec![identity.plan(Some("https://vault.example"))], "").unwrap();
        azure.vault = Some(VaultSettings {
            authorization: "https://identity.example/tenant".to_owned(),
            resource: None,
            principals: Principals::new(principals, issuers),
            signing: Signing::Development { folder: site.ground.path().to_owned(), now },
        });
        let served = site.serve_azure(azure).await;
        let raw = tokio::sync::Mutex::new(served.raw().await);
        Self { site, served, attestation, identity, raw }
    }

    /// A request of a principal.
    pub(super) async fn ask(&self, by: &str, method: &str, path: &str, body: Value) -> Answer {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}api-version=7.4");
        let headers = format!("authorization: Bearer {by}\r\ncontent-type: application/json\r\n");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw.lock().await.ask(method, &path, &headers, &body).await
    }

    /// What everything is answered that succeeds.
    pub(super) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask("root", method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.body()
    }

    /// Status, code and inner code of what is refused.
    pub(super) async fn refused(
        &self,
        by: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, String, String) {
        let answer = self.ask(by, method, path, body).await;
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        let error = answer.body()["error"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.header("x-ms-error-code"), error["code"].as_str());
        (answer.status, text(&error["code"]), text(&error["innererror"]["code"]))
    }

    /// The URL that identifiers begin with.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}", self.served.port())
    }
}

fn permissions(roles: &[Role]) -> Permissions {
    roles.iter().flat_map(|role| role.permissions()).copied().collect()
}

/// The release policy that wants a claim of the attestation service.
pub(super) fn policy(value: &str) -> Value {
    json!({"version": "1.0.0", "anyOf": [{"authority": ATTESTATION, "allOf": [
        {"claim": "x-ms-isolation-tee.x-ms-attestation-type", "equals": value}]}]})
}

/// The same as a request has it.
pub(super) fn wire_policy(value: &str, immutable: bool) -> Value {
    let data = BASE64URL_NOPAD.encode(policy(value).to_string().as_bytes());
    json!({"contentType": "application/json; charset=utf-8", "data": data, "immutable": immutable})
}
