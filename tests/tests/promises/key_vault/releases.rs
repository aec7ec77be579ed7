//! The release of a key: in which order it is refused, and what comes out of it.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384,
    OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Service, Vault, wire_policy};
use claviger::error::Code;
use claviger::flow::vault::{Actor, Attributes, KeyChange, NewVaultKey, VaultRelease};
use claviger::flow::{AttestationRules, NewReleasePolicy};
use claviger::keys::RsaAesKeyWrap;
use claviger::permission::Permissions;
use claviger::release_policy::Language;
use claviger::tenant::Tenant;
use claviger_tests::site::{ADMINISTRATOR, Guest, NOW, Site, caller, code};

/// A workload's RSA key, as its runtime data names it.
struct Recipient {
    private: PrivateDecryptingKey,
    jwk: Value,
}

impl Recipient {
    fn new() -> Self {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let spki: PublicKeyX509Der<'_> = private.public_key().as_der().unwrap();
        let (_, spki) = SubjectPublicKeyInfo::from_der(spki.as_ref()).unwrap();
        let PublicKey::RSA(public) = spki.parsed().unwrap() else { panic!("RSA") };
        let text =
            |number: &[u8]| BASE64URL_NOPAD.encode(number.strip_prefix(&[0]).unwrap_or(number));
        let jwk = json!({"kty": "RSA", "kid": "the-kek", "key_ops": ["encrypt"],
            "n": text(public.modulus), "e": text(public.exponent)});
        Self { private, jwk }
    }

    /// The claims of an attestation of its workload.
    fn claims(&self, tee: &str) -> Value {
        json!({"x-ms-runtime": {"keys": [self.jwk]},
            "x-ms-isolation-tee": {"x-ms-attestation-type": tee}})
    }

    /// Unwraps as the confidential sidecar does.
    fn open(&self, enc: &str, ciphertext: &[u8]) -> Vec<u8> {
        let oaep = match enc {
            "CKM_RSA_AES_KEY_WRAP" => &OAEP_SHA1_MGF1SHA1,
            "RSA_AES_KEY_WRAP_256" => &OAEP_SHA256_MGF1SHA256,
            _ => &OAEP_SHA384_MGF1SHA384,
        };
        let private = OaepPrivateDecryptingKey::new(self.private.clone()).unwrap();
        let mut buffer = vec![0; 512];
        let kek = private.decrypt(oaep, &ciphertext[..256], &mut buffer, None).unwrap();
        let kek = AesKek::new(&AES_256, kek).unwrap();
        let mut buffer = vec![0; ciphertext.len()];
        kek.unwrap_with_padding(&ciphertext[256..], &mut buffer).unwrap().to_vec()
    }
}

fn octets(value: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The payload of a JWS whose signature holds under its first certificate.
fn payload(jws: &str) -> (Value, Value) {
    let parts: Vec<&str> = jws.split('.').collect();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
    };
    let header = read(parts[0]);
    assert_eq!(header["alg"], "RS256");
    let certificates = header["x5c"].as_array().unwrap();
    assert!(certificates.len() >= 2);
    let leaf = BASE64.decode(certificates[0].as_str().unwrap().as_bytes()).unwrap();
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap();
    UnparsedPublicKey::new(
        &RSA_PKCS1_2048_8192_SHA256,
        leaf.public_key().subject_public_key.data.as_ref(),
    )
    .verify(signed.as_bytes(), &signature)
    .unwrap();
    (header, read(parts[1]))
}

async fn exportable(vault: &Vault, name: &str) -> (Value, Vec<u8>) {
    let material = [0x42; 32];
    let body = json!({"key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&material)},
        "hsm": true, "attributes": {"exportable": true}, "tags": {"of": "tests"},
        "release_policy": wire_policy("sevsnpvm", false)});
    (vault.done("PUT", &format!("/keys/{name}"), body).await, material.to_vec())
}

