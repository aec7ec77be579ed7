//! Keys of Azure Key Vault: secrets, and keys that the vault itself releases to the recipient that a
//! token of Azure Attestation names.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair as _;
use claviger::assemble::{Plan, PluginPlan};
use claviger::clock::{Clock, SystemClock};
use claviger::credentials::{CredentialKind, CredentialPlan, HeaderPlan, SecretSource};
use claviger::egress::{
    EgressLimits, Gate, Outgoing, Resolver, SystemResolver, TargetPlan, TlsPlan,
};
use claviger::error::Code;
use claviger::flow::{NewKey, NewReleasePolicy, ReportDataInput};
use claviger::foreign::IssuerPlan;
use claviger::http::AttestationRequest;
use claviger::keys::RecipientKind;
use claviger::release_policy::Language;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::azure_model::AzureModel;
use claviger_tests::server::Server;
use claviger_tests::service::Reply;
use claviger_tests::site::{Ground, Guest, Site, caller, code, new_key};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use super::key_vault::Vault;

const VERSION: &str = "00112233445566778899aabbccddeeff";

fn private(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The connector, for the vault at `url`.
pub(super) fn connector(folder: &Path, url: &str, ca: &[u8], source: &str) -> PluginPlan {
    let source_of_token = SecretSource::File(private(folder, "token", "a.b.c-token"));
    let header = HeaderPlan {
        header: "authorization".to_owned(),
        prefix: "Bearer ".to_owned(),
        source: source_of_token,
    };
    let kind = CredentialKind::Header(header);
    let target = TargetPlan {
        credential: Some(CredentialPlan { name: "azure".to_owned(), kind }),
        withhold: vec!["/value".parse().unwrap()],
        ..target(url, ca)
    };
    // The vault's answer to a release is wrapped already, and signed.
    let keys = TargetPlan {
        url: format!("{url}/keys/"),
        withhold: Vec::new(),
        signed_releases: Some(ca.to_vec()),
        ..target.clone()
    };
    let secrets = TargetPlan { url: format!("{url}/secrets/"), ..target };
    let values = [("vault", url), ("source", source)];
    PluginPlan {
        name: "kms-azure".to_owned(),
        values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        targets: vec![keys, secrets],
        wraps_for_recipient: source == "release",
        limits: claviger::plugin::Limits {
            deadline: Duration::from_secs(8),
            ..claviger::plugin::Limits::default()
        },
        ..PluginPlan::default()
    }
}

fn target(url: &str, ca: &[u8]) -> TargetPlan {
    TargetPlan {
        url: format!("{url}/"),
        methods: ["GET", "POST", "PUT"].map(str::to_owned).into(),
        tls: TlsPlan { roots: ca.to_vec(), identity: None },
        addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        ..TargetPlan::default()
    }
}

/// What somebody else does at the model: puts keys there, gets tokens.
async fn ask(model: &AzureModel, method: &str, path: &str, body: Value) -> Value {
    let resolver: Arc<dyn Resolver> = Arc::new(SystemResolver);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let targets = vec![target(&model.url, &model.ca)];
    let gate = Gate::new(targets, EgressLimits::default(), &resolver, &clock).unwrap();
    let (url, headers) = (
        format!("{}{path}", model.url),
        [
            ("authorization".to_owned(), "Bearer x".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
    );
    let answer = gate.send(Outgoing {
        method,
        url: &url,
        headers: &headers,
        body: body.to_string().into_bytes(),
        credential: None,
        tenant: None,
        ends: Instant::now() + Duration::from_secs(9),
    });
    let answer = answer.await.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A recipient with an RSA key of its own.
struct Recipient {
    key: OaepPrivateDecryptingKey,
    jwk: Value,
}

impl Recipient {
    fn new() -> Self {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let public = KeyPair::from_pkcs8(der.as_ref()).unwrap().public_key().clone();
        let n = public.modulus().big_endian_without_leading_zero();
        let n = BASE64URL_NOPAD.encode(n);
        let kid = digest(&SHA256, format!(r#"{{"e":"AQAB","kty":"RSA","n":"{n}"}}"#).as_bytes());
        let kid = BASE64URL_NOPAD.encode(kid.as_ref());
        let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": kid, "key_ops": ["encrypt"]});
        Self { key: OaepPrivateDecryptingKey::new(key).unwrap(), jwk }
    }

    /// A token of the model's for this key.
    async fn token(&self, model: &AzureModel) -> String {
        let runtime = json!({ "keys": [self.jwk] }).to_string();
        let mut report = vec![0; 1184];
        report[80..112].copy_from_slice(digest(&SHA256, runtime.as_bytes()).as_ref());
        let report = json!({ "SnpReport": BASE64URL_NOPAD.encode(&report) }).to_string();
        let body = json!({
            "report": BASE64URL_NOPAD.encode(report.as_bytes()),
            "runtimeData": { "data": BASE64URL_NOPAD.encode(runtime.as_bytes()), "dataType": "JSON" },
        });
        let answer = ask(model, "POST", "/attest/SevSnpVm?api-version=2022-08-01", body).await;
        answer["token"].as_str().unwrap().to_owned()
    }

    /// Opens what the vault wrapped: RSA-OAEP of an AES key, and AES key wrap with padding.
    fn open(&self, jwe: &str) -> Vec<u8> {
        let parts: Vec<_> = jwe.split('.').collect();
        let header: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(parts[0].as_bytes()).unwrap()).unwrap();
        assert_eq!(header["enc"], "RSA_AES_KEY_WRAP_256");
        assert_eq!(header["kid"], self.jwk["kid"]);
        let ciphertext = BASE64URL_NOPAD.decode(parts[3].as_bytes()).unwrap();
        let (kek, wrapped) = ciphertext.split_at(256);
        let mut buffer = vec![0; self.key.min_output_size()];
        let kek = self.key.decrypt(&OAEP_SHA256_MGF1SHA256, kek, &mut buffer, None).unwrap();
        let kek = AesKek::new(&AES_256, kek).unwrap();
        let mut key = vec![0; wrapped.len()];
        kek.unwrap_with_padding(wrapped, &mut key).unwrap().to_vec()
    }
}

// invariants 4 and 10
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_releases_to_the_recipient_of_an_attestation_token_and_nobody_else_reads_the_key() {
    let ground = Ground::new();
    let folder = ground.path().join("azure");
    std::fs::create_dir(&folder).unwrap();
    let Some(model) = AzureModel::start(&folder) else { return };
    let conditions = json!([{ "claim": "x-ms-attestation-type", "equals": "sevsnpvm" }]);
    let policy = json!({"version": "1.0.0",
        "anyOf": [{ "authority": model.url, "allOf": conditions }]});
    let data = BASE64URL_NOPAD.encode(policy.to_string().as_bytes());
    let key = [9_u8; 32];
    let body = json!({ "hsm": true, "attributes": { "exportable": true },
        "key": { "kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&key) },
        "release_policy": { "data": data } });
    ask(&model, "PUT", "/keys/7-default-k?api-version=7.4", body).await;

    let mut given = connector(&folder, &model.url, &model.ca, "release");
    given.targets[0].takes_keys = true;
    given.values.insert("release-policy".to_owned(), policy.to_string());
    let issuer = IssuerPlan {
        issuer: model.url.clone(),
        audience: None,
        ca: Some(model.ca.clone()),
        jwks: None,
        jwks_host: None,
        max_token_age: 300,
    };
    let site = Site::on(ground, |_, plan| {
        plan.kms = "kms-azure".to_owned();
        plan.bundled = Some(["kms-azure", "verifier-snp"].map(str::to_owned).into());
        plan.plugins.push(given);
        plan.authorities.push(issuer);
    });
    let site = site.await;
    let (language, text) = (Language::Akv, policy.to_string());
    let release_policy = NewReleasePolicy { language, text, immutable: false };
    let new = NewKey { release_policy, ..new_key("k") };
    site.host.create_key(&caller(&Tenant::default()), "tests", new).await.unwrap();

    let (guest, recipient) = (Guest::new(), Recipient::new());
    let token = recipient.token(&model).await;
    site.ground.clock.set(SystemClock.now());
    let released = site.redeem(&guest, "k", &token).await.unwrap();
    assert_eq!(recipient.open(&released.jwe), key);
    let record = site.records().pop().unwrap();
    assert_eq!(
        (&record["event"], &record["wrapped_by_connector"]),
        (&"released".into(), &true.into())
    );
    assert_eq!(record["reads_key_material"], Value::Null);

    // A key that is given here gets there, and out again by the same rules.
    let material = Some(Secret::new(vec![0x5a; 32]));
    let release_policy = NewReleasePolicy { language, text: policy.to_string(), immutable: false };
    let new = NewKey { release_policy, material, ..new_key("given") };
    site.host.create_key(&caller(&Tenant::default()), "tests", new.clone()).await.unwrap();
    let released = site.redeem(&guest, "given", &token).await.unwrap();
    assert_eq!(recipient.open(&released.jwe), [0x5a; 32]);
    let again = site.host.create_key(&caller(&Tenant::default()), "tests", new).await;
    assert_eq!(code(again), Code::Conflict);

    // The vault's own policy has its say: with the token altered, or of what it does not believe.
    let altered = format!("{}x", token);
    assert_eq!(code(site.redeem(&guest, "k", &altered).await), Code::TokenInvalid);
    assert_eq!(site.releases(), 2);
}

// invariants 2, 4 and 10
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_believes_this_host_releases_on_its_result_to_the_attested_recipient() {
    let issuer = "https://claviger.ours.test";
    let bundled = |plan: &mut Plan| {
        plan.issuer = issuer.to_owned();
        plan.bundled = Some(["kms-azure", "kms-local", "verifier-snp"].map(str::to_owned).into());
    };
    let ours = Site::with(|_, plan| bundled(plan)).await;
    let believed = IssuerPlan {
        issuer: issuer.to_owned(),
        audience: None,
        ca: None,
        jwks: Some(ours.host.jwks().to_string().into_bytes()),
        jwks_host: None,
        max_token_age: 300,
    };
    // The vault: another host, with its face for Azure's clients.
    let vault = Vault::believing(vec![believed]).await;
    let condition = json!({ "claim": "submods.snp.ear_status", "equals": "affirming" });
    let policy = json!({"version": "1.0.0",
        "anyOf": [{ "authority": issuer, "allOf": [condition] }]});
    let data = BASE64URL_NOPAD.encode(policy.to_string().as_bytes());
    let key = [9_u8; 32];
    let body = json!({ "Hsm": true, "attributes": { "exportable": true },
        "key": { "kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&key) },
        "release_policy": { "data": data } });
    vault.done("PUT", "/keys/7-default-k", body).await;

    let folder = ours.ground.path().to_owned();
    let (url, ca) = vault.served.address();
    let mut given = as_principal(&folder, connector(&folder, &url, ca, "release"), "root");
    // Its releases it signs under an authority of its own.
    let signing = std::fs::read(vault.site.ground.path().join("ca.pem")).unwrap();
    given.targets[0].signed_releases = Some(signing);
    let without = given.clone();
    given.host_is_recipient = true;
    let ours = ours.again(|_, plan| {
        bundled(plan);
        plan.kms = "kms-azure".to_owned();
        plan.plugins.push(given);
    });
    let ours = ours.await;
    ours.host.create_key(&caller(&Tenant::default()), "tests", new_key("k")).await.unwrap();

    let (guest, recipient) = (Guest::new(), Recipient::new());
    let challenge = ours.challenge_for(&guest, "k");
    let thumbprint = BASE64URL_NOPAD.decode(recipient.jwk["kid"].as_str().unwrap().as_bytes());
    let thumbprint: [u8; 32] = thumbprint.unwrap().try_into().unwrap();
    let made_for = ReportDataInput {
        host: &challenge.host,
        tenant: &guest.tenant,
        purpose: &challenge.purpose,
        nonce: challenge.nonce.0.as_slice().try_into().unwrap(),
        recipient: &thumbprint,
        companions: &[],
    };
    let report = guest.hardware.report(made_for.digest()).to_vec();
    let answer = AttestationRequest {
        recipient: recipient.jwk.as_object().unwrap().clone(),
        ..guest.answer_with(&challenge, report)
    };
    let released = ours.submit(&guest, "k", answer).await.unwrap();
    assert_eq!(recipient.open(&released.jwe), key);
    let of_vault = vault.site.records().pop().unwrap();
    assert_eq!((&of_vault["event"], &of_vault["principal"]), (&"released".into(), &"root".into()));

    let record = ours.records().pop().unwrap();
    assert_eq!(record["wrapped_by_connector"], true);

    // A recipient that is no RSA key: the vault wraps to the host, each time to a fresh key of its.
    let mut wrapped_to = Vec::new();
    for kind in [RecipientKind::X25519, RecipientKind::P384, RecipientKind::X25519] {
        let guest = Guest::with_key(kind);
        let released = ours.release(&guest, "k").await.unwrap();
        assert_eq!(guest.open(&released.jwe), key, "{kind:?}");
        let record = ours.records().pop().unwrap();
        assert_eq!(record["wrapped_by_connector"], Value::Null);
        assert_eq!(record["reads_key_material"], Value::Null);
        let of_vault = vault.site.records().pop().unwrap();
        assert_eq!(of_vault["event"], "released");
        assert_ne!(of_vault["recipient"], record["recipient"]);
        wrapped_to.push(of_vault["recipient"].clone());
    }
    wrapped_to.sort_by_key(Value::to_string);
    wrapped_to.dedup();
    assert_eq!((wrapped_to.len(), ours.releases()), (3, 4));

    // Without that grant the vault has nothing to wrap to.
    let ours = ours.again(|_, plan| {
        bundled(plan);
        plan.kms = "kms-azure".to_owned();
        plan.plugins.push(without);
    });
    let ours = ours.await;
    let refusal = ours.release(&Guest::new(), "k").await.unwrap_err();
    assert_eq!(refusal.code, Code::KmsUnsupported, "{refusal}");
    assert_eq!(ours.releases(), 4);
}

/// The same connector with another's token.
fn as_principal(folder: &Path, mut given: PluginPlan, token: &str) -> PluginPlan {
    for target in &mut given.targets {
        let kind = CredentialKind::Header(HeaderPlan {
            header: "authorization".to_owned(),
            prefix: "Bearer ".to_owned(),
            source: SecretSource::File(private(folder, "principal", token)),
        });
        target.credential = Some(CredentialPlan { name: "azure".to_owned(), kind });
    }
    given
}

// invariants 4 and 10
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_a_vault_gets_to_the_attested_recipient_in_the_version_that_was_asked_for() {
    let ground = Ground::new();
    let folder = ground.path().join("azure");
    std::fs::create_dir(&folder).unwrap();
    let Some(model) = AzureModel::start(&folder) else { return };
    let put = |key: u8| json!({ "value": BASE64.encode(&[key; 32]) });
    let path = "/secrets/7-default-s?api-version=7.4";
    let first = ask(&model, "PUT", path, put(1)).await;
    let first = first["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    ask(&model, "PUT", path, put(2)).await;
    let mut given = connector(&folder, &model.url, &model.ca, "secret");
    given.targets[1].takes_keys = true;
    let site = Site::on(ground, |_, plan| {
        plan.kms = "kms-azure".to_owned();
        plan.bundled = Some(["kms-azure", "verifier-snp"].map(str::to_owned).into());
        plan.plugins.push(given);
    });
    let site = site.await;
    let caller = caller(&Tenant::default());
    site.host.create_key(&caller, "tests", new_key("s")).await.unwrap();
    let guest = Guest::new();
    let released = site.release(&guest, "s").await.unwrap();
    assert_eq!(guest.open(&released.jwe), [2; 32]);
    let challenge = site.challenge_for(&guest, "s");
    let submission = guest.answer(&challenge).into();
    let caller = guest.caller();
    let old = site.host.release_with_evidence(&caller, "s", Some(&first), submission);
    let old = old.await.unwrap();
    assert_eq!((guest.open(&old.jwe), old.version), (vec![1; 32], first));
    assert!(site.host.health().await.healthy);
    let material = site.key("given").await;
    let released = site.release(&guest, "given").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    // What is there already is not written over.
    let new = NewKey { material: Some(Secret::new(vec![1; 32])), ..new_key("s") };
    let administrator = claviger_tests::site::caller(&Tenant::default());
    let taken = site.host.create_key(&administrator, "tests", new).await;
    assert_eq!(code(taken), Code::Conflict);
    // Nor what is there and not known here.
    ask(&model, "PUT", "/secrets/7-default-there?api-version=7.4", put(3)).await;
    let new = NewKey { material: Some(Secret::new(vec![1; 32])), ..new_key("there") };
    let taken = site.host.create_key(&administrator, "tests", new).await;
    assert_eq!(code(taken), Code::Conflict);
    site.host.create_key(&administrator, "tests", new_key("there")).await.unwrap();
    let released = site.release(&guest, "there").await.unwrap();
    assert_eq!(guest.open(&released.jwe), [3; 32]);
}

// attack 50
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_vault_answers_wrongly_has_its_code_and_releases_nothing() {
    let json = |status: u16, body: Value| {
        let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
        Reply { headers, body: body.to_string().into(), ..Reply::status(status) }
    };
    let secret = |name: &str, value: &str, enabled: bool| {
        json(
            200,
            json!({ "id": format!("https://v/secrets/{name}/{VERSION}"), "value": value,
            "attributes": { "enabled": enabled } }),
        )
    };
    let error = |status: u16, inner: &str| {
        json(
            status,
            json!({ "error": { "code": "Forbidden", "message": "a.b.c-token",
            "innererror": { "code": inner } } }),
        )
    };
    let value = BASE64.encode(&[7; 32]);
    let good = secret("7-default-k", &value, true);
    let now: Arc<Mutex<Reply>> = Arc::new(Mutex::new(good.clone()));
    let ground = Ground::new();
    let folder = ground.path().join("azure");
    std::fs::create_dir(&folder).unwrap();
    let shared = Arc::clone(&now);
    let server = Server::start(&folder, move |_| shared.lock().unwrap().clone()).await;
    let given = connector(&folder, &server.url, &server.ca, "secret");
    let site = Site::on(ground, |_, plan| {
        plan.kms = "kms-azure".to_owned();
        plan.bundled = Some(["kms-azure", "verifier-snp"].map(str::to_owned).into());
        plan.plugins.push(given);
    });
    let site = site.await;
    let caller = caller(&Tenant::default());
    site.host.create_key(&caller, "tests", new_key("k")).await.unwrap();
    for (what, reply, wanted) in [
        ("no role", error(403, "ForbiddenByRbac"), Code::KmsDenied),
        ("disabled", error(403, "SecretDisabled"), Code::KeyDisabled),
        ("said to be disabled", secret("7-default-k", &value, false), Code::KeyDisabled),
        ("no token", error(401, ""), Code::KmsDenied),
        (
            "not found",
            json(404, json!({ "error": { "code": "SecretNotFound" } })),
            Code::KeyNotFound,
        ),
        ("failed", json(500, json!({})), Code::KmsUnavailable),
        ("another secret", secret("7-default-other", &value, true), Code::KmsUnavailable),
        ("not base64", secret("7-default-k", "key!", true), Code::RequestMalformed),
        (
            "a page",
            Reply { headers: vec![("content-type", "text/html".into())], ..good.clone() },
            Code::KmsUnavailable,
        ),
        ("busy", json(429, json!({})), Code::KmsUnavailable),
    ] {
        *now.lock().unwrap() = reply;
        let refusal = site.release(&Guest::new(), "k").await.unwrap_err();
        assert_eq!(refusal.code, wanted, "{what}: {refusal}");
        assert!(!refusal.reason.contains("a.b.c-token"), "{what}");
    }
    assert_eq!(site.releases(), 0);
    *now.lock().unwrap() = good;
    assert!(site.release(&Guest::new(), "k").await.is_ok());
}
