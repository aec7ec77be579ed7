//! What is not exactly a request is refused, spends nothing and leaves no trace that misleads.

use claviger::http::HttpSettings;
use claviger_tests::site::{Guest, Journal, Site};
use data_encoding::BASE64;
use serde_json::{Value, json};

/// A request for the key `k`, as JSON.
fn sound(site: &Site, guest: &Guest) -> Value {
    serde_json::to_value(guest.asks(&site.challenge_for(guest, "k"))).unwrap()
}

// attack 35
#[tokio::test]
async fn a_request_with_something_unknown_missing_or_of_another_type_spends_nothing() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let body = sound(&site, &guest);
    let pointers = [
        ("/unknown", json!(1)),
        ("/evidence/trusted", json!(true)),
        ("/challenge", json!(null)),
        ("/challenge", json!(["x"])),
        ("/evidence", json!("x")),
        ("/evidence/tee", json!(1)),
        ("/evidence/data", json!(1.5)),
        ("/evidence/attachments", json!([1])),
        ("/recipient", json!([])),
        ("/version", json!(1)),
        ("/token", json!("x")),
    ];
    for (pointer, value) in pointers {
        let mut changed = body.clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[member] = value;
        let answer = raw.post("/v1/keys/k/release", &changed.to_string()).await;
        assert_eq!(answer.code(), "request-malformed", "{pointer}");
    }
    for member in ["challenge", "evidence", "recipient"] {
        let mut changed = body.clone();
        changed.as_object_mut().unwrap().remove(member);
        let answer = raw.post("/v1/keys/k/release", &changed.to_string()).await;
        assert_eq!(answer.code(), "request-malformed", "without {member}");
    }
    let text = body.to_string();
    for (from, to) in [("{\"challenge\"", "{\"challenge\":\"x\",\"challenge\""), ("{\"", "[{\"")] {
        let answer = raw.post("/v1/keys/k/release", &text.replacen(from, to, 1)).await;
        assert_eq!(answer.code(), "request-malformed", "{to}");
    }
    assert_eq!(raw.post("/v1/keys/k/release", &text).await.status, 200);
    assert_eq!(site.releases(), 1);
}

// attack 4
#[tokio::test]
async fn evidence_in_another_spelling_of_base64_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let challenge = site.challenge_for(&guest, "k");
    let mut body = serde_json::to_value(guest.asks(&challenge)).unwrap();
    let right = body["evidence"]["data"].as_str().unwrap().to_owned();
    let report = data_encoding::BASE64URL_NOPAD.decode(right.as_bytes()).unwrap();
    for other in [
        BASE64.encode(&report),
        format!("{right}="),
        format!(" {right}"),
        right.replacen('A', "A\n", 1),
    ] {
        body["evidence"]["data"] = json!(other);
        let answer = raw.post("/v1/keys/k/release", &body.to_string()).await;
        assert_eq!(answer.code(), "request-malformed");
    }
    body["evidence"]["data"] = json!(right);
    assert_eq!(raw.post("/v1/keys/k/release", &body.to_string()).await.status, 200);
}

// attacks 35 and 37
#[tokio::test]
async fn a_body_that_is_large_or_compressed_is_not_read() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let settings = HttpSettings { rate: None, body_bytes: 8_192, ..HttpSettings::default() };
    let served = site.serve_by(settings).await;
    let mut body = sound(&site, &guest);
    let gzip = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let answer =
        served.raw().await.ask("POST", "/v1/keys/k/release", gzip, &body.to_string()).await;
    assert_eq!(answer.code(), "unsupported-media-type");
    assert_eq!(served.raw().await.post("/v1/keys/k/release", &body.to_string()).await.status, 200);
    body["evidence"]["attachments"] = json!(["A".repeat(8_192)]);
    let answer = served.raw().await.post("/v1/keys/k/release", &body.to_string()).await;
    assert_eq!(answer.code(), "request-too-large");
}

// attack 41
#[tokio::test]
async fn what_a_client_says_makes_no_line_of_its_own_in_log_or_record() {
    let journal = Journal::open();
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let forged = "spoof\r\n2026-11-24T04:00:00Z INFO released \u{1b}[31m\u{2028}";
    for pointer in ["/challenge", "/evidence/tee", "/evidence/type", "/recipient/kty", "/version"] {
        let mut body = sound(&site, &guest);
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[member] = json!(forged);
        let answer = raw.post("/v1/keys/k/release", &body.to_string()).await;
        assert!(answer.status >= 400 && !answer.text.contains("spoof"), "{pointer}");
    }
    let lines = journal.lines(&["spoof"]);
    assert!(!lines.is_empty());
    for line in lines {
        assert!(!line.contains('\u{1b}') && !line.contains('\u{2028}'), "{line}");
    }
    let starts = |line: &str| line.starts_with("2026-11-24T04:00:00Z INFO released");
    assert!(!journal.text().lines().any(starts));
    let log = std::fs::read_to_string(site.ground.audit().join("audit.jsonl")).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

// attack 42
#[tokio::test]
async fn an_address_in_evidence_is_an_address_that_nobody_visits() {
    use std::net::TcpListener;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/vcek", listener.local_addr().unwrap());
    let site = Site::new().await;
    site.key("k").await;
    // In the chip's certificate, where the report's certificate should be found, and in the key.
    let family = claviger_tests::site::family();
    let endorser = family
        .forge_chip(&family.chip_template(), family.key(claviger::simulated::Role::Ask), |c| {
            c.extensions.push(claviger::simulated::Extension::crl_distribution_point(&url));
        })
        .unwrap();
    let guest = Guest::on(claviger::simulated::SimulatedGuest::new(endorser));
    let served = site.serve().await;
    let mut raw = served.raw().await;
    let body = sound(&site, &guest);
    raw.post("/v1/keys/k/release", &body.to_string()).await;
    let mut body = sound(&site, &guest);
    body["evidence"]["attachments"] =
        json!([data_encoding::BASE64URL_NOPAD.encode(url.as_bytes())]);
    assert_eq!(
        raw.post("/v1/keys/k/release", &body.to_string()).await.code(),
        "endorsements-unavailable"
    );
    let mut body = sound(&site, &guest);
    body["recipient"]["x5u"] = json!(url);
    body["recipient"]["jku"] = json!(url);
    raw.post("/v1/keys/k/release", &body.to_string()).await;
    let visit = listener.accept().unwrap_err();
    assert_eq!(visit.kind(), std::io::ErrorKind::WouldBlock);
}
