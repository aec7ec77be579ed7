//! A key's life: made, listed, changed, used, rotated, deleted, recovered, backed up.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::{Vault, wire_policy};
use claviger::flow::PluginChange;
use claviger::plugin::bundled;
use claviger_tests::site::{NOW, caller, tenant};

fn octets(value: &Value) -> Vec<u8> {
    BASE64URL_NOPAD.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn version(bundle: &Value) -> String {
    bundle["key"]["kid"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

// invariant 4
#[tokio::test]
async fn a_key_is_shown_without_anything_private_whatever_is_asked() {
    let vault = Vault::open().await;
    for (name, body) in [
        ("rsa", json!({"kty": "RSA-HSM", "key_size": 2048})),
        ("ec", json!({"kty": "EC", "crv": "P-384"})),
        ("oct", json!({"kty": "oct-HSM", "key_size": 256})),
    ] {
        let made = vault.done("POST", &format!("/keys/{name}/create"), body.clone()).await;
        assert_eq!(made["key"]["kty"], body["kty"], "{made}");
        let kid = made["key"]["kid"].as_str().unwrap().to_owned();
        let prefix = format!("{}/keys/{name}/", vault.url());
        let id = kid.strip_prefix(&prefix).unwrap();
        assert!(id.len() == 32 && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
        let path = format!("/keys/{name}");
        for path in [path.clone(), format!("{path}/"), format!("{path}/{id}")] {
            let read = vault.done("GET", &path, Value::Null).await;
            assert_eq!(read, made, "{path}");
        }
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "key_hsm"] {
            assert!(made["key"].get(private).is_none(), "{name} {private}");
        }
        assert_eq!(made["attributes"]["exportable"], false);
        assert_eq!(made["attributes"]["created"], NOW.0);
    }
    let listed = vault.done("GET", "/keys", Value::Null).await;
    let kids: Vec<_> = listed["value"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    let wanted = ["ec", "oct", "rsa"].map(|name| json!(format!("{}/keys/{name}", vault.url())));
    assert_eq!(kids, wanted.iter().collect::<Vec<_>>());
    assert_eq!(listed["nextLink"], Value::Null);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_and_each_key_once() {
    let vault = Vault::open().await;
    for number in 0..7 {
        let path = format!("/keys/k{number}/create");
        vault.done("POST", &path, json!({"kty": "oct", "key_size": 128})).await;
    }
    let (mut seen, mut next) = (Vec::new(), Some("/keys?maxresults=3".to_owned()));
    while let Some(path) = next {
        let page = vault.done("GET", &path, Value::Null).await;
        let keys = page["value"].as_array().unwrap();
        assert!(keys.len() <= 3);
        seen.extend(keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()));
        next = page["nextLink"].as_str().map(|link| {
            assert!(link.contains("api-version=7.4") && link.contains("$skiptoken="), "{link}");
            let path = link.strip_prefix(&vault.url()).unwrap();
            path.replace("api-version=7.4&", "")
        });
    }
    let wanted: Vec<_> = (0..7).map(|number| format!("{}/keys/k{number}", vault.url())).collect();
    assert_eq!(seen, wanted);
    for bad in ["/keys?maxresults=0", "/keys?maxresults=26", "/keys?$skiptoken=../x"] {
        let (status, code, _) = vault.refused("root", "GET", bad, Value::Null).await;
        assert_eq!((status, code.as_str()), (400, "BadParameter"), "{bad}");
    }
}

#[tokio::test]
async fn a_key_signs_decrypts_and_wraps_without_leaving() {
    let vault = Vault::open().await;
    let made = vault.done("POST", "/keys/rsa/create", json!({"kty": "RSA"})).await;
    let hash = digest(&SHA256, b"message");
    let signed = json!({"alg": "RS256", "value": BASE64URL_NOPAD.encode(hash.as_ref())});
    let answer = vault.done("POST", "/keys/rsa/sign", signed.clone()).await;
    assert_eq!(answer["kid"], made["key"]["kid"]);
    let (n, e) = (octets(&made["key"]["n"]), octets(&made["key"]["e"]));
    let public = RsaPublicKeyComponents { n: &n, e: &e };
    let signature = octets(&answer["value"]);
    public.verify(&RSA_PKCS1_2048_8192_SHA256, b"message", &signature).unwrap();
    let verify = |signature: &[u8]| {
        json!({"alg": "RS256", "digest": BASE64URL_NOPAD.encode(hash.as_ref()),
            "value": BASE64URL_NOPAD.encode(signature)})
    };
    let path = format!("/keys/rsa/{}/verify", version(&made));
    assert_eq!(vault.done("POST", &path, verify(&signature)).await["value"], true);
    let mut altered = signature.clone();
    altered[9] ^= 1;
    assert_eq!(vault.done("POST", &path, verify(&altered)).await["value"], false);

    vault.done("POST", "/keys/oct/create", json!({"kty": "oct-HSM", "key_size": 256})).await;
    for (key, there, back, algorithm) in [
        ("rsa", "encrypt", "decrypt", "RSA-OAEP"),
        ("rsa", "encrypt", "decrypt", "RSA-OAEP-256"),
        ("rsa", "wrapkey", "unwrapkey", "RSA-OAEP-256"),
        ("oct", "encrypt", "decrypt", "A256GCM"),
        ("oct", "encrypt", "decrypt", "A256CBC"),
        ("oct", "encrypt", "decrypt", "A256CBCPAD"),
        ("oct", "wrapkey", "unwrapkey", "A256KW"),
    ] {
        let secret = BASE64URL_NOPAD.encode(&[7; 32]);
        let request = json!({"alg": algorithm, "value": secret});
        let sealed = vault.done("POST", &format!("/keys/{key}/{there}"), request).await;
        let mut request = sealed.clone();
        request["alg"] = json!(algorithm);
        let opened = vault.done("POST", &format!("/keys/{key}/{back}"), request.clone()).await;
        assert_eq!(opened["value"], json!(secret), "{algorithm}");
        if algorithm != "A256CBC" && algorithm != "A256CBCPAD" {
            let mut altered = octets(&sealed["value"]);
            altered[0] ^= 1;
            request["value"] = json!(BASE64URL_NOPAD.encode(&altered));
            let path = format!("/keys/{key}/{back}");
            let (status, code, _) = vault.refused("root", "POST", &path, request).await;
            assert_eq!((status, code.as_str()), (400, "BadParameter"), "{algorithm}");
        }
    }
    for algorithm in ["RSA1_5", "HS256", "none", "A128GCM"] {
        let request = json!({"alg": algorithm, "value": "AAAA"});
        let refused = vault.refused("root", "POST", "/keys/oct/decrypt", request).await;
        assert_eq!(refused.0, 400, "{algorithm}");
    }
    // What is recorded is who and which key, never what went in or came out.
    let records = vault.site.records();
    let used = records.iter().filter(|record| record["event"] == "key-used");
    assert!(used.clone().count() > 15 && used.clone().all(|record| record["principal"] == "root"));
    assert!(!records.iter().any(|record| record.to_string().contains("BwcHBw")));
}

#[tokio::test]
async fn a_key_outside_its_time_or_its_operations_does_nothing() {
    let vault = Vault::open().await;
    let hash = BASE64URL_NOPAD.encode(&[1; 32]);
    let sign = json!({"alg": "ES256", "value": hash});
    for (name, attributes, inner) in [
        ("disabled", json!({"enabled": false}), "KeyDisabled"),
        ("early", json!({"nbf": NOW.0 + 1}), "KeyNotYetValid"),
        ("late", json!({"exp": NOW.0}), "KeyExpired"),
    ] {
        let body = json!({"kty": "EC", "attributes": attributes});
        vault.done("POST", &format!("/keys/{name}/create"), body).await;
        let path = format!("/keys/{name}/sign");
        let refused = vault.refused("root", "POST", &path, sign.clone()).await;
        assert_eq!(refused, (403, "Forbidden".to_owned(), inner.to_owned()), "{name}");
    }
    vault.site.at(1);
    vault.done("POST", "/keys/early/sign", sign.clone()).await;
    vault.done("PATCH", "/keys/disabled", json!({"attributes": {"enabled": true}})).await;
    vault.done("POST", "/keys/disabled/sign", sign.clone()).await;
    let only = json!({"kty": "EC", "key_ops": ["verify"]});
    vault.done("POST", "/keys/only/create", only).await;
    let refused = vault.refused("root", "POST", "/keys/only/sign", sign).await;
    assert_eq!(refused.2, "KeyOperationForbidden");
}

#[tokio::test]
async fn a_deleted_key_is_gone_until_it_is_recovered_and_for_good_when_it_is_purged() {
    let vault = Vault::open().await;
    let made = vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    let gone = vault.done("DELETE", "/keys/k", Value::Null).await;
    assert_eq!(gone["recoveryId"], json!(format!("{}/deletedkeys/k", vault.url())));
    assert_eq!(gone["deletedDate"], NOW.0);
    let sign = json!({"alg": "ES256", "value": BASE64URL_NOPAD.encode(&[1; 32])});
    for (method, path, body) in [
        ("GET", "/keys/k", Value::Null),
        ("GET", "/keys/k/versions", Value::Null),
        ("POST", "/keys/k/sign", sign.clone()),
        ("POST", "/keys/k/rotate", Value::Null),
        ("POST", "/keys/k/backup", Value::Null),
        ("DELETE", "/keys/k", Value::Null),
    ] {
        let (status, code, _) = vault.refused("root", method, path, body).await;
        assert_eq!((status, code.as_str()), (404, "KeyNotFound"), "{method} {path}");
    }
    let taken = vault.refused("root", "POST", "/keys/k/create", json!({"kty": "EC"})).await;
    let recoverable = "ObjectIsDeletedButRecoverable".to_owned();
    assert_eq!(taken, (409, "Conflict".to_owned(), recoverable));
    let listed = vault.done("GET", "/deletedkeys", Value::Null).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    let recovered = vault.done("POST", "/deletedkeys/k/recover", Value::Null).await;
    assert_eq!(recovered["key"], made["key"]);
    vault.done("POST", "/keys/k/sign", sign).await;
    let purge = vault.refused("root", "DELETE", "/deletedkeys/k", Value::Null).await;
    assert_eq!(purge.0, 404, "a key that is not deleted is not purged");
    vault.done("DELETE", "/keys/k", Value::Null).await;
    assert_eq!(vault.ask("root", "DELETE", "/deletedkeys/k", Value::Null).await.status, 204);
    let recover = vault.refused("root", "POST", "/deletedkeys/k/recover", Value::Null).await;
    assert_eq!(recover.0, 404);
    // A key made anew under the name has nothing of the old one.
    let anew = vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    assert_ne!(version(&anew), version(&made));
    assert_ne!(anew["key"]["x"], made["key"]["x"]);
    // What nobody recovers goes by itself.
    vault.done("DELETE", "/keys/k", Value::Null).await;
    vault.site.at(91 * 86_400);
    vault.refused("root", "POST", "/deletedkeys/k/recover", Value::Null).await;
    vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
}

#[tokio::test]
async fn a_backup_comes_back_where_it_came_from_and_nowhere_else() {
    let vault = Vault::open().await;
    let made = vault.done("POST", "/keys/k/create", json!({"kty": "EC", "tags": {"a": "b"}})).await;
    let backup = vault.done("POST", "/keys/k/backup", Value::Null).await;
    let taken = vault.refused("root", "POST", "/keys/restore", backup.clone()).await;
    assert_eq!((taken.0, taken.1.as_str()), (409, "Conflict"));
    vault.done("DELETE", "/keys/k", Value::Null).await;
    let taken = vault.refused("root", "POST", "/keys/restore", backup.clone()).await;
    assert_eq!(taken.0, 409);
    vault.ask("root", "DELETE", "/deletedkeys/k", Value::Null).await;
    let mut altered = octets(&backup["value"]);
    altered[20] ^= 1;
    let altered = json!({"value": BASE64URL_NOPAD.encode(&altered)});
    assert_eq!(vault.refused("root", "POST", "/keys/restore", altered).await.0, 400);
    let restored = vault.done("POST", "/keys/restore", backup.clone()).await;
    assert_eq!(restored["key"], made["key"]);
    assert_eq!(restored["tags"], json!({"a": "b"}));
    // Another tenant's vault, and another host's.
    let port = vault.served.port();
    let headers = format!("host: payroll.localhost:{port}\r\nauthorization: Bearer of-hr\r\n");
    let mut raw = vault.served.raw().await;
    let path = "/keys/restore?api-version=7.4";
    let other = raw.ask_as("POST", path, &headers, &backup.to_string()).await;
    assert_eq!(other.status, 400, "{other:?}");
    let stranger = Vault::open().await;
    assert_eq!(stranger.refused("root", "POST", "/keys/restore", backup).await.0, 400);
}

#[tokio::test]
async fn a_key_is_rotated_by_hand_and_when_its_policy_says() {
    let vault = Vault::open().await;
    let first = vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    let second = vault.done("POST", "/keys/k/rotate", Value::Null).await;
    assert_ne!(version(&first), version(&second));
    assert_ne!(first["key"]["x"], second["key"]["x"]);
    let default = vault.done("GET", "/keys/k/rotationpolicy", Value::Null).await;
    assert_eq!(default["lifetimeActions"], json!([]));
    let policy = json!({"lifetimeActions": [
        {"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P90D"}});
    let set = vault.done("PUT", "/keys/k/rotationpolicy", policy).await;
    assert_eq!(set["id"], json!(format!("{}/keys/k/rotationpolicy", vault.url())));
    assert_eq!(set["attributes"]["created"], NOW.0);
    assert!(vault.site.host.vault_upkeep().await.unwrap().rotated.is_empty());
    vault.site.at(30 * 86_400);
    assert_eq!(vault.site.host.vault_upkeep().await.unwrap().rotated, ["default/k"]);
    assert!(vault.site.host.vault_upkeep().await.unwrap().rotated.is_empty());
    let versions = vault.done("GET", "/keys/k/versions", Value::Null).await;
    assert_eq!(versions["value"].as_array().unwrap().len(), 3);
    let newest = vault.done("GET", "/keys/k", Value::Null).await;
    assert_eq!(newest["attributes"]["exp"], NOW.0 + 120 * 86_400);
    for bad in ["P1H", "P6D", "30 days"] {
        let action = json!([{"trigger": {"timeAfterCreate": bad}, "action": {"type": "Rotate"}}]);
        let policy = json!({"lifetimeActions": action});
        let refused = vault.refused("root", "PUT", "/keys/k/rotationpolicy", policy).await;
        assert_eq!(refused.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_key_that_is_imported_is_the_key_that_was_given() {
    let vault = Vault::open().await;
    let material = BASE64URL_NOPAD.encode(&[9; 32]);
    let key = json!({"kty": "oct-HSM", "k": material, "key_ops": null});
    let body = json!({"key": key, "hsm": true, "attributes": {"exportable": true},
        "release_policy": wire_policy("sevsnpvm", false)});
    let made = vault.done("PUT", "/keys/oct", body.clone()).await;
    assert_eq!(made["key"]["kty"], "oct-HSM");
    assert_eq!(made["attributes"]["exportable"], true);
    assert!(!made.to_string().contains(&material));
    let taken = vault.refused("root", "PUT", "/keys/oct", body).await;
    assert_eq!(taken.0, 409);
    for (name, key) in [
        ("no-k", json!({"kty": "oct"})),
        ("public", json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})),
        ("kind", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "d": "AAAA"})),
        ("wrapped", json!({"kty": "RSA-HSM", "key_hsm": "AAAA"})),
    ] {
        let path = format!("/keys/{name}");
        let (status, code, _) = vault.refused("root", "PUT", &path, json!({"key": key})).await;
        assert_eq!((status, code.as_str()), (400, "BadParameter"), "{name}");
    }
}

#[tokio::test]
async fn rules_of_exportable_keys_are_told_in_the_services_words() {
    let vault = Vault::open().await;
    let message = async |method: &str, path: &str, body: Value| {
        let answer = vault.ask("root", method, path, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.body()["error"]["code"], "BadParameter");
        answer.body()["error"]["message"].as_str().unwrap().to_owned()
    };
    let exportable = json!({"kty": "EC", "attributes": {"exportable": true}});
    assert!(message("POST", "/keys/a/create", exportable).await.starts_with("AKV.SKR.1004"));
    let policy = wire_policy("sevsnpvm", true);
    let mut body = json!({"kty": "EC", "release_policy": policy});
    assert!(message("POST", "/keys/a/create", body.clone()).await.starts_with("AKV.SKR.1005"));
    body["attributes"] = json!({"exportable": true});
    let mut without = body.clone();
    let data = BASE64URL_NOPAD.encode(
        br#"{"anyOf":[{"authority":"https://a.example","allOf":[{"claim":"c","equals":"v"}]}]}"#,
    );
    without["release_policy"] = json!({"data": data});
    let said = message("POST", "/keys/a/create", without).await;
    assert!(said.contains("Key Release Policy") && said.contains("version"), "{said}");
    let made = vault.done("POST", "/keys/a/create", body).await;
    let path = format!("/keys/a/{}", version(&made));
    let change = json!({"release_policy": wire_policy("tdxvm", false)});
    assert!(message("PATCH", &path, change.clone()).await.starts_with("AKV.SKR.1016"));
    // Immutable it stays, whoever asks.
    assert!(message("PATCH", "/keys/a", change).await.starts_with("AKV.SKR.1020"));
    let change = json!({"attributes": {"exportable": false}});
    assert!(message("PATCH", "/keys/a", change).await.starts_with("AKV.SKR.1003"));
    let read = vault.done("GET", "/keys/a", Value::Null).await;
    assert_eq!(read["release_policy"], made["release_policy"]);
    assert_eq!(read["release_policy"]["immutable"], true);
}

// invariant 4
#[tokio::test]
async fn what_is_known_of_a_key_is_of_its_connector_alone() {
    let vault = Vault::with(|ground, plan| {
        let component = bundled::component("kms-local").unwrap();
        plan.plugins.push(ground.plugin("kms-second", component));
    });
    let vault = vault.await;
    let choose = async |name: &str| {
        let change = PluginChange::Choose { name: name.to_owned() };
        let by = caller(&tenant("default"));
        vault.site.host.change_plugin(&by, "tests", change).await.unwrap();
    };
    let first = vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    vault.done("DELETE", "/keys/k", Value::Null).await;

    choose("kms-second").await;
    // Neither deleted nor there.
    assert_eq!(vault.refused("root", "GET", "/keys/k", Value::Null).await.0, 404);
    assert_eq!(vault.refused("root", "GET", "/deletedkeys/k", Value::Null).await.0, 404);
    let second = vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    assert_ne!(second["key"]["x"], first["key"]["x"]);
    // The time of the first one's deletion is over, and the second one stays.
    vault.site.at(91 * 86_400);
    vault.site.host.vault_upkeep().await.unwrap();
    assert_eq!(vault.done("GET", "/keys/k", Value::Null).await["key"]["x"], second["key"]["x"]);
    vault.site.at(0);

    choose("kms-local").await;
    vault.done("POST", "/deletedkeys/k/recover", Value::Null).await;
    assert_eq!(vault.done("GET", "/keys/k", Value::Null).await["key"]["x"], first["key"]["x"]);
}
