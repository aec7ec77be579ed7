//! Tokens made by hand and signed with the host's own key, whatever they say: a signature that
//! holds is not enough.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use claviger::error::Code;
use claviger::store::{MasterKey, SealedStore};
use claviger_tests::site::{Guest, Site, code};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A host's token with the key that signed it, taken out of its store.
struct Forge {
    site: Site,
    guest: Guest,
    key: EcdsaKeyPair,
    header: Value,
    claims: Value,
}

impl Forge {
    async fn new() -> Self {
        let site = Site::new().await;
        let (guest, _) = (Guest::new(), site.key("k").await);
        let token = site.attest(&guest).await.unwrap().token;
        let part = |index| {
            let part = token.split('.').nth(index).unwrap();
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
        };
        let (header, claims) = (part(0), part(1));
        let ground = &site.ground;
        let master = MasterKey::file(ground.path().join("master.key"));
        let store = SealedStore::open(ground.store.clone(), &master, ground.random.clone());
        let kept = store.unwrap().get("host/token-keys").unwrap().unwrap();
        let kept: Value = serde_json::from_slice(kept.expose()).unwrap();
        let pkcs8 = BASE64URL_NOPAD.decode(kept["signing"].as_str().unwrap().as_bytes()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        Self { site, guest, key, header, claims }
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    async fn redeem(&self, token: &str) -> Result<(), Code> {
        match self.site.redeem(&self.guest, "k", token).await {
            Ok(_) => Ok(()),
            refused => Err(code(refused)),
        }
    }

    async fn with_header(&self, header: &Value) -> Result<(), Code> {
        self.redeem(&self.sign(&header.to_string(), &self.claims.to_string())).await
    }

    async fn with_claims(&self, claims: &Value) -> Result<(), Code> {
        self.redeem(&self.sign(&self.header.to_string(), &claims.to_string())).await
    }
}

fn with(mut value: Value, place: &str, new: Value) -> Value {
    let (parent, name) = place.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[name] = new;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

// attack 52
#[tokio::test]
async fn a_forged_header_is_refused_though_its_signature_holds() {
    let forge = Forge::new().await;
    assert_eq!(forge.with_header(&forge.header).await, Ok(()), "the forge is a good one");
    let jwk = forge.site.host.jwks()["keys"][0].clone();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES384")),
        ("alg", json!(["ES256"])),
        ("typ", json!("JWT")),
        ("typ", json!("application/eat+jwt")),
        ("kid", json!("../../../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!(null)),
        ("jwk", jwk),
        ("jku", json!("https://claviger.test/.well-known/jwks.json")),
        ("x5u", json!("https://claviger.test/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        let header = with(forge.header.clone(), &format!("/{name}"), value.clone());
        let refused = forge.with_header(&header).await;
        assert_eq!(refused, Err(Code::TokenInvalid), "{name}: {value}");
    }
    for name in ["alg", "typ", "kid"] {
        let header = without(forge.header.clone(), name);
        assert_eq!(forge.with_header(&header).await, Err(Code::TokenInvalid), "{name}");
    }
}

// attacks 6, 10 and 52
#[tokio::test]
async fn forged_claims_are_refused_though_their_signature_holds() {
    let forge = Forge::new().await;
    let audience = forge.claims["aud"].clone();
    for (place, value) in [
        ("/iss", json!(["https://claviger.test"])),
        ("/iss", json!("https://claviger.test/")),
        ("/iss", json!("https://evil.example")),
        ("/aud", json!([audience])),
        ("/aud", json!("https://claviger.test/t/default/kms/kms-local")),
        ("/aud", json!("https://claviger.test/t/other")),
        ("/aud", json!("*")),
        ("/exp", json!("9999999999")),
        ("/exp", json!(9_999_999_999.5)),
        ("/exp", json!(-1)),
        ("/exp", json!([1])),
        ("/iat", json!("0")),
        ("/iat", json!(9_999_999_999_u64)),
        ("/nbf", json!(9_999_999_999_u64)),
        ("/nbf", json!("0")),
        ("/eat_profile", json!("tag:other")),
        ("/cnf", json!({})),
        ("/cnf", json!({ "kid": "x" })),
        ("/cnf/jwk/x", json!("")),
        ("/cnf/jwk/d", json!("AAAA")),
        ("/cnf/jku", json!("https://evil.example")),
        ("/submods", json!({})),
        ("/submods", json!([])),
        ("/submods/tdx", forge.claims["submods"]["snp"].clone()),
        ("/claviger/simulated", json!("no")),
        ("/claviger/verifier/digest", json!("00")),
        ("/claviger/purpose", json!("release:k")),
        ("/claviger/scope", json!("admin")),
        ("/scope", json!("admin")),
    ] {
        let claims = with(forge.claims.clone(), place, value.clone());
        let refused = forge.with_claims(&claims).await;
        assert_eq!(refused, Err(Code::TokenInvalid), "{place}: {value}");
    }
    for name in ["iss", "aud", "exp", "iat", "jti", "cnf", "eat_nonce", "submods", "claviger"] {
        let claims = without(forge.claims.clone(), name);
        assert_eq!(forge.with_claims(&claims).await, Err(Code::TokenInvalid), "{name}");
    }
    let expired = with(forge.claims.clone(), "/exp", forge.claims["iat"].clone());
    assert_eq!(forge.with_claims(&expired).await, Err(Code::TokenExpired));
}

// attack 52
#[tokio::test]
async fn a_payload_that_is_no_claims_set_is_refused_though_its_signature_holds() {
    let forge = Forge::new().await;
    let sound = forge.claims.to_string();
    let twice = sound.replacen('{', r#"{"aud":"https://claviger.test/t/other","#, 1);
    for payload in [
        format!("[{sound}]"),
        format!("\"{sound:?}\""),
        format!("{sound}{sound}"),
        twice,
        "{}".into(),
        "null".into(),
        String::new(),
    ] {
        let token = forge.sign(&forge.header.to_string(), &payload);
        assert_eq!(forge.redeem(&token).await, Err(Code::TokenInvalid), "{payload:.40}");
    }
}

// attack 53, invariant 8
#[tokio::test]
async fn what_a_token_says_of_its_vector_raises_nothing_above_what_the_policy_finds() {
    let forge = Forge::new().await;
    // Even the host's own signature under better news changes no judgement: it is made again.
    let facts = "/submods/snp/ear_attester_claims/snp.measurement";
    let claims = with(forge.claims.clone(), facts, json!("00".repeat(48)));
    let claims = with(claims, "/submods/snp/ear_status", json!("affirming"));
    assert_eq!(forge.with_claims(&claims).await, Err(Code::NotAffirming));
}
