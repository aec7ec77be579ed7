//! `/attest/maa` and `/key/release` against a host's own Azure face.

use std::fs;
use std::sync::Arc;

use claviger_client::Trust;
use claviger_client::http::Service;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use http::Method;
use serde_json::{Value, json};

use crate::azure::import;
use crate::serve::{ANY_PORT, Served};
use crate::support::{Host, TOKEN, skipped};

/// Whether this host has the face: it publishes the keys of its attestation tokens.
fn has_face(endpoint: &str, ca: &[u8]) -> bool {
    let tls = Trust::roots(ca).tls().unwrap();
    let service = Service::https(&format!("https://{endpoint}"), Arc::clone(&tls)).unwrap();
    let request = service.request(Method::GET, "/certs", Vec::new()).unwrap();
    let answer = tokio::runtime::Runtime::new().unwrap().block_on(service.send(request)).unwrap();
    if !answer.status().is_success() {
        skipped("the host's Azure face");
    }
    answer.status().is_success()
}

#[test]
fn a_token_and_keys_come_from_a_hosts_own_azure_face() {
    let Some(host) = Host::start() else { return };
    let (endpoint, roots) = (host.endpoint(), host.state().join("ca.pem"));
    let ca = fs::read(&roots).unwrap();
    if !has_face(&endpoint, &ca) {
        return;
    }
    let more = format!("{ANY_PORT}[azure]\nroots = \"{}\"\n", roots.display());
    let served = Served::start(&host, &more);

    let runtime_data = BASE64.encode(br#"{"keys":[],"mine":1}"#);
    let request = json!({"maa_endpoint": endpoint, "runtime_data": runtime_data});
    let (status, answer) = served.ask("POST", "/attest/maa", &request.to_string());
    assert_eq!(status, 200, "{answer}");
    let token = answer["token"].as_str().unwrap();
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["x-ms-attestation-type"], "sevsnpvm");
    assert_eq!(claims["x-ms-runtime"]["mine"], 1);

    let k = BASE64URL_NOPAD.encode(&[0x5a; 32]);
    import(&endpoint, &ca, TOKEN, "of-the-face", &json!({"kty": "oct-HSM", "k": k}));
    let request = |kid: &str, token: &str| {
        json!({"maa_endpoint": endpoint, "akv_endpoint": endpoint, "kid": kid,
            "access_token": token})
        .to_string()
    };
    let (status, answer) = served.ask("POST", "/key/release", &request("of-the-face", TOKEN));
    assert_eq!(status, 200, "{answer}");
    let key: Value = serde_json::from_str(answer["key"].as_str().unwrap()).unwrap();
    assert_eq!((&key["kty"], &key["k"]), (&json!("oct"), &json!(k)));

    for (kid, token, cause) in [("absent", TOKEN, "404"), ("of-the-face", "nobodys", "401")] {
        let (status, answer) = served.ask("POST", "/key/release", &request(kid, token));
        assert_eq!(status, 403, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(cause), "{answer}");
    }
}