// invariants 4, 5 and 8
#[tokio::test]
async fn a_key_comes_out_wrapped_to_the_attested_recipient_signed_and_recorded() {
    let vault = Vault::open().await;
    let (made, material) = exportable(&vault, "k").await;
    let (recipient, version) =
        (Recipient::new(), made["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap());
    let target = vault.attestation.token(recipient.claims("sevsnpvm"));
    for (path, enc, nonce) in [
        ("/keys/k//release".to_owned(), None, None),
        ("/keys/k/release".to_owned(), Some("RSA_AES_KEY_WRAP_256"), Some("a nonce")),
        (format!("/keys/k/{version}/release"), Some("RSA_AES_KEY_WRAP_384"), None),
    ] {
        let mut body = json!({"target": target});
        if let Some(enc) = enc {
            body["enc"] = json!(enc);
        }
        if let Some(nonce) = nonce {
            body["nonce"] = json!(nonce);
        }
        let before = vault.site.releases();
        let answer = vault.ask("workload", "POST", &path, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let (_, said) = payload(answer.body()["value"].as_str().unwrap());
        let enc = enc.unwrap_or("CKM_RSA_AES_KEY_WRAP");
        let request = &said["request"];
        assert_eq!((&request["enc"], &request["api-version"]), (&json!(enc), &json!("7.4")));
        assert_eq!(request.get("nonce").and_then(Value::as_str), nonce);
        let asked = path.replace("//", "/").replace("/release", "");
        assert_eq!(request["kid"], json!(format!("{}{asked}", vault.url())));
        let key = &said["response"]["key"];
        assert_eq!(key["key"]["kid"], made["key"]["kid"]);
        assert_eq!(key["release_policy"], made["release_policy"]);
        assert_eq!(key["tags"], json!({"of": "tests"}));
        let wrapped: Value = serde_json::from_slice(&octets(&key["key"]["key_hsm"])).unwrap();
        assert_eq!(wrapped["schema_version"], "1.0");
        assert_eq!(wrapped["header"], json!({"alg": "dir", "enc": enc, "kid": "the-kek"}));
        assert_eq!(recipient.open(enc, &octets(&wrapped["ciphertext"])), material);
        assert_eq!(vault.site.releases(), before + 1);
        let record = vault.site.records().pop().unwrap();
        assert_eq!(record["principal"], "workload");
        assert_eq!(record["wrap"], enc);
        assert_eq!(record["authority"], super::ATTESTATION);
        assert_eq!(record["freshness"], "recipient-key");
    }
}

// attacks 1, 2, 52 and 54
#[tokio::test]
async fn nothing_comes_out_for_a_token_that_is_not_sound_or_does_not_meet_the_policy() {
    let vault = Vault::open().await;
    exportable(&vault, "k").await;
    let recipient = Recipient::new();
    let sound = recipient.claims("sevsnpvm");
    let with = |name: &str, value: Value| {
        let mut claims = sound.clone();
        claims[name] = value;
        vault.attestation.token(claims)
    };
    let liar = super::Service::new(super::ATTESTATION).token(sound.clone());
    let mut altered = vault.attestation.token(sound.clone());
    altered.replace_range(60..61, if &altered[60..61] == "A" { "B" } else { "A" });
    let ec = Guest::new();
    let mut of_ec = ec.key.jwk().clone();
    of_ec["use"] = json!("enc");
    let own = vault.site.attest(&ec).await.unwrap().token;
    for (what, target, inner) in [
        (
            "of another policy",
            with("x-ms-isolation-tee", json!({"x-ms-attestation-type": "tdxvm"})),
            "ForbiddenByPolicy",
        ),
        ("without the claim", with("x-ms-isolation-tee", json!({})), "ForbiddenByPolicy"),
        ("expired", with("exp", json!(NOW.0 - 31)), "AttestationInvalid"),
        ("too old", with("iat", json!(NOW.0 - 331)), "AttestationInvalid"),
        ("not begun", with("nbf", json!(NOW.0 + 60)), "AttestationInvalid"),
        ("of nobody", with("iss", json!("https://nobody.example")), "AttestationInvalid"),
        ("without a key", with("x-ms-runtime", json!({"keys": []})), "AttestationInvalid"),
        (
            "with two keys",
            with("x-ms-runtime", json!({"keys": [recipient.jwk, Recipient::new().jwk]})),
            "AttestationInvalid",
        ),
        ("with an EC key", with("x-ms-runtime", json!({"keys": [of_ec]})), "AttestationInvalid"),
        ("signed by another", liar, "AttestationInvalid"),
        ("altered", altered, "AttestationInvalid"),
        ("of the native interface", own, "AttestationInvalid"),
        ("no token", "a.b.c".to_owned(), "AttestationInvalid"),
    ] {
        let body = json!({"target": target});
        let refused = vault.refused("workload", "POST", "/keys/k/release", body).await;
        assert_eq!(refused, (403, "Forbidden".to_owned(), inner.to_owned()), "{what}");
    }
    assert_eq!(vault.site.releases(), 0);
    let body =
        json!({"target": vault.attestation.token(sound.clone()), "enc": "RSA_AES_KEY_WRAP_512"});
    assert_eq!(vault.refused("workload", "POST", "/keys/k/release", body).await.0, 400);
}

// invariant 8
#[tokio::test]
async fn state_time_and_policy_of_the_key_are_asked_at_every_release() {
    let vault = Vault::open().await;
    exportable(&vault, "k").await;
    vault.done("POST", "/keys/plain/create", json!({"kty": "EC"})).await;
    let recipient = Recipient::new();
    let body = json!({"target": vault.attestation.token(recipient.claims("sevsnpvm"))});
    let release = async |name: &str| {
        let path = format!("/keys/{name}/release");
        let answer = vault.ask("workload", "POST", &path, body.clone()).await;
        let inner = answer.body()["error"]["innererror"]["code"].as_str().map(str::to_owned);
        (answer.status, inner.unwrap_or_default())
    };
    assert_eq!(release("k").await.0, 200);
    assert_eq!(release("plain").await, (403, "KeyNotExportable".to_owned()));
    assert_eq!(release("none").await.0, 404);
    for (change, inner) in [
        (json!({"enabled": false}), "KeyDisabled"),
        (json!({"enabled": true, "nbf": NOW.0 + 60}), "KeyNotYetValid"),
        (json!({"nbf": NOW.0 - 60, "exp": NOW.0}), "KeyExpired"),
    ] {
        vault.done("PATCH", "/keys/k", json!({"attributes": change})).await;
        assert_eq!(release("k").await, (403, inner.to_owned()));
        // Before the token is looked at.
        let no_token = json!({"target": "a.b.c"});
        let refused = vault.refused("workload", "POST", "/keys/k/release", no_token).await;
        assert_eq!(refused.2, inner);
    }
    vault.done("PATCH", "/keys/k", json!({"attributes": {"exp": NOW.0 + 600}})).await;
    assert_eq!(release("k").await.0, 200);
    let change = json!({"release_policy": wire_policy("tdxvm", false)});
    vault.done("PATCH", "/keys/k", change).await;
    assert_eq!(release("k").await, (403, "ForbiddenByPolicy".to_owned()));
    vault.done("PATCH", "/keys/k", json!({"release_policy": wire_policy("sevsnpvm", false)})).await;
    assert_eq!(release("k").await.0, 200);
    // The native interface does not lead past what the vault says.
    vault.done("PATCH", "/keys/k", json!({"attributes": {"exp": NOW.0}})).await;
    let token = body["target"].as_str().unwrap();
    let native = vault.site.redeem(&Guest::new(), "k", token).await;
    assert_eq!(code(native), Code::KeyExpired);
    vault.done("PATCH", "/keys/k", json!({"attributes": {"exp": NOW.0 + 600}})).await;
    vault.done("DELETE", "/keys/k", Value::Null).await;
    assert_eq!(release("k").await.0, 404);
    let native = vault.site.redeem(&Guest::new(), "k", token).await;
    assert_eq!(code(native), Code::KeyNotFound);
}

/// What a token says of its issuer chooses the check that it gets, and nothing else.
// attacks 2 and 54
#[tokio::test]
async fn where_the_host_has_a_service_of_its_own_a_token_gets_the_check_of_whom_it_says() {
    let service = Service::new(super::ATTESTATION);
    let site = Site::with(|_, plan| plan.authorities = vec![service.plan(None)]).await;
    let rules = AttestationRules::default();
    let served = site.serve_attestation(rules.clone()).await;
    let mut raw = served.raw().await;
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    let key = json!({"key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&[7; 32])},
        "hsm": true, "attributes": {"exportable": true},
        "release_policy": wire_policy("sevsnpvm", false)});
    let made = raw.ask("PUT", "/keys/k?api-version=7.4", &bearer, &key.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let recipient = Recipient::new();
    let claims = recipient.claims("sevsnpvm");
    let token = service.token(claims.clone());
    let body = json!({"target": token}).to_string();
    let released = raw.ask("POST", "/keys/k/release?api-version=7.4", &bearer, &body).await;
    assert_eq!(released.status, 200, "{}", released.text);
    // For a token of another service the host's own made no keys.
    assert!(site.ground.store.get("host/attestation-keys").unwrap().is_none());

    const OWN: &str = "https://keys.test";
    let own = site.host.maa_issuer(OWN, &rules).await.unwrap();
    let (caller, permissions) = (caller(&Tenant::default()), Permissions::all());
    let actor = Actor { caller: &caller, principal: "tests", permissions: &permissions };
    let release = async |token: &str, own| {
        let wrap = RsaAesKeyWrap::default();
        let wanted = VaultRelease { key: "k", version: None, token, wrap, own };
        site.host.vault_release(actor, wanted).await.map(drop).map_err(|refusal| refusal.code)
    };
    assert_eq!(release(&token, None).await, Ok(()));
    // A front door that takes it for the host's own by mistake finds no key for it.
    assert_eq!(release(&token, Some(&*own)).await, Err(Code::TokenInvalid));
    // Whoever says that he is the other is held to the other's keys.
    let as_own = Service { issuer: OWN, ..service };
    let of_nobody = Service::new("https://nobody.example");
    let as_listed = Service::new(super::ATTESTATION);
    for liar in [as_own, of_nobody, as_listed] {
        for own in [None, Some(&*own)] {
            let refused = release(&liar.token(claims.clone()), own).await;
            assert_eq!(refused, Err(Code::TokenInvalid), "{}", liar.issuer);
        }
    }
}

// invariants 4 and 8
#[tokio::test]
async fn a_key_that_is_never_released_is_not_whatever_policy_it_was_made_with() {
    let vault = Vault::open().await;
    let (caller, permissions) = (caller(&Tenant::default()), Permissions::all());
    let actor = Actor { caller: &caller, principal: "tests", permissions: &permissions };
    let policy = NewReleasePolicy {
        language: Language::Akv,
        text: super::policy("sevsnpvm").to_string(),
        immutable: false,
    };
    for (name, exportable) in [("stays", false), ("leaves", true)] {
        let new = NewVaultKey {
            name: name.to_owned(),
            kind: "oct-256".to_owned(),
            hardware: true,
            material: None,
            attributes: Attributes::default(),
            operations: None,
            tags: std::collections::BTreeMap::new(),
            exportable,
            release_policy: Some(policy.clone()),
        };
        vault.site.host.vault_create(actor, new).await.unwrap();
        let token = vault.attestation.token(Recipient::new().claims("sevsnpvm"));
        let body = json!({"target": token});
        let path = format!("/keys/{name}/release");
        let answer = vault.ask("workload", "POST", &path, body).await;
        let native = vault.site.redeem(&Guest::new(), name, &token).await;
        match exportable {
            true => {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(native.is_ok(), "{native:?}");
            }
            false => {
                assert_eq!(answer.body()["error"]["innererror"]["code"], "KeyNotExportable");
                assert_eq!(code(native), Code::KeyNotExportable);
            }
        }
        // Nor does it become one that is.
        let turned = KeyChange { exportable: Some(!exportable), ..KeyChange::default() };
        let turned = vault.site.host.vault_update(actor, name, None, turned).await;
        assert_eq!(code(turned), Code::PolicyImmutable, "{name}");
        let release_policy = Some(NewReleasePolicy::affirming());
        let given = KeyChange { release_policy, ..KeyChange::default() };
        let given = vault.site.host.vault_update(actor, name, None, given).await;
        match exportable {
            true => assert!(given.is_ok(), "{given:?}"),
            false => assert_eq!(code(given), Code::KeyNotExportable),
        }
    }
}
