//! What a vault releases is believed only under the vault's signature, which the host checks and the
//! connector does not: chain, name, time, signature, and that what was wrapped is what was signed.

use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use claviger::error::Code;
use claviger::keys::{RecipientKey, RsaAesKeyWrap};
use claviger::tenant::Tenant;
use claviger_tests::hostile::CONNECTOR;
use claviger_tests::server::{Asked, Server};
use claviger_tests::service::Reply;
use claviger_tests::site::{Ground, Guest, NOW, Site, caller, new_key};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::azure::connector;

const VERSION: &str = "00112233445566778899aabbccddeeff";
const KEY: [u8; 32] = [9; 32];

/// Who signs releases: a root, a certificate below it for these names in this time, and its key.
#[derive(Clone)]
struct Signer {
    root: String,
    x5c: Vec<String>,
    key: Arc<RsaKeyPair>,
}

impl Signer {
    fn new(names: &[&str], days: (i64, i64)) -> Self {
        let moment = |days: i64| {
            let now = i64::try_from(NOW.0).unwrap();
            OffsetDateTime::from_unix_timestamp(now + days * 86_400).unwrap()
        };
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = root.self_signed(&root_key).unwrap();
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let text = BASE64.encode(der.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names =
            names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
        (leaf.not_before, leaf.not_after) = (moment(days.0), moment(days.1));
        let issuer = Issuer::from_params(&root, &root_key);
        let leaf = leaf.signed_by(&KeyPair::from_pem(&pem).unwrap(), &issuer).unwrap();
        let x5c = vec![BASE64.encode(leaf.der()), BASE64.encode(certificate.der())];
        Self { root: certificate.pem(), x5c, key: Arc::new(key) }
    }

    fn sign(&self, header: &Value, payload: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(payload));
        let mut signature = vec![0; 256];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// How the vault answers, and under whose signature.
#[derive(Clone)]
struct Manner {
    signer: Signer,
    how: &'static str,
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

/// The vault: wraps its one key to the RSA key in the token that it is shown.
fn answer(manner: &Manner, other: &Signer, asked: &Asked) -> Reply {
    let json = |body: Value| {
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply { headers, body: body.to_string().into(), ..Reply::status(200) }
    };
    let kid = format!("https://localhost/keys/7-default-k/{VERSION}");
    if asked.method == "GET" {
        return json(json!({ "key": { "kid": kid, "kty": "oct-HSM" } }));
    }
    let body = asked.json();
    let claims = decoded(body["target"].as_str().unwrap().split('.').nth(1).unwrap());
    let recipient = RecipientKey::from_jwk(&claims["x-ms-runtime"]["keys"][0]).unwrap();
    assert_eq!(claims["cnf"]["jwk"]["n"], claims["x-ms-runtime"]["keys"][0]["n"]);
    assert!(claims["claviger"]["held_for"].is_string());
    let wrap = RsaAesKeyWrap::of(body["enc"].as_str().unwrap()).unwrap();
    let mut ciphertext = recipient.rsa_aes_wrap(&KEY, wrap).unwrap();
    if manner.how == "ciphertext" {
        *ciphertext.last_mut().unwrap() ^= 1;
    }
    let to = if manner.how == "recipient" { "somebody".to_owned() } else { recipient.kid() };
    let hsm = json!({ "schema_version": "1.0", "ciphertext": BASE64URL_NOPAD.encode(&ciphertext),
        "header": { "alg": "dir", "enc": wrap.name(), "kid": to } });
    let kid = match manner.how {
        "another key" => kid.replace("7-default-k", "7-default-other"),
        _ => kid,
    };
    let hsm = BASE64URL_NOPAD.encode(hsm.to_string().as_bytes());
    let enc = if manner.how == "enc" { "CKM_RSA_AES_KEY_WRAP" } else { wrap.name() };
    let payload = json!({
        "request": { "enc": enc, "kid": kid },
        "response": { "key": { "key": { "kid": kid, "kty": "oct-HSM", "key_hsm": hsm } } },
    });
    let Signer { x5c, .. } = &manner.signer;
    let header = match manner.how {
        "none" => json!({ "alg": "none", "x5c": x5c }),
        "mac" => json!({ "alg": "HS256", "x5c": x5c }),
        "without" => json!({ "alg": "RS256" }),
        "critical" => json!({ "alg": "RS256", "x5c": x5c, "crit": ["exp"] }),
        "root-alone" => json!({ "alg": "RS256", "x5c": &x5c[1..] }),
        _ => json!({ "alg": "RS256", "x5c": x5c }),
    };
    let signed = manner.signer.sign(&header, &payload);
    let parts: Vec<_> = signed.split('.').collect();
    let value = match manner.how {
        "unsigned" => format!("{}.{}.", parts[0], parts[1]),
        "another's" => other.sign(&header, &payload),
        "altered" => {
            let mut altered = payload.clone();
            altered["response"]["key"]["key"]["kty"] = json!("RSA");
            let altered = BASE64URL_NOPAD.encode(altered.to_string().as_bytes());
            format!("{}.{altered}.{}", parts[0], parts[2])
        }
        "four-parts" => format!("{signed}.AAAA"),
        _ => signed,
    };
    json(json!({ "value": value }))
}

// attack 52, invariants 1, 6 and 10
#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_the_vault_did_not_sign_is_none() {
    let sound = Signer::new(&["localhost"], (-1, 30));
    let other = Signer::new(&["localhost"], (-1, 30));
    let manner = Manner { signer: sound.clone(), how: "sound" };
    let manner = Arc::new(Mutex::new(manner));
    let ground = Ground::new();
    let folder = ground.path().join("azure");
    std::fs::create_dir(&folder).unwrap();
    let (shared, stranger) = (Arc::clone(&manner), other.clone());
    let server = Server::start(&folder, move |asked| {
        answer(&shared.lock().unwrap().clone(), &stranger, asked)
    });
    let server = server.await;
    let below = |names: &[&str], days| {
        // Below another root, but one that the operator believes.
        Signer::new(names, days)
    };
    let (named, late) = (below(&["vault.example"], (-1, 30)), below(&["localhost"], (-9, -1)));
    let early = below(&["localhost"], (1, 30));
    let mut given = connector(&folder, &server.url, &server.ca, "release");
    given.wraps_for_recipient = false;
    given.host_is_recipient = true;
    let roots = [&sound, &named, &late, &early].map(|signer| signer.root.as_str()).concat();
    given.targets[0].signed_releases = Some(roots.into_bytes());
    let site = Site::on(ground, |_, plan| {
        plan.kms = "kms-azure".to_owned();
        plan.bundled = Some(["kms-azure", "verifier-snp"].map(str::to_owned).into());
        plan.plugins.push(given);
    });
    let site = site.await;
    site.host.create_key(&caller(&Tenant::default()), "tests", new_key("k")).await.unwrap();
    for (how, signer, wanted) in [
        ("another root", &other, Code::KmsUnavailable),
        ("another name", &named, Code::KmsUnavailable),
        ("too late", &late, Code::KmsUnavailable),
        ("too early", &early, Code::KmsUnavailable),
        ("another's", &sound, Code::KmsUnavailable),
        ("altered", &sound, Code::KmsUnavailable),
        ("unsigned", &sound, Code::KmsUnavailable),
        ("none", &sound, Code::KmsUnavailable),
        ("mac", &sound, Code::KmsUnavailable),
        ("without", &sound, Code::KmsUnavailable),
        ("critical", &sound, Code::KmsUnavailable),
        ("root-alone", &sound, Code::KmsUnavailable),
        ("four-parts", &sound, Code::KmsUnavailable),
        ("enc", &sound, Code::KmsUnavailable),
        ("another key", &sound, Code::KmsUnavailable),
        ("recipient", &sound, Code::KmsUnavailable),
        // Signed, and wrapped to nobody.
        ("ciphertext", &sound, Code::PluginFailed),
    ] {
        *manner.lock().unwrap() = Manner { signer: signer.clone(), how };
        let refusal = site.release(&Guest::new(), "k").await.unwrap_err();
        assert_eq!(refusal.code, wanted, "{how}: {refusal}");
    }
    assert_eq!(site.releases(), 0);
    *manner.lock().unwrap() = Manner { signer: sound, how: "sound" };
    let guest = Guest::new();
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!((guest.open(&released.jwe), released.version.as_str()), (KEY.to_vec(), VERSION));
}

// attack 50, invariants 1 and 10
#[tokio::test]
async fn what_a_connector_wraps_itself_is_not_taken_for_what_its_service_signed() {
    let guest = Guest::new();
    let signer = Signer::new(&["localhost"], (-1, 30));
    let header = json!({"alg": "dir", "enc": "RSA_AES_KEY_WRAP_256", "kid": RecipientKey::from_jwk(guest.key.jwk()).unwrap().kid()});
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let made_up = format!("{header}...{}.", BASE64URL_NOPAD.encode(&[7; 300]));
    let mut given = Vec::new();
    let site = |signed: bool| {
        let (made_up, root) = (made_up.clone(), signer.root.clone());
        Site::with(move |ground, plan| {
            let mut plugin = ground.plugin("kms-hostile", CONNECTOR);
            plugin.values.insert("token".to_owned(), made_up);
            plugin.wraps_for_recipient = true;
            plugin.targets = vec![claviger::egress::TargetPlan {
                url: "https://localhost/keys/".to_owned(),
                methods: ["GET".to_owned()].into(),
                tls: claviger::egress::TlsPlan { roots: root.clone().into_bytes(), identity: None },
                signed_releases: signed.then(|| root.into_bytes()),
                ..claviger::egress::TargetPlan::default()
            }];
            plan.plugins.push(plugin);
            plan.kms = "kms-hostile".to_owned();
        })
    };
    for signed in [false, true] {
        let site = site(signed).await;
        site.key("wrapped-given").await;
        let other = site.release(&Guest::new(), "wrapped-given").await.unwrap_err();
        let wanted = if signed { "stands in no answer" } else { "to another recipient" };
        assert_eq!(other.code, Code::PluginFailed);
        assert!(other.reason.contains(wanted), "{other}");
        given.push(site.release(&guest, "wrapped-given").await);
    }
    // The operator's grant is trust in the connector, unless the service signs.
    assert!(given[0].is_ok());
    let refusal = given[1].as_ref().unwrap_err();
    assert_eq!(refusal.code, Code::PluginFailed);
    assert!(refusal.reason.contains("stands in no answer that its service signed"), "{refusal}");
}
