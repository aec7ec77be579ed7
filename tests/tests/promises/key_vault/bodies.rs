//! What a client sends is read within bounds, and never in two ways.

use super::Vault;

// attacks 35 and 37
#[tokio::test]
async fn a_vaults_body_that_is_large_deep_double_or_compressed_changes_nothing() {
    let vault = Vault::open().await;
    let deep = format!("{{\"kty\":\"EC\",\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let large = format!("{{\"kty\":\"EC\",\"x\":\"{}\"}}", "a".repeat(600 << 10));
    for (body, headers, status) in [
        ("{\"kty\":\"EC\",\"kty\":\"RSA\"}", "", 400),
        ("{\"kty\":\"EC\",\"attributes\":{\"enabled\":true,\"enabled\":false}}", "", 400),
        ("{\"kty\":\"EC\",\"attributes\":{\"exp\":1.5}}", "", 400),
        ("{\"kty\":\"EC\",\"attributes\":{\"exp\":-1}}", "", 400),
        ("{\"kty\":null}", "", 400),
        ("[]", "", 400),
        ("{\"kty\":\"EC\"} x", "", 400),
        ("\u{1f}\u{8b}\u{8}", "content-encoding: gzip\r\n", 400),
        (deep.as_str(), "", 400),
        (large.as_str(), "", 413),
    ] {
        let mut raw = vault.served.raw().await;
        let headers =
            format!("authorization: Bearer root\r\ncontent-type: application/json\r\n{headers}");
        let path = "/keys/k/create?api-version=7.4";
        let answer = raw.ask("POST", path, &headers, body).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(answer.status, status, "{shown}: {answer:?}");
        assert!(answer.body()["error"]["code"].is_string(), "{shown}");
    }
    // A member that is unknown or null is a newer client's, and a body of no declared type an old one's.
    let mut raw = vault.served.raw().await;
    let body = "{\"kty\":\"EC\",\"key_ops\":null,\"newer\":{\"x\":[1]}}";
    let headers = "authorization: bearer root\r\n";
    let made = raw.ask("POST", "/keys/k/create?api-version=7.4", headers, body).await;
    assert_eq!(made.status, 200, "{made:?}");
    let versions = vault.done("GET", "/keys/k/versions", serde_json::Value::Null).await;
    assert_eq!(versions["value"].as_array().unwrap().len(), 1);
}
