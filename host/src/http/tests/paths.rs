//! A resource has one path and knows its methods.

use super::support::{settings, start};

#[tokio::test]
async fn a_path_in_another_spelling_is_no_resource() {
    // attack 40
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    for path in [
        "/",
        "/v1",
        "/V1/challenges",
        "/v1/challenges/",
        "//v1/challenges",
        "/v1//challenges",
        "/v1/./challenges",
        "/v1/x/../challenges",
        "/v1/keys/../challenges",
        "/v1/keys/a%2frelease/release",
        "/v1/keys/a%252f/release",
        "/v1/keys/%2e%2e/release",
        "/v1/%63hallenges",
        "/t/default%2f/v1/challenges",
        "/t//v1/challenges",
        "/v1/keys/../release",
        "/v1/keys/./release",
        "/v1/keys/a;b/release",
    ] {
        let refused = raw.post(path, r#"{"token":"t"}"#).await;
        assert_eq!((refused.status, refused.code()), (404, "not-found"), "{path}");
    }
    assert!(served.host.called().is_empty());
}

#[tokio::test]
async fn what_is_described_is_served() {
    let served = start(settings()).await;
    let (mut api, mut admin) = (served.raw().await, served.raw_admin().await);
    let document = api.ask("GET /v1/openapi.json", "", "").await.body;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let line = format!(
                "{} {}",
                method.to_uppercase(),
                path.replace("{name}", "k").replace("{id}", "0")
            );
            let administration = operation["tags"][0] == "administration";
            let door = if administration { &mut admin } else { &mut api };
            let answer = door.ask(&line, "", "").await;
            assert!(![404, 405].contains(&answer.status), "{line}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_resource_does_not_know_is_refused() {
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    for (line, allowed) in [
        ("GET /v1/challenges", "POST"),
        ("DELETE /v1/keys/k/release", "POST"),
        ("POST /v1/health", "GET,HEAD"),
        ("OPTIONS /v1/health", "GET,HEAD"),
        ("BREW /v1/health", "GET,HEAD"),
    ] {
        let refused = raw.ask(line, "", "").await;
        assert_eq!((refused.status, refused.code()), (405, "method-not-allowed"), "{line}");
        assert_eq!(refused.header("allow"), Some(allowed), "{line}");
    }
    let refused = raw.ask("OPTIONS *", "", "").await;
    assert_eq!(refused.code(), "not-found");
}

#[tokio::test]
async fn administration_is_not_served_where_workloads_are() {
    // attack 60
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    for path in [
        "/v1/keys",
        "/v1/keys/k",
        "/v1/keys/k/versions",
        "/v1/plugins",
        "/v1/audit/checkpoint",
        "/t/a/v1/keys",
    ] {
        let refused = raw.ask(&format!("GET {path}"), "", "").await;
        assert_eq!((refused.status, refused.code()), (404, "not-found"), "{path}");
    }
}
