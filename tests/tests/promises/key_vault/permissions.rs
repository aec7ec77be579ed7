//! Who may do what in a vault.

use serde_json::{Value, json};

use super::Vault;
use claviger_tests::site::NOW;

// attack 55
#[tokio::test]
async fn nobody_gets_anything_without_a_token_and_learns_where_to_get_one_before_his_body_is_read()
{
    let vault = Vault::open().await;
    let mut raw = vault.served.raw().await;
    for (method, path, body) in [
        ("GET", "/keys", ""),
        ("GET", "/keys/nothing", ""),
        ("POST", "/keys/k/create", "not json"),
        ("POST", "/keys/k//release", ""),
        ("PUT", "/secrets/s", "{"),
        ("POST", "/rng", ""),
        ("GET", "/deletedsecrets", ""),
    ] {
        let answer = raw.ask(method, path, "", body).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        let challenge = answer.header("www-authenticate").unwrap();
        let wanted = format!(
            "Bearer authorization=\"https://identity.example/tenant\", resource=\"{}\"",
            vault.url()
        );
        assert_eq!(challenge, wanted);
        assert_eq!(answer.body()["error"]["code"], "Unauthorized");
        let message = answer.body()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("AKV10000"), "{message}");
    }
}

// attack 52
#[tokio::test]
async fn a_token_counts_by_issuer_audience_time_and_every_claim() {
    let vault = Vault::open().await;
    let sound = json!({"aud": "https://vault.example", "oid": "1", "azp": "2"});
    let token = |change: &[(&str, Value)]| {
        let mut claims = sound.clone();
        for (name, value) in change {
            claims[*name] = value.clone();
        }
        vault.identity.token(claims)
    };
    let status = async |token: &str| vault.ask(token, "GET", "/keys", Value::Null).await.status;
    assert_eq!(status(&token(&[])).await, 200);
    for (change, wanted) in [
        (("aud", json!("https://other.example")), 401),
        (("iss", json!("https://other.example")), 401),
        (("exp", json!(NOW.0 - 31)), 401),
        (("nbf", json!(NOW.0 + 31)), 401),
        (("iat", json!(NOW.0 - 331)), 401),
        // Known by the service, and nobody here.
        (("oid", json!("9")), 403),
        (("azp", json!(2)), 403),
    ] {
        assert_eq!(status(&token(std::slice::from_ref(&change))).await, wanted, "{change:?}");
    }
    let liar = super::Service::new("https://identity.example").token(sound.clone());
    assert_eq!(status(&liar).await, 401);
    // An attestation service vouches for no principal.
    assert_eq!(status(&vault.attestation.token(sound.clone())).await, 401);
    for nonsense in ["root2", "Root", "", "a.b.c"] {
        assert_eq!(status(nonsense).await, 401, "{nonsense:?}");
    }
}

