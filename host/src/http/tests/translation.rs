//! What a client says arrives at the host as it was meant, and the answer likewise.

use serde_json::json;

use super::support::{FakeHost, settings, start, start_host};
use crate::client::{Client, ClientError};
use crate::http::{
    AttestationRequest, Base64Url, ChallengeRequest, EvidenceBody, ReleaseRequest,
    ReleaseWithEvidence, ReleaseWithToken,
};
use crate::tenant::Tenant;

fn attestation() -> AttestationRequest {
    AttestationRequest {
        challenge: "c".into(),
        evidence: EvidenceBody {
            tee: "snp".into(),
            media_type: None,
            data: Base64Url(vec![1, 2, 255]),
            attachments: vec![Base64Url(vec![9])],
        },
        companions: vec![EvidenceBody {
            tee: "nvidia".into(),
            media_type: None,
            data: Base64Url(vec![7]),
            attachments: Vec::new(),
        }],
        recipient: json!({"kty": "OKP"}).as_object().unwrap().clone(),
        trust_path: true,
    }
}

#[tokio::test]
async fn a_challenge_says_everything_that_goes_into_the_evidence() {
    let served = start(settings()).await;
    let request = ChallengeRequest::Release { key: "db".into() };
    let challenge = served.client().challenge(&request).await.unwrap();
    assert_eq!(challenge.challenge, "challenge-token");
    assert_eq!(challenge.nonce, Base64Url(vec![0xfb; 32]));
    assert_eq!(challenge.expires, "2026-01-01T00:00:00Z");
    assert_eq!(challenge.host, "host-1");
    assert_eq!(challenge.purpose, "release:db");
    assert_eq!(served.host.called(), ["default challenge release:db"]);
}

#[tokio::test]
async fn evidence_arrives_byte_for_byte() {
    let served = start(settings()).await;
    let attested = served.client().attest(&attestation()).await.unwrap();
    assert_eq!((attested.token.as_str(), attested.audit_index), ("e30", u64::MAX));
    let called = served.host.called().concat();
    assert!(called.contains("data: [1, 2, 255], attachments: [[9]]"), "{called}");
    assert!(called.contains("tee: \"nvidia\", media_type: None, data: [7]"), "{called}");
    assert!(called.ends_with("Wanted { form: Jwt, trust_path: true }"), "{called}");
}

#[tokio::test]
async fn a_release_is_asked_for_by_token_or_by_evidence_on_one_kept_connection() {
    let served = start(settings()).await;
    let client = served.client();
    let by_token =
        ReleaseRequest::Token(ReleaseWithToken { token: "t".into(), version: Some("3".into()) });
    let released = client.release("db", &by_token).await.unwrap();
    assert_eq!((released.jwe.as_str(), released.version.as_str()), ("a.b.c.d.e", "3"));
    let AttestationRequest { challenge, evidence, companions, recipient, .. } = attestation();
    let by_evidence = ReleaseRequest::Evidence(ReleaseWithEvidence {
        challenge,
        evidence,
        companions,
        recipient,
        version: None,
    });
    client.release("db", &by_evidence).await.unwrap();
    assert_eq!(
        served.host.called(),
        ["default release db Some(\"3\") token t", "default release db None evidence c"]
    );
}

#[tokio::test]
async fn a_refusal_tells_the_code_and_not_the_reason() {
    // attack 62
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let refused = raw.post("/v1/keys/absent/release", r#"{"token":"t"}"#).await;
    assert_eq!((refused.status, refused.code()), (404, "key-not-found"));
    assert!(!refused.body.to_string().contains("internals"));
    let refused = raw.post("/v1/keys/busy/release", r#"{"token":"t"}"#).await;
    assert_eq!((refused.status, refused.code()), (503, "kms-unavailable"));
    assert_eq!(refused.header("retry-after"), Some("3"));

    let by_token = ReleaseRequest::Token(ReleaseWithToken { token: "t".into(), version: None });
    let error = served.client().release("absent", &by_token).await.unwrap_err();
    assert_eq!(error.code(), Some("key-not-found"));
    assert!(matches!(error, ClientError::Problem(problem) if problem.request_id.len() == 26));
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_connection_lives() {
    // attacks 62 and 64
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let failed = raw.post("/v1/keys/panic/release", r#"{"token":"t"}"#).await;
    assert_eq!((failed.status, failed.code()), (500, "internal"));
    assert!(!failed.body.to_string().contains("internals"));
    assert_eq!(raw.ask("GET /v1/health", "", "").await.status, 200);
}

#[tokio::test]
async fn health_is_told_also_where_it_is_bad() {
    let served = start(settings()).await;
    assert!(served.client().health().await.unwrap().healthy);
    let host = FakeHost { unhealthy: true, ..FakeHost::default() };
    let served = start_host(host, settings(), Vec::new(), None).await;
    assert!(!served.client().health().await.unwrap().healthy);
    assert_eq!(served.raw().await.ask("GET /v1/health", "", "").await.status, 503);
}

#[tokio::test]
async fn every_answer_has_an_identifier_of_the_hosts_own_and_the_security_headers() {
    // attack 41
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let mut seen = Vec::new();
    for path in ["/v1/health", "/nowhere", "/.well-known/jwks.json", "/v1/openapi.json"] {
        let answer = raw.ask(&format!("GET {path}"), "x-request-id: forged\r\n", "").await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(!seen.contains(&id));
        seen.push(id);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn the_tenant_comes_from_the_path_and_from_no_header() {
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let forged =
        "content-type: application/json\r\nx-tenant: victim\r\nx-claviger-tenant: victim\r\n";
    let body = r#"{"purpose":"attestation"}"#;
    raw.ask("POST /v1/challenges", forged, body).await;
    raw.ask("POST /t/team-7/v1/challenges", forged, body).await;
    assert_eq!(
        served.host.called(),
        ["default challenge attestation", "team-7 challenge attestation"]
    );
    for twin in ["Team-7", "-a", "t_7"] {
        let refused = raw.post(&format!("/t/{twin}/v1/challenges"), body).await;
        assert_eq!(refused.code(), "not-found");
    }

    let tenant = Some(Tenant::parse("team-7").unwrap());
    let client = Client::new(crate::client::ClientSettings { tenant, ..served.client_settings() });
    client.unwrap().challenge(&ChallengeRequest::Attestation {}).await.unwrap();
    assert_eq!(served.host.called().last().unwrap(), "team-7 challenge attestation");
}
