//! What is not exactly a request is refused, and the host is not asked.

use super::support::{settings, start};

const CHALLENGE: &str = r#"{"purpose":"attestation"}"#;

#[tokio::test]
async fn only_plain_json_is_read() {
    // attack 37
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    for headers in [
        "",
        "content-type: text/plain\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: application/json; charset=utf-7\r\n",
        "content-type: application/json\r\ncontent-type: application/json\r\n",
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
        "content-type: application/json\r\ncontent-encoding: identity\r\n",
    ] {
        let refused = raw.ask("POST /v1/challenges", headers, CHALLENGE).await;
        assert_eq!((refused.status, refused.code()), (415, "unsupported-media-type"), "{headers}");
    }
    assert!(served.host.called().is_empty());
    let answered = raw.post("/v1/challenges", CHALLENGE).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn a_body_with_anything_unknown_double_or_deep_is_refused() {
    // attack 35
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let deep = format!(
        r#"{{"challenge":"c","evidence":{{"tee":"snp","data":"AA"}},"recipient":{{"a":{}1{}}}}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let cases = [
        ("/v1/challenges", r#"{"purpose":"attestation","key":"k"}"#),
        ("/v1/challenges", r#"{"purpose":"attestation","nonce":"mine"}"#),
        ("/v1/challenges", r#"{"purpose":"attestation","purpose":"attestation"}"#),
        ("/v1/challenges", r#"{"purpose":"release"}"#),
        ("/v1/challenges", r#"{"purpose":"Attestation"}"#),
        ("/v1/challenges", "{}"),
        ("/v1/challenges", "[]"),
        ("/v1/challenges", r#"{"purpose":"attestation"} x"#),
        ("/v1/challenges", ""),
        (
            "/v1/attestations",
            r#"{"challenge":"c","evidence":{"tee":"snp","data":"AA==","attachments":[]},"recipient":{}}"#,
        ),
        (
            "/v1/attestations",
            r#"{"challenge":"c","evidence":{"tee":"snp","data":"A+/A","attachments":[]},"recipient":{}}"#,
        ),
        (
            "/v1/attestations",
            r#"{"challenge":"c","evidence":{"tee":"snp","data":"AA","trusted":true},"recipient":{}}"#,
        ),
        (
            "/v1/attestations",
            r#"{"challenge":"c","evidence":{"tee":"snp","data":"AA"},"recipient":"{}"}"#,
        ),
        (
            "/v1/attestations",
            r#"{"challenge":"c","evidence":{"tee":"snp","data":"AA"},"recipient":{"kty":"EC","kty":"RSA"}}"#,
        ),
        ("/v1/attestations", &deep),
        (
            "/v1/keys/k/release",
            r#"{"token":"t","challenge":"c","evidence":{"tee":"snp","data":"AA"},"recipient":{}}"#,
        ),
        ("/v1/keys/k/release", r#"{"challenge":"c","evidence":{"tee":"snp","data":"AA"}}"#),
        ("/v1/keys/k/release", r#"{"version":"1"}"#),
        ("/v1/keys/k/release", r#"{"token":"t","key":"other"}"#),
        ("/v1/keys/k/release", r#"{"token":"t","version":1}"#),
    ];
    for (path, body) in cases {
        let refused = raw.post(path, body).await;
        assert_eq!((refused.status, refused.code()), (400, "request-malformed"), "{path} {body}");
    }
    assert!(served.host.called().is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    // attack 35
    let served = start(crate::http::HttpSettings { body_bytes: 1000, ..settings() }).await;
    let mut raw = served.raw().await;
    let declared = "content-type: application/json\r\ncontent-length: 1001\r\n";
    let refused = raw.ask("POST /v1/challenges", declared, "").await;
    assert_eq!((refused.status, refused.code()), (413, "request-too-large"));

    let mut raw = served.raw().await;
    let chunked = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    raw.send(format!("POST /v1/challenges HTTP/1.1\r\nhost: h\r\n{chunked}\r\n")).await;
    raw.send(format!("3e9\r\n{}\r\n", " ".repeat(1001))).await;
    let refused = raw.receive().await;
    assert_eq!((refused.status, refused.code()), (413, "request-too-large"));

    let mut raw = served.raw().await;
    let body = format!("{CHALLENGE}{}", " ".repeat(1000 - CHALLENGE.len()));
    assert_eq!(raw.post("/v1/challenges", &body).await.status, 200);
}
