//! Development is unmistakable, and nothing of it is good in production.

use claviger::assemble::Plan;
use claviger::error::Code;
use claviger_tests::site::{ADMINISTRATOR, Ground, Guest, Site, code, family};

/// What a production host would be on the same ground: AMD's roots and no others.
fn production(_: &Ground, plan: &mut Plan) {
    plan.development = false;
    plan.simulated_roots.clear();
    plan.endorsements.clear();
}

// attacks 34 and 61
#[tokio::test]
async fn a_production_host_with_a_simulated_root_does_not_start() {
    let ground = Ground::new();
    let plan = Plan { development: false, ..ground.plan() };
    let refused = ground.try_build(plan).await.err().unwrap();
    assert_eq!(refused, "simulated hardware is accepted by development hosts only");
}

// attack 34
#[tokio::test]
async fn a_production_host_does_not_believe_simulated_hardware() {
    let site = Site::with(production).await;
    site.key("k").await;
    let mut guest = Guest::new();
    let chain = [family().ask().to_vec(), family().ark().to_vec()];
    guest.hardware.attachments.extend(chain);
    let refused = site.release(&guest, "k").await;
    assert!(matches!(code(refused), Code::EvidenceUntrusted | Code::EvidenceSignature));
    assert_eq!(site.releases(), 0);
}

// attack 34, invariant 8
#[tokio::test]
async fn a_token_of_simulated_hardware_is_worth_nothing_in_production() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    // The same store, so the same token keys; but no development any more.
    let site = site.again(production).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::EvidenceUntrusted);
    assert_eq!(site.releases(), 1);
}

// attack 61
#[tokio::test]
async fn development_shows_in_every_status_token_release_and_record() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let served = site.serve().await;
    assert!(served.client().health().await.unwrap().development);
    let attested = site.attest(&guest).await.unwrap();
    assert!(attested.simulated);
    let released = site.redeem(&guest, "k", &attested.token).await.unwrap();
    assert!(released.simulated);
    assert!(site.release(&guest, "k").await.unwrap().simulated);
    let records = site.records();
    let decisions = records.iter().filter(|record| record["recipient"].is_string());
    assert_eq!(decisions.clone().count(), 3);
    assert!(decisions.clone().all(|record| record["simulated"] == true));
    let site = site.again(production).await;
    let served = site.serve().await;
    assert!(!served.client().health().await.unwrap().development);
}

// attack 61
#[tokio::test]
async fn what_belongs_to_the_configuration_cannot_be_set_over_the_api() {
    let site = Site::new().await;
    let served = site.serve().await;
    let headers =
        format!("authorization: Bearer {ADMINISTRATOR}\r\ncontent-type: application/json\r\n");
    let mut raw = served.raw_admin().await;
    for (method, path) in [
        ("POST", "/v1/audit"),
        ("PUT", "/v1/audit"),
        ("POST", "/v1/audit/checkpoint"),
        ("DELETE", "/v1/audit/checkpoint"),
        ("POST", "/v1/policies"),
        ("POST", "/v1/anchors"),
        ("POST", "/v1/health"),
    ] {
        let answer = raw.ask(method, path, &headers, r#"{"path":"/tmp/x"}"#).await;
        assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.status);
    }
    // Nor do keys.
    let answer = raw.ask("PUT", "/v1/keys/k", &headers, r#"{"path":"/tmp/x"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "request-malformed"));
    // Plugins come as themselves, never as a path on the host's machine.
    for (method, path) in [("POST", "/v1/plugins"), ("PUT", "/v1/plugins/verifier-snp")] {
        let answer = raw.ask(method, path, &headers, r#"{"path":"/tmp/x"}"#).await;
        assert_eq!(answer.status, 415, "{method} {path}");
    }
}

// attacks 55 and 60
#[tokio::test]
async fn administration_is_on_its_own_door_and_wants_a_credential() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let headers = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    let mut workloads = served.raw().await;
    for path in ["/v1/keys", "/v1/keys/k", "/v1/keys/k/versions", "/v1/plugins"] {
        assert_eq!(workloads.ask("GET", path, &headers, "").await.code(), "not-found", "{path}");
    }
    let mut administrators = served.raw_admin().await;
    for headers in ["", "authorization: Bearer wrong\r\n"] {
        let answer = administrators.ask("GET", "/v1/keys", headers, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
    }
}