#[tokio::test]
async fn who_may_release_can_neither_read_nor_enumerate_nor_change() {
    let vault = Vault::open().await;
    vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    vault.done("PUT", "/secrets/s", json!({"value": "v"})).await;
    let forbidden = (403, "Forbidden".to_owned(), "AccessDenied".to_owned());
    let sign = json!({"alg": "ES256", "value": "AAAA"});
    let everything = [
        ("GET", "/keys", Value::Null, "keys/list"),
        ("GET", "/keys/k", Value::Null, "keys/get"),
        ("GET", "/keys/k/versions", Value::Null, "keys/list"),
        ("POST", "/keys/n/create", json!({"kty": "EC"}), "keys/create"),
        (
            "PUT",
            "/keys/n",
            json!({"key": {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA"}}),
            "keys/import",
        ),
        ("PATCH", "/keys/k", json!({}), "keys/update"),
        ("DELETE", "/keys/k", Value::Null, "keys/delete"),
        ("POST", "/keys/k/backup", Value::Null, "keys/backup"),
        ("POST", "/keys/restore", json!({"value": "AAAA"}), "keys/restore"),
        ("POST", "/keys/k/rotate", Value::Null, "keys/rotate"),
        ("GET", "/keys/k/rotationpolicy", Value::Null, "keys/get-rotation-policy"),
        ("PUT", "/keys/k/rotationpolicy", json!({}), "keys/set-rotation-policy"),
        ("POST", "/keys/k/sign", sign.clone(), "keys/sign"),
        (
            "POST",
            "/keys/k/verify",
            json!({"alg": "ES256", "digest": "AA", "value": "AA"}),
            "keys/verify",
        ),
        ("POST", "/keys/k/encrypt", sign.clone(), "keys/encrypt"),
        ("POST", "/keys/k/decrypt", sign.clone(), "keys/decrypt"),
        ("POST", "/keys/k/wrapkey", sign.clone(), "keys/wrap"),
        ("POST", "/keys/k/unwrapkey", sign, "keys/unwrap"),
        ("GET", "/deletedkeys", Value::Null, "keys/list"),
        ("GET", "/deletedkeys/k", Value::Null, "keys/get"),
        ("DELETE", "/deletedkeys/k", Value::Null, "keys/purge"),
        ("POST", "/deletedkeys/k/recover", Value::Null, "keys/recover"),
        ("POST", "/keys/k/release", json!({"target": "a.b.c"}), "keys/release"),
        ("GET", "/secrets", Value::Null, "secrets/list"),
        ("GET", "/secrets/s", Value::Null, "secrets/get"),
        ("GET", "/secrets/s/versions", Value::Null, "secrets/list"),
        ("PUT", "/secrets/s", json!({"value": "w"}), "secrets/set"),
        ("PATCH", "/secrets/s", json!({}), "secrets/set"),
        ("DELETE", "/secrets/s", Value::Null, "secrets/delete"),
        ("POST", "/secrets/s/backup", Value::Null, "secrets/backup"),
        ("POST", "/secrets/restore", json!({"value": "AAAA"}), "secrets/restore"),
        ("GET", "/deletedsecrets", Value::Null, "secrets/list"),
        ("GET", "/deletedsecrets/s", Value::Null, "secrets/get"),
        ("DELETE", "/deletedsecrets/s", Value::Null, "secrets/purge"),
        ("POST", "/deletedsecrets/s/recover", Value::Null, "secrets/recover"),
    ];
    use claviger::permission::Role;
    let roles = [
        ("workload", Role::ReleaseUser),
        ("auditor", Role::Auditor),
        ("officer", Role::CryptoOfficer),
        ("user", Role::CryptoUser),
        ("reader", Role::SecretsUser),
    ];
    for (name, role) in roles {
        for (method, path, body, permission) in &everything {
            let may = role.permissions().iter().any(|one| one.as_str() == *permission);
            if may {
                // That it works is for other tests; some would end what is looked at here.
                continue;
            }
            let refused = vault.refused(name, method, path, body.clone()).await;
            assert_eq!(refused, forbidden, "{name} {method} {path}");
        }
    }
    // Nothing of it was done.
    vault.done("GET", "/keys/k", Value::Null).await;
    assert_eq!(vault.done("GET", "/secrets/s", Value::Null).await["value"], "v");
}

// attack 40
#[tokio::test]
async fn a_vaults_name_chooses_its_tenant_and_nobody_reaches_into_anothers() {
    let vault = Vault::open().await;
    vault.done("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    let port = vault.served.port();
    let mut raw = vault.served.raw().await;
    let mut ask = async |host: &str, by: &str, method: &str, path: &str, body: &str| {
        let headers = format!("host: {host}:{port}\r\nauthorization: Bearer {by}\r\n");
        raw.ask_as(method, &format!("{path}?api-version=7.4"), &headers, body).await
    };
    let payroll = "payroll.localhost";
    assert_eq!(ask(payroll, "root", "GET", "/keys/k", "").await.status, 404);
    let made = ask(payroll, "of-hr", "POST", "/keys/p/create", "{\"kty\":\"EC\"}").await;
    let kid = made.body()["key"]["kid"].as_str().unwrap().to_owned();
    assert!(kid.starts_with(&format!("https://payroll.localhost:{port}/keys/p/")), "{kid}");
    assert_eq!(ask("localhost", "root", "GET", "/keys/p", "").await.status, 404);
    // He is of another tenant, whatever host he names.
    for host in ["localhost", "127.0.0.1", "evil.example"] {
        let refused = ask(host, "of-hr", "GET", "/keys/k", "").await;
        assert_eq!(refused.status, 403, "{host}");
    }
    let nowhere = ask("other.localhost", "root", "GET", "/keys/k", "").await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.body()["error"]["code"], "NotFound");
}

#[tokio::test]
async fn a_version_of_the_interface_must_be_named_and_may_be_a_new_one() {
    let vault = Vault::open().await;
    let mut raw = vault.served.raw().await;
    for (query, status) in [
        ("", 400),
        ("?api-version=", 400),
        ("?api-version=7.4&api-version=7.3", 400),
        ("?api-version=2016-10-01", 200),
        ("?api-version=2099-01-01-preview", 200),
    ] {
        let path = format!("/keys{query}");
        let answer = raw.ask("GET", &path, "authorization: Bearer root\r\n", "").await;
        assert_eq!(answer.status, status, "{query}");
    }
}

// attack 55
#[tokio::test]
async fn guessing_a_vaults_token_ends_in_waiting_and_a_good_one_is_never_made_to_wait() {
    let vault = Vault::open().await;
    let mut seen = Vec::new();
    for number in 0..20 {
        let guess = format!("guess-{number}");
        let answer = vault.ask(&guess, "GET", "/keys", Value::Null).await;
        if answer.status == 429 {
            assert_eq!(answer.body()["error"]["code"], "Throttled");
            assert!(answer.header("retry-after").is_some());
        }
        seen.push(answer.status);
        assert_eq!(vault.ask("root", "GET", "/keys", Value::Null).await.status, 200);
    }
    assert!(seen.starts_with(&[401; 5]) && seen.ends_with(&[429; 5]), "{seen:?}");
}
