//! Attestation as Microsoft Azure Attestation does it, without a challenge: what is bound to runtime data,
//! judged and permitted gets a token, and nothing else does.

use claviger::error::Code;
use claviger::flow::{
    AttestationKind, AttestationRules, Evidence, MaaAttested, MaaFailure, MaaRequest, RuntimeData,
};
use claviger::keys::RecipientKind;
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::site::{Guest, NOW, Site};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const URL: &str = "https://keys.test";

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn padded(bytes: &[u8]) -> [u8; 64] {
    let mut padded = [0; 64];
    padded[..32].copy_from_slice(&sha256(bytes));
    padded
}

pub(crate) fn guest() -> Guest {
    Guest::with_key(RecipientKind::Rsa2048)
}

/// The runtime data of the Go sidecar: the recipient key.
pub(crate) fn runtime(guest: &Guest) -> Vec<u8> {
    let mut key = guest.key.jwk().clone();
    key["key_ops"] = json!(["encrypt"]);
    key["kid"] = "a-key".into();
    json!({"keys": [key]}).to_string().into_bytes()
}

fn request(guest: &Guest, runtime: &[u8], report_data: [u8; 64]) -> MaaRequest {
    MaaRequest {
        kind: AttestationKind::SevSnpVm,
        evidence: Evidence {
            tee: "snp".to_owned(),
            media_type: None,
            data: guest.hardware.report(report_data).to_vec(),
            attachments: guest.hardware.attachments.clone(),
        },
        runtime: RuntimeData {
            bytes: runtime.to_vec(),
            json: serde_json::from_slice(runtime).ok(),
        },
        guest: None,
        initial: None,
        nonce: None,
        uvm: Vec::new(),
        draft: None,
    }
}

pub(crate) fn sound(guest: &Guest) -> MaaRequest {
    let runtime = runtime(guest);
    request(guest, &runtime, padded(&runtime))
}

pub(crate) async fn attest(
    site: &Site,
    guest: &Guest,
    request: MaaRequest,
) -> Result<MaaAttested, MaaFailure> {
    site.host.maa_attest(&guest.caller(), URL, request, &AttestationRules::default()).await
}

