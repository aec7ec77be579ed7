//! A refusal explains itself: to whoever administers, under the request's identifier; its caller is
//! told a code and that identifier.

use claviger::client::ClientError;
use claviger::flow::RequestReport;
use claviger::http::{ChallengeRequest, Problem, ReleaseRequest, ReleaseWithToken};
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::site::{Guest, Served, Site, tenant};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// Asks for a key with a report for which the guest's own was changed.
async fn refused(
    served: &Served,
    guest: &Guest,
    change: impl FnOnce(&mut Vec<u8>),
) -> (Problem, [u8; 64]) {
    let client = served.client();
    let request = ChallengeRequest::Release { key: "k".to_owned() };
    let challenge = client.challenge(&request).await.unwrap();
    let mut report = guest.report(&challenge);
    change(&mut report);
    let answer = claviger_tests::site::with_evidence(guest.answer_with(&challenge, report));
    let problem = problem(client.release("k", &answer).await.unwrap_err());
    (problem, guest.report_data(&challenge))
}

fn problem(error: ClientError) -> Problem {
    match error {
        ClientError::Problem(problem) => *problem,
        error => panic!("{error}"),
    }
}

/// What the administrator reads of it: the record and its explanation.
async fn explained(served: &Served, problem: &Problem) -> (Value, Value) {
    let explained = served.administrator().explain(&problem.request_id).await.unwrap();
    let [record] = explained.records.try_into().unwrap();
    assert_eq!(record["code"], problem.code);
    assert_eq!(record["request"], problem.request_id);
    let explanation = record["explanation"].clone();
    (record, explanation)
}

fn starts(step: &Value, operation: &str) -> bool {
    step.as_str().is_some_and(|step| step.starts_with(operation))
}

// attack 64
#[tokio::test]
async fn a_broken_signature_is_explained_with_the_chain_that_held() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let (told, _) = refused(&served, &Guest::new(), |report| report[0x90] ^= 1).await;
    assert_eq!(told.code, "evidence-signature");
    let (record, why) = explained(&served, &told).await;
    assert_eq!((&why["check"], &why["seen"]), (&"snp".into(), &"a signature does not hold".into()));
    assert!(why["wanted"].as_str().is_some_and(|wanted| wanted.contains("signature")), "{why}");
    let path = why["trust_path"].as_array().unwrap();
    assert!(
        path.len() == 2 && starts(&path[0], "anchor: ") && starts(&path[1], "chain: "),
        "{why}"
    );
    assert!(record["reason"].as_str().unwrap().contains("signature"));
}

// attacks 14 and 64
#[tokio::test]
async fn a_chain_that_leads_nowhere_is_explained_without_a_path() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let mut guest = Guest::new();
    guest.hardware.attachments.clear();
    let (told, _) = refused(&served, &guest, |_| ()).await;
    let (_, why) = explained(&served, &told).await;
    assert_eq!((told.code.as_str(), &why["check"]), ("endorsements-unavailable", &"snp".into()));
    assert!(why["seen"].as_str().unwrap().contains("VCEK certificate of chip"), "{why}");
    assert!(why.get("trust_path").is_none(), "{why}");
}

#[tokio::test]
async fn evidence_that_is_not_bound_is_explained_with_both_digests() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let (client, guest) = (served.client(), Guest::new());
    let request = ChallengeRequest::Release { key: "k".to_owned() };
    let first = client.challenge(&request).await.unwrap();
    let second = client.challenge(&request).await.unwrap();
    let stale = guest.answer_with(&second, guest.report(&first));
    let stale = claviger_tests::site::with_evidence(stale);
    let told = problem(client.release("k", &stale).await.unwrap_err());
    assert_eq!(told.code, "evidence-not-bound");
    let (_, why) = explained(&served, &told).await;
    assert_eq!(why["check"], "binding");
    assert_eq!(why["seen"], HEXLOWER.encode(&guest.report_data(&first)));
    assert_eq!(why["wanted"], HEXLOWER.encode(&guest.report_data(&second)));
    assert_eq!(why["trust_path"].as_array().unwrap().len(), 3, "{why}");
}

#[tokio::test]
async fn what_a_policy_refuses_is_explained_rule_by_rule() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let (told, _) = refused(&served, &debugged, |_| ()).await;
    assert_eq!(told.code, "not-affirming");
    let (record, why) = explained(&served, &told).await;
    assert_eq!((&why["seen"], &why["wanted"]), (&"contraindicated".into(), &"affirming".into()));
    let finding = &why["findings"][0];
    assert_eq!((&finding["claim"], &finding["seen"]), (&"snp.policy_debug".into(), &true.into()));
    assert!(["rule", "wanted"].iter().all(|name| finding[name].is_string()), "{finding}");
    assert_eq!(record["trust_path"], why["trust_path"]);
    // A token that does not affirm: neither refused nor unexplained.
    site.attest(&debugged).await.unwrap();
    let attested = site.records().pop().unwrap();
    assert_eq!(
        (&attested["outcome"], &attested["explanation"]["findings"][0]),
        (&"allowed".into(), finding)
    );
}

