//! Keys that come in wrapped to an exchange key of the vault, and further versions of keys that are there.

use claviger::keys::{RecipientKey, RsaAesKeyWrap};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Vault, wire_policy};

/// A key transfer blob: `material` under the exchange key in a bundle.
fn package(exchange: &Value, material: &[u8], wrap: RsaAesKeyWrap) -> Value {
    let jwk = json!({"kty": "RSA", "n": exchange["key"]["n"], "e": exchange["key"]["e"]});
    let wrapped = RecipientKey::from_jwk(&jwk).unwrap().rsa_aes_wrap(material, wrap).unwrap();
    json!({
        "schema_version": "1.0.0",
        "header": {"kid": exchange["key"]["kid"], "alg": "dir", "enc": wrap.name()},
        "ciphertext": BASE64URL_NOPAD.encode(&wrapped),
        "generator": "tests",
    })
}

fn brought(package: &Value) -> Value {
    let blob = BASE64URL_NOPAD.encode(package.to_string().as_bytes());
    json!({"key": {"kty": "oct-HSM", "key_hsm": blob}})
}

// invariant 4, attack 60
#[tokio::test]
async fn a_key_comes_in_wrapped_to_an_exchange_key_of_the_same_vault_and_no_other() {
    let vault = Vault::open().await;
    let create = json!({"kty": "RSA-HSM", "key_size": 2048, "key_ops": ["import"]});
    let exchange = vault.done("POST", "/keys/kek/create", create.clone()).await;
    let sound = package(&exchange, &[9; 24], RsaAesKeyWrap::Sha1);
    let made = vault.done("PUT", "/keys/k", brought(&sound)).await;
    assert_eq!(made["key"]["kty"], "oct-HSM");
    // It is the key that was given: that unwraps what this one wraps.
    let kek = BASE64URL_NOPAD.encode(&[7; 32]);
    let wrapped =
        vault.done("POST", "/keys/k/wrapkey", json!({"alg": "A192KW", "value": kek})).await;
    let same = json!({"key": {"kty": "oct", "k": BASE64URL_NOPAD.encode(&[9; 24])}});
    vault.done("PUT", "/keys/same", same).await;
    let unwrap = json!({"alg": "A192KW", "value": wrapped["value"]});
    assert_eq!(vault.done("POST", "/keys/same/unwrapkey", unwrap).await["value"], kek);
    // Once more is a further version; with a policy it is refused, for that is the key's.
    let again = vault.done("PUT", "/keys/k", brought(&sound)).await;
    assert_ne!(again["key"]["kid"], made["key"]["kid"]);
    let mut with_policy = brought(&sound);
    with_policy["attributes"] = json!({"exportable": true});
    with_policy["release_policy"] = wire_policy("sevsnpvm", false);
    assert_eq!(vault.refused("root", "PUT", "/keys/k", with_policy).await.0, 409);

    let refused =
        async |package: &Value| vault.refused("root", "PUT", "/keys/other", brought(package)).await;
    let changed = |pointer: &str, value: Value| {
        let mut changed = sound.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    for (pointer, value) in [
        ("/schema_version", json!("2")),
        ("/header/alg", json!("RSA-OAEP")),
        ("/header/enc", json!("RSA_AES_KEY_WRAP_256")),
        ("/header/enc", json!("A256KW")),
        ("/header/kid", json!("https://other.example/keys/kek")),
        ("/ciphertext", json!("AAAA")),
    ] {
        let answer = refused(&changed(pointer, value)).await;
        assert_eq!((answer.0, answer.1.as_str()), (400, "BadParameter"), "{pointer}");
    }
    let none = changed("/header/kid", json!(format!("{}/keys/none", vault.url())));
    assert_eq!(refused(&none).await.0, 404);
    // One that is for other things.
    let usual = json!({"kty": "RSA-HSM", "key_size": 2048});
    let usual = vault.done("POST", "/keys/usual/create", usual).await;
    let to_usual = package(&usual, &[9; 32], RsaAesKeyWrap::Sha256);
    assert_eq!(refused(&to_usual).await.0, 403);
    // Who may use keys may not bring them in.
    assert_eq!(vault.refused("user", "PUT", "/keys/u", brought(&sound)).await.0, 403);
    let records = vault.site.records();
    let refused = |record: &&Value| {
        record["event"] == "refused"
            && record["code"] == "forbidden"
            && record["principal"] == "user"
    };
    assert_eq!(records.iter().filter(refused).count(), 1);
    assert_eq!(vault.refused("root", "GET", "/keys/other", Value::Null).await.0, 404);
}