pub(crate) fn refused(outcome: Result<MaaAttested, MaaFailure>) -> Code {
    match outcome {
        Err(MaaFailure::Refused(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

#[tokio::test]
async fn evidence_bound_to_runtime_data_gets_a_token_that_says_what_is_fresh() {
    let (site, guest) = (Site::new().await, guest());
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let header = part(&token, 0);
    assert_eq!(header["alg"], "RS256");
    assert_eq!(header["typ"], "JWT");
    assert_eq!(header["jku"], "https://keys.test/certs");
    let jwks = site.host.maa_jwks(URL, &AttestationRules::default()).await.unwrap();
    assert_eq!(jwks["keys"][0]["kid"], header["kid"]);
    let certificate = jwks["keys"][0]["x5c"][0].as_str().unwrap();
    let digest = sha256(&BASE64.decode(certificate.as_bytes()).unwrap());
    assert_eq!(header["kid"], BASE64.encode(&digest));
    let said = claims(&token);
    let template = &guest.hardware.template;
    for (name, value) in [
        ("iss", json!(URL)),
        ("iat", json!(NOW.0)),
        ("x-ms-ver", json!("1.0")),
        ("x-ms-attestation-type", json!("sevsnpvm")),
        ("x-ms-sevsnpvm-launchmeasurement", json!(HEXLOWER.encode(&template.measurement))),
        ("x-ms-sevsnpvm-hostdata", json!(HEXLOWER.encode(&template.host_data))),
        ("x-ms-sevsnpvm-is-debuggable", json!(false)),
        ("x-ms-sevsnpvm-vmpl", json!(0)),
        ("x-ms-sevsnpvm-reportdata", json!(HEXLOWER.encode(&padded(&runtime(&guest))))),
        ("x-ms-runtime", serde_json::from_slice(&runtime(&guest)).unwrap()),
        ("x-claviger-freshness", json!("recipient-key")),
        ("x-claviger-status", json!("affirming")),
        ("x-claviger-simulated", json!(true)),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    assert_eq!(said["jti"].as_str().unwrap().len(), 64);
    let record = site.records().pop().unwrap();
    assert_eq!(record["event"], "attested");
    assert_eq!(record["freshness"], "recipient-key");
    assert!(record.get("challenge").is_none());
    // The native way says the other thing.
    let native = site.attest(&guest).await.unwrap().token;
    assert_eq!(claims(&native)["claviger"]["freshness"], "challenge");
    assert_eq!(site.records().pop().unwrap()["freshness"], "challenge");
}

// attacks 1, 8, 9, 10; invariant 2
#[tokio::test]
async fn a_report_that_does_not_carry_the_digest_of_the_runtime_data_and_zeros_is_refused() {
    let (site, guest) = (Site::new().await, guest());
    let (mine, thief) = (runtime(&guest), self::guest());
    let theirs = runtime(&thief);
    // The same report with another key: what was shown once is of use to nobody else.
    let relayed = request(&guest, &theirs, padded(&mine));
    assert_eq!(refused(attest(&site, &guest, relayed).await), Code::EvidenceNotBound);
    for change in [32, 63] {
        let mut data = padded(&mine);
        data[change] = 1;
        let request = request(&guest, &mine, data);
        assert_eq!(refused(attest(&site, &guest, request).await), Code::EvidenceNotBound);
    }
    let zeros = request(&guest, &mine, [0; 64]);
    assert_eq!(refused(attest(&site, &guest, zeros).await), Code::EvidenceNotBound);
    let nothing = request(&guest, b"", padded(b""));
    assert_eq!(refused(attest(&site, &guest, nothing).await), Code::RequestMalformed);
    // Evidence for a challenge is none for this way.
    let challenge = site.challenge(&guest);
    let answered = request(&guest, &mine, guest.report_data(&challenge));
    assert_eq!(refused(attest(&site, &guest, answered).await), Code::EvidenceNotBound);
    assert_eq!(site.records().pop().unwrap()["event"], "refused");
}

#[tokio::test]
async fn init_data_is_what_the_host_launched_the_guest_with() {
    let site = Site::new().await;
    let mut guest = guest();
    guest.hardware.template.host_data = sha256(b"{\"policy\":1}");
    let with = |initial: &[u8]| {
        let json = serde_json::from_slice(initial).ok();
        let initial = Some(RuntimeData { bytes: initial.to_vec(), json });
        MaaRequest { initial, ..sound(&guest) }
    };
    let token = attest(&site, &guest, with(b"{\"policy\":1}")).await.unwrap().token;
    assert_eq!(claims(&token)["x-ms-inittime"], json!({"policy": 1}));
    let other = attest(&site, &guest, with(b"{\"policy\":2}")).await;
    assert_eq!(refused(other), Code::EvidenceNotBound);
}

// attack 53
#[tokio::test]
async fn a_recipient_key_that_is_weak_or_not_the_only_one_is_refused() {
    let (site, guest) = (Site::new().await, guest());
    let key: Value = serde_json::from_slice(&runtime(&guest)).unwrap();
    let key = &key["keys"][0];
    let mut weak = key.clone();
    weak["e"] = "Aw".into();
    for keys in [json!([weak]), json!([key, key])] {
        let runtime = json!({"keys": keys}).to_string().into_bytes();
        let request = request(&guest, &runtime, padded(&runtime));
        assert_eq!(refused(attest(&site, &guest, request).await), Code::RecipientKeyInvalid);
    }
    // Without any there is a token, that releases nothing.
    let none = br#"{"keys":[],"other":1}"#;
    let token = attest(&site, &guest, request(&guest, none, padded(none))).await.unwrap().token;
    assert!(claims(&token).get("x-claviger-result").is_none());
}

// attack 17
#[tokio::test]
async fn what_the_appraisal_contraindicates_gets_no_token() {
    let site = Site::new().await;
    let mut guest = guest();
    guest.hardware.template.policy |= POLICY_DEBUG;
    assert_eq!(refused(attest(&site, &guest, sound(&guest)).await), Code::NotAffirming);
    assert_eq!(site.records().pop().unwrap()["code"], "not-affirming");
}

#[tokio::test]
async fn evidence_whose_newest_collateral_is_too_old_is_refused() {
    let (site, guest) = (Site::new().await, guest());
    site.at(86_400);
    let by =
        |collateral_seconds| AttestationRules { collateral_seconds, ..AttestationRules::default() };
    let outcome = |rules: AttestationRules| {
        let (host, caller, request) = (site.host.clone(), guest.caller(), sound(&guest));
        async move { host.maa_attest(&caller, URL, request, &rules).await }
    };
    assert_eq!(refused(outcome(by(3600)).await), Code::EvidenceExpired);
    outcome(by(10 * 86_400)).await.unwrap();
}

#[tokio::test]
async fn a_draft_is_tried_and_nobody_believes_what_comes_out() {
    let (site, guest) = (Site::new().await, guest());
    let with = |draft: &str| MaaRequest { draft: Some(draft.to_owned()), ..sound(&guest) };
    let policy = |rules: &str, issuance: &str| {
        format!("version=1.0; authorizationrules {{ {rules} }}; issuancerules {{ {issuance} }};")
    };
    let permits = policy(
        "[type==\"x-ms-sevsnpvm-vmpl\", value==0] && [type==\"x-claviger-status\", \
         value==\"affirming\"] => permit();",
        "c:[type==\"x-ms-sevsnpvm-vmpl\"] => issue(type=\"level\", value=c.value);",
    );
    let token = attest(&site, &guest, with(&permits)).await.unwrap().token;
    assert_eq!(part(&token, 0), json!({"alg": "none"}));
    assert!(token.ends_with('.'));
    let said = claims(&token);
    assert_eq!((&said["level"], &said["x-ms-policy"]["level"]), (&json!(0), &json!(0)));
    assert!(said.get("x-claviger-result").is_none());
    let denied = attest(&site, &guest, with(&policy("", ""))).await;
    assert!(matches!(denied, Err(MaaFailure::Denied)));
    assert_eq!(site.records().pop().unwrap()["event"], "refused");
    let challenged = "[type==\"x-claviger-freshness\", value==\"challenge\"] => permit();";
    let denied = attest(&site, &guest, with(&policy(challenged, ""))).await;
    assert!(matches!(denied, Err(MaaFailure::Denied)));
    let unread = attest(&site, &guest, with("version=9.9;")).await;
    assert!(matches!(unread, Err(MaaFailure::Policy(_))));
}

// attack 52, invariant 1
#[tokio::test]
async fn a_policy_says_nothing_in_the_hosts_name() {
    let (site, guest) = (Site::new().await, guest());
    for name in [
        // Some of these stand in no token of this kind, and would be new.
        "aud",
        "cnf",
        "exp",
        "iss",
        "nonce",
        "secureboot",
        "sub",
        "x-ms-azurevm-vmid",
        "x-claviger-freshness",
        "x-claviger-result",
        "x-ms-compliance-status",
        "x-ms-runtime",
        "x-ms-sevsnpvm-vmpl",
        "x-ms-sevsnpvm-new",
    ] {
        let draft = format!(
            "version=1.0;authorizationrules{{=>permit();}};issuancerules{{=>issue(type=\"{name}\",value=\"x\");}};"
        );
        let request = MaaRequest { draft: Some(draft), ..sound(&guest) };
        let outcome = attest(&site, &guest, request).await;
        assert!(matches!(outcome, Err(MaaFailure::Policy(_))), "{name}");
    }
}