// attack 52
#[tokio::test]
async fn what_is_refused_without_a_record_is_explained_from_memory() {
    let site = Site::new().await;
    site.key("k").await;
    site.key_of(&tenant("other"), "k").await;
    let served = site.serve().await;
    let (client, guest) = (served.client(), Guest::new());
    let stranger = Guest::new().of(&tenant("other"));
    let token = site.attest(&stranger).await.unwrap().token;
    let request = |token: &str| {
        ReleaseRequest::Token(ReleaseWithToken { token: token.to_owned(), version: None })
    };
    let records = site.records().len();
    let told = problem(client.release("k", &request(&token)).await.unwrap_err());
    let (_, why) = explained(&served, &told).await;
    assert_eq!(why["check"], "token.aud");
    assert_eq!(why["seen"], "\"https://claviger.test/t/other\"");
    assert_eq!(why["wanted"], "https://claviger.test/t/default");
    let token = site.attest(&guest).await.unwrap().token;
    site.at(300);
    let told = problem(client.release("k", &request(&token)).await.unwrap_err());
    let (_, why) = explained(&served, &told).await;
    assert_eq!((told.code.as_str(), &why["check"]), ("token-expired", &"token.exp".into()));
    let challenge = client.challenge(&ChallengeRequest::Attestation {}).await.unwrap();
    client.attest(&guest.answer(&challenge)).await.unwrap();
    let told = problem(client.attest(&guest.answer(&challenge)).await.unwrap_err());
    let (_, why) = explained(&served, &told).await;
    assert_eq!((told.code.as_str(), &why["check"]), ("challenge-spent", &"challenge".into()));
    assert!(why["wanted"].as_str().unwrap().contains("for default and attestation"), "{why}");
    // The two attestations, and nothing of what was refused.
    assert_eq!(site.records().len(), records + 2);
}

#[tokio::test]
async fn a_release_on_a_token_is_explained_with_the_path_of_its_attestation() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let debugged = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let token = site.attest(&debugged).await.unwrap().token;
    let attested = site.records().pop().unwrap();
    let request = ReleaseRequest::Token(ReleaseWithToken { token, version: None });
    let told = problem(served.client().release("k", &request).await.unwrap_err());
    let explained = served.administrator().explain(&told.request_id).await.unwrap();
    assert!(explained.records[0].get("trust_path").is_none());
    assert_eq!(explained.attested, Some(attested.clone()));
    assert!(starts(&attested["trust_path"][0], "anchor: "));
    // The same from the log's directory, without the host.
    let id = told.request_id.as_str();
    let offline = RequestReport::read(&site.ground.audit(), id, u64::MAX).unwrap();
    assert_eq!((offline.records, offline.attested), (explained.records, explained.attested));
}

// attack 62
#[tokio::test]
async fn the_caller_is_told_a_code_and_an_identifier_and_nothing_of_the_explanation() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let guest = Guest::whose(|report| report.policy |= POLICY_DEBUG);
    let challenge = site.challenge_for(&guest, "k");
    let body = serde_json::to_string(&guest.asks(&challenge)).unwrap();
    let answer = served.raw().await.post("/v1/keys/k/release", &body).await;
    let told = answer.body();
    let mut members: Vec<_> = told.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["code", "request_id", "status", "title", "type"]);
    for inside in ["debug", "anchor", "chip", "contraindicated", "release-policy", "rule"] {
        assert!(!answer.text.contains(inside) && !answer.head.contains(inside), "{inside}");
    }
}

// attacks 40, 55 and 62
#[tokio::test]
async fn a_request_is_explained_to_its_tenants_administrators_and_to_nobody_else() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let (recorded, _) = refused(&served, &Guest::new(), |report| report[0x90] ^= 1).await;
    let guest = Guest::new();
    let spoiled = json!({ "challenge": "x", "evidence": { "tee": "snp", "data": "AA" },
        "recipient": guest.key.jwk() });
    let mut raw = served.raw().await;
    let remembered = raw.post("/v1/attestations", &spoiled.to_string()).await;
    assert_eq!(remembered.code(), "challenge-invalid");
    let remembered = remembered.body()["request_id"].as_str().unwrap().to_owned();
    for id in [&recorded.request_id, &remembered] {
        assert!(served.administrator().explain(id).await.is_ok());
        let other = served.administrator_of(&tenant("other")).explain(id).await.unwrap_err();
        assert_eq!(other.code(), Some("not-found"));
        let path = format!("/v1/requests/{id}");
        let anybody = served.raw_admin().await.ask("GET", &path, "", "").await;
        assert_eq!(anybody.code(), "unauthenticated");
        assert_eq!(raw.ask("GET", &path, "", "").await.code(), "not-found");
    }
    let credential = format!("authorization: Bearer {}\r\n", claviger_tests::site::ADMINISTRATOR);
    for id in ["x", "..", "%2e%2e", "a%22b", &"a".repeat(65), "a%0ab", "a/b"] {
        let path = format!("/v1/requests/{id}");
        let answer = served.raw_admin().await.ask("GET", &path, &credential, "").await;
        assert!(["not-found", "request-malformed"].contains(&answer.code().as_str()), "{id}");
    }
}

// attack 41
#[tokio::test]
async fn a_hostile_token_is_explained_in_one_line_of_the_record() {
    let site = Site::new().await;
    site.key("k").await;
    let served = site.serve().await;
    let header = data_encoding::BASE64URL_NOPAD
        .encode(br#"{"alg":"ES256","typ":"eat+jwt","kid":"x\n\u001b[2J"}"#);
    let token = format!("{header}.e30.AAAA");
    let request = ReleaseRequest::Token(ReleaseWithToken { token, version: None });
    let told = problem(served.client().release("k", &request).await.unwrap_err());
    let (_, why) = explained(&served, &told).await;
    assert_eq!((&why["check"], &why["seen"]), (&"token.kid".into(), &r#""x\n\u001b[2J""#.into()));
}

#[tokio::test]
async fn what_was_allowed_is_recorded_without_an_explanation() {
    let site = Site::new().await;
    site.key("k").await;
    let guest = Guest::new();
    site.release(&guest, "k").await.unwrap();
    site.attest(&guest).await.unwrap();
    assert!(site.records().iter().all(|record| record.get("explanation").is_none()));
}
