//! Attestation as Microsoft Azure Attestation does it, without a challenge: what is bound to runtime data,
//! judged and permitted gets a token, and nothing else does.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use claviger::assemble::{AnchorPlan, Plan};
use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::{Code, Refusal};
use claviger::flow::vault::{Actor, VaultRelease, VaultReleased};
use claviger::flow::{
    AttestationKind, AttestationRules, Evidence, MaaAttested, MaaFailure, MaaRequest,
    NewReleasePolicy, RuntimeData, UvmRule,
};
use claviger::foreign::{ForeignResult, Issuer, IssuerPlan, Issuers};
use claviger::keys::{RecipientKind, RsaAesKeyWrap};
use claviger::permission::Permissions;
use claviger::reference::Group;
use claviger::release_policy::Language;
use claviger::simulated::intel::{Intel, QuoteBody};
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::site::{ADMINISTRATOR, Answer, Guest, NOW, Site, tenant};
use coset::TaggedCborSerializable;
use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dcap::collateral;
use crate::foreign::{answer, python};

pub(crate) const URL: &str = "https://keys.test";

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn padded(bytes: &[u8]) -> [u8; 64] {
    let mut padded = [0; 64];
    padded[..32].copy_from_slice(&sha256(bytes));
    padded
}

pub(crate) fn guest() -> Guest {
    Guest::with_key(RecipientKind::Rsa2048)
}

/// The runtime data of the Go sidecar: the recipient key.
fn runtime(guest: &Guest) -> Vec<u8> {
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

/// A token as the site's own service checks it.
async fn own(site: &Site, token: &str) -> ForeignResult {
    let issuer = site.host.maa_issuer(URL, &AttestationRules::default()).await.unwrap();
    let at = Timestamp(claims(token)["iat"].as_u64().unwrap());
    issuer.check(token, at).await.unwrap()
}

/// A service of the same name, for tokens that this host never writes.
struct Service {
    key: RsaKeyPair,
    jwks: Vec<u8>,
}

impl Service {
    fn new() -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let components: PublicKeyComponents<Vec<u8>> = key.public_key().into();
        let [n, e] = [components.n, components.e].map(|number| BASE64URL_NOPAD.encode(&number));
        let jwks = json!({"keys": [{"kty": "RSA", "kid": "service", "n": n, "e": e}]});
        Self { key, jwks: jwks.to_string().into_bytes() }
    }

    /// These claims, signed and checked; `own`: by somebody who takes the service for his own.
    async fn says(&self, claims: &Value, own: bool) -> ForeignResult {
        let header = json!({"alg": "RS256", "kid": "service"});
        let parts =
            [&header, claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
        let mut token = parts.join(".");
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature).unwrap();
        token = format!("{token}.{}", BASE64URL_NOPAD.encode(&signature));
        let at = Timestamp(claims["iat"].as_u64().unwrap());
        if own {
            let issuer = Issuer::own(URL.to_owned(), self.jwks.clone(), 86_400).unwrap();
            return issuer.check(&token, at).await.unwrap();
        }
        let plan = IssuerPlan {
            issuer: URL.to_owned(),
            audience: None,
            ca: None,
            jwks: Some(self.jwks.clone()),
            jwks_host: None,
            max_token_age: 86_400,
        };
        let issuers = Issuers::new(vec![plan], "https://host.test").unwrap();
        issuers.of_token(&token).unwrap().check(&token, at).await.unwrap()
    }
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

// invariant 8; attacks 13, 54
#[tokio::test]
async fn what_a_token_says_is_judged_anew_and_its_inner_result_releases_nothing_by_itself() {
    let (site, guest) = (Site::new().await, guest());
    site.key("k").await;
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let said = own(&site, &token).await;
    let caller = guest.caller();
    site.host.maa_still_stands(&caller, &said).await.unwrap();
    let inner = said.claims()["x-claviger-result"].as_str().unwrap();
    let (key, result) = inner.split_once('.').unwrap();
    let read = BASE64URL_NOPAD.decode(result.as_bytes()).unwrap();
    let read: Value = serde_json::from_slice(&read).unwrap();
    assert_eq!(read["claviger"]["freshness"], "recipient-key");
    for stolen in [inner, result, &token] {
        let released = site.redeem(&guest, "k", stolen).await;
        assert_eq!(released.unwrap_err().code, Code::TokenInvalid);
    }
    // Another tenant's, one that another service signed, altered ones, and one from before simulated hardware
    // was accepted no more.
    let other = claviger_tests::site::caller(&tenant("other"));
    assert!(site.host.maa_still_stands(&other, &said).await.is_err());
    let service = Service::new();
    let as_it_is = service.says(said.claims(), true).await;
    site.host.maa_still_stands(&caller, &as_it_is).await.unwrap();
    let refused = async |said: &ForeignResult| {
        site.host.maa_still_stands(&caller, said).await.unwrap_err().code
    };
    let foreign = service.says(said.claims(), false).await;
    assert_eq!(refused(&foreign).await, Code::TokenInvalid);
    let altered = |member: &str, value: Value| {
        let mut read = read.clone();
        read[member] = value;
        format!("{key}.{}", BASE64URL_NOPAD.encode(read.to_string().as_bytes()))
    };
    for result in [
        String::new(),
        result.to_owned(),
        format!("another.{result}"),
        format!("{key}.{result}="),
        altered("iss", "https://another.test".into()),
        altered("aud", "https://another.test".into()),
        altered("exp", NOW.0.into()),
        altered("iat", (NOW.0 + 3600).into()),
        altered("more", "anything".into()),
    ] {
        let mut claims = said.claims().clone();
        claims["x-claviger-result"] = result.as_str().into();
        let code = refused(&service.says(&claims, true).await).await;
        assert!(matches!(code, Code::TokenInvalid | Code::TokenExpired), "{result}: {code:?}");
    }
    let forgotten = |plan: &mut Plan| {
        plan.simulated_roots.clear();
        plan.endorsements.clear();
    };
    let site = site.again(|_, plan| forgotten(plan)).await;
    let later = site.host.maa_still_stands(&caller, &said).await;
    assert_eq!(later.unwrap_err().code, Code::EvidenceUntrusted);
}

// invariant 8; attack 13
#[tokio::test]
async fn a_token_that_says_more_than_holds_now_releases_nothing() {
    let (site, guest) = (Site::new().await, guest());
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let said = own(&site, &token).await;
    assert_eq!(said.claims()["x-claviger-status"], "affirming");
    key_for_affirming(&site).await;
    let release = async |site: &Site| release(site, &guest, &token, None).await;
    release(&site).await.unwrap();
    site.host.maa_still_stands(&guest.caller(), &said).await.unwrap();
    // What was measured is approved no more: a warning, that gets tokens, but not by this one.
    let site = site.again(|_, plan| plan.snp.measurements.clear()).await;
    assert_eq!(release(&site).await.unwrap_err().code, Code::NotAffirming);
    let later = site.host.maa_still_stands(&guest.caller(), &said).await;
    assert_eq!(later.unwrap_err().code, Code::NotAffirming);
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let warned = own(&site, &token).await;
    assert_eq!(warned.claims()["x-claviger-status"], "warning");
    site.host.maa_still_stands(&guest.caller(), &warned).await.unwrap();
    // A token that does not say is of before it was said.
    let mut silent = warned.claims().clone();
    silent.as_object_mut().unwrap().remove("x-claviger-status");
    let service = Service::new();
    let silent = service.says(&silent, true).await;
    assert!(site.host.maa_still_stands(&guest.caller(), &silent).await.is_err());
    // What is contraindicated gets no token, and by one that said so nothing is released.
    let site = site.again(|_, plan| plan.snp.chip_ids = Some(Vec::new())).await;
    assert!(attest(&site, &guest, sound(&guest)).await.is_err());
    let mut against = said.claims().clone();
    against["x-claviger-status"] = "contraindicated".into();
    let against = service.says(&against, true).await;
    let later = site.host.maa_still_stands(&guest.caller(), &against).await;
    assert_eq!(later.unwrap_err().code, Code::NotAffirming);
}

/// Makes the key `k` in the vault, for tokens of the site's service that are affirming.
async fn key_for_affirming(site: &Site) {
    let served = site.serve_attestation(AttestationRules::default()).await;
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    let policy = json!({"version": "1.0.0", "anyOf": [{
        "authority": URL, "allOf": [{"claim": "x-claviger-status", "equals": "affirming"}],
    }]});
    let key = json!({
        "key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&[7; 32]), "key_ops": ["encrypt", "decrypt"]},
        "hsm": true,
        "attributes": {"exportable": true},
        "release_policy": {"data": BASE64URL_NOPAD.encode(policy.to_string().as_bytes())},
    });
    let mut raw = served.raw().await;
    let made = raw.ask("PUT", "/keys/k?api-version=7.4", &bearer, &key.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text);
}

async fn release(
    site: &Site,
    guest: &Guest,
    token: &str,
    version: Option<&str>,
) -> Result<VaultReleased, Refusal> {
    let own = site.host.maa_issuer(URL, &AttestationRules::default()).await.unwrap();
    let (caller, permissions) = (guest.caller(), Permissions::all());
    let actor = Actor { caller: &caller, principal: "tests", permissions: &permissions };
    let wrap = RsaAesKeyWrap::default();
    let wanted = VaultRelease { key: "k", version, token, wrap, own: Some(&own) };
    site.host.vault_release(actor, wanted).await
}

#[tokio::test]
async fn what_was_changed_in_the_connector_past_the_record_holds_for_the_next_release() {
    let (site, guest) = (Site::new().await, guest());
    key_for_affirming(&site).await;
    let token = attest(&site, &guest, sound(&guest)).await.unwrap().token;
    let release = async |version: Option<&str>| release(&site, &guest, &token, version).await;
    let caller = guest.caller();
    let first = release(None).await.unwrap();
    // A version that the connector made for somebody else is the newest, and described as what it is.
    site.host.rotate_key(&caller, "tests", "k").await.unwrap();
    let second = release(None).await.unwrap();
    assert_ne!(
        (&second.key.version, &second.released.version),
        (&first.key.version, &first.released.version)
    );
    let named = release(Some(&second.key.version)).await.unwrap();
    assert_eq!(named.released.version, second.released.version);
    let older = release(Some(&first.key.version)).await.unwrap();
    assert_eq!(older.released.version, first.released.version);
    // Disabled there, and enabled there again.
    let newest = Some(second.released.version.as_str());
    site.host.set_key_enabled(&caller, "tests", "k", newest, false).await.unwrap();
    for version in [None, Some(second.key.version.as_str())] {
        assert_eq!(release(version).await.unwrap_err().code, Code::KeyDisabled);
    }
    release(Some(&first.key.version)).await.unwrap();
    site.host.set_key_enabled(&caller, "tests", "k", newest, true).await.unwrap();
    assert_eq!(release(None).await.unwrap().released.version, second.released.version);
    assert_eq!(release(Some("unknown")).await.unwrap_err().code, Code::KeyNotFound);
    site.host.delete_key(&caller, "tests", "k").await.unwrap();
    assert_eq!(release(None).await.unwrap_err().code, Code::KeyNotFound);
}

/// Who signs endorsements of utility VMs: an authority, and a key of its for that usage.
struct Maker {
    root: Vec<u8>,
    leaf: Vec<u8>,
    key: aws_lc_rs::signature::RsaKeyPair,
}

impl Maker {
    const USAGE: &str = "1.3.6.1.4.1.311.76.59.1.2";

    fn new() -> Self {
        let moment = |seconds: u64| {
            time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
        };
        let parameters = || {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.not_before = moment(NOW.0 - 86_400);
            parameters.not_after = moment(NOW.0 + 86_400);
            parameters
        };
        let root_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = parameters();
        authority.distinguished_name.push(rcgen::DnType::CommonName, "endorsements");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let root = authority.self_signed(&root_key).unwrap().der().to_vec();
        let size = rcgen::RsaKeySize::_2048;
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        let mut leaf = parameters();
        leaf.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        let usage = Self::USAGE.split('.').map(|arc| arc.parse().unwrap()).collect();
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::Other(usage)];
        let issuer = rcgen::Issuer::new(authority, root_key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap().der().to_vec();
        let key = aws_lc_rs::signature::RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        Self { root, leaf, key }
    }

    fn did(&self) -> String {
        let fingerprint = BASE64URL_NOPAD.encode(&sha256(&self.root));
        format!("did:x509:0:sha256:{fingerprint}::eku:{}", Self::USAGE)
    }

    fn endorses(&self, measurement: &[u8], svn: &str) -> Vec<u8> {
        self.endorses_as(&self.did(), measurement, svn)
    }

    fn endorses_as(&self, did: &str, measurement: &[u8], svn: &str) -> Vec<u8> {
        let payload = json!({
            "x-ms-sevsnpvm-guestsvn": svn,
            "x-ms-sevsnpvm-launchmeasurement": HEXLOWER.encode(measurement),
        });
        let chain = [&self.leaf, &self.root].map(|der| ciborium::Value::Bytes(der.clone()));
        let header = coset::HeaderBuilder::new()
            .algorithm(coset::iana::Algorithm::PS384)
            .value(33, ciborium::Value::Array(chain.into()))
            .value(391, did.into())
            .value(392, "ContainerPlat-AMD-UVM".into())
            .build();
        let sign = |message: &[u8]| {
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = aws_lc_rs::rand::SystemRandom::new();
            let scheme = &aws_lc_rs::signature::RSA_PSS_SHA384;
            self.key.sign(scheme, &random, message, &mut signature).unwrap();
            signature
        };
        coset::CoseSign1Builder::new()
            .protected(header)
            .payload(payload.to_string().into_bytes())
            .create_signature(b"", sign)
            .build()
            .to_tagged_vec()
            .unwrap()
    }
}

// invariant 1
#[tokio::test]
async fn a_compliance_status_stands_on_a_signature_below_a_configured_anchor() {
    let (maker, stranger, guest) = (Maker::new(), Maker::new(), guest());
    let site = Site::with(|_, plan| {
        let set = "azure-uvm".to_owned();
        plan.unpublished_revocation.insert(set.clone());
        plan.anchors.push(AnchorPlan { set, key_id: None, bytes: maker.root.clone() });
    })
    .await;
    let rule = |maker: &Maker, min_svn| UvmRule {
        anchors: "azure-uvm".to_owned(),
        issuer: maker.did(),
        feed: "ContainerPlat-AMD-UVM".to_owned(),
        min_svn,
        status: "azure-compliant-uvm".to_owned(),
    };
    let by = async |uvm: Vec<UvmRule>, endorsement: Vec<u8>| {
        let rules = AttestationRules { uvm, ..AttestationRules::default() };
        let request = MaaRequest { uvm: vec![endorsement], ..sound(&guest) };
        site.host.maa_attest(&guest.caller(), URL, request, &rules).await
    };
    let measurement = guest.hardware.template.measurement;
    let sound = maker.endorses(&measurement, "22");
    let said = claims(&by(vec![rule(&maker, 22)], sound.clone()).await.unwrap().token);
    assert_eq!(said["x-ms-compliance-status"], "azure-compliant-uvm");
    assert_eq!(said["x-ms-sevsnpvm-guestsvn"], 22);
    let said = claims(&by(Vec::new(), sound.clone()).await.unwrap().token);
    assert!(said.get("x-ms-compliance-status").is_none());
    let mut forged = sound.clone();
    *forged.last_mut().unwrap() ^= 1;
    // Of another feed; of an issuer with that fingerprint, for another usage; of an issuer that is not in
    // the chain; of a list in which there is another, too.
    let feed = UvmRule { feed: "Other".to_owned(), ..rule(&maker, 0) };
    let other_usage = maker.did().replace("76.59.1.2", "76.59.1.3");
    for (claimed, rules) in [
        (maker.did(), vec![feed]),
        (other_usage.clone(), vec![UvmRule { issuer: other_usage, ..rule(&maker, 0) }]),
        (stranger.did(), vec![rule(&stranger, 0)]),
        (stranger.did(), vec![rule(&maker, 0)]),
    ] {
        let endorsement = maker.endorses_as(&claimed, &measurement, "22");
        assert_eq!(refused(by(rules, endorsement).await), Code::EvidenceUntrusted, "{claimed}");
    }
    let twice = MaaRequest { uvm: vec![sound.clone(), sound.clone()], ..self::sound(&guest) };
    let rules = AttestationRules { uvm: vec![rule(&maker, 0)], ..AttestationRules::default() };
    let twice = site.host.maa_attest(&guest.caller(), URL, twice, &rules).await;
    assert_eq!(refused(twice), Code::EvidenceUntrusted);
    for (rules, endorsement) in [
        (vec![rule(&maker, 23)], sound.clone()),
        (vec![rule(&stranger, 0)], sound),
        (vec![rule(&maker, 0)], forged),
        (vec![rule(&maker, 0)], maker.endorses(&[7; 48], "22")),
        (vec![rule(&stranger, 0)], stranger.endorses(&measurement, "22")),
        (vec![rule(&maker, 0)], b"none".to_vec()),
    ] {
        assert_eq!(refused(by(rules, endorsement).await), Code::EvidenceUntrusted);
    }
}

pub(crate) fn intel() -> &'static Intel {
    static INTEL: OnceLock<Intel> = OnceLock::new();
    INTEL.get_or_init(|| Intel::mint(SystemClock.now()).unwrap())
}

fn enclave(report_data: [u8; 64]) -> Vec<u8> {
    let mut template = intel().quote_template(QuoteBody::Sgx3, report_data);
    // ISVEXTPRODID, ISVFAMILYID.
    template.body[32..48].fill(0xe7);
    template.body[304..320].fill(0xfa);
    intel().quote(&template).unwrap()
}

/// A host that has Intel's collateral, as one that speaks with Azure's clients must: they send none.
fn with_intel(plan: &mut Plan) {
    plan.simulated_roots.push(intel().root());
    for (tcb, qe) in [("SGX", "QE"), ("TDX", "TD_QE")] {
        let tcb = intel().tcb_info(&intel().tcb_template(tcb)).unwrap();
        let qe = intel().qe_identity(&intel().qe_template(qe)).unwrap();
        plan.endorsements.push(collateral(intel(), &tcb, &qe));
    }
    let group = |tee: &str, name: &str, value: &[u8]| Group {
        tee: tee.to_owned(),
        values: [(name.to_owned(), HEXLOWER.encode(value).into())].into(),
    };
    let template = intel().quote_template(QuoteBody::Sgx3, [0; 64]);
    plan.configured.push(group("sgx", "mrenclave", &template.body[64..96]));
    plan.configured.push(group("tdx", "mrtd", &[0x3d; 48]));
    let bundled = ["kms-local", "verifier-snp", "verifier-sgx", "verifier-tdx"];
    plan.bundled = Some(bundled.map(str::to_owned).into());
}

async fn intel_site() -> Site {
    let site = Site::with(|_, plan| with_intel(plan)).await;
    site.ground.clock.set(SystemClock.now());
    site
}

pub(crate) fn framed(quote: &[u8]) -> Vec<u8> {
    let mut framed = vec![1, 0, 0, 0, 2, 0, 0, 0];
    framed.extend(u64::try_from(quote.len()).unwrap().to_le_bytes());
    framed.extend(quote);
    framed
}

async fn posted(site: &Site, path: &str, body: &Value) -> Answer {
    let served = site.serve_attestation(AttestationRules::default()).await;
    served.raw().await.post(path, &body.to_string()).await
}

#[tokio::test]
async fn enclaves_and_trust_domains_are_attested_over_the_wire() {
    let site = intel_site().await;
    let (runtime, b64) = (b"\x00binary", |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes));
    let data = json!({"data": b64(runtime), "dataType": "Binary"});
    let quote = enclave(padded(runtime));
    let sgx = json!({"quote": b64(&quote), "runtimeData": data});
    let open = json!({"report": b64(&framed(&quote)), "runtimeData": data});
    for (path, body) in [("SgxEnclave", &sgx), ("openenclave", &open)] {
        let answer = posted(&site, &format!("/attest/{path}?api-version=2022-08-01"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let said = claims(answer.body()["token"].as_str().unwrap());
        assert_eq!(said["x-ms-attestation-type"], "sgx");
        assert_eq!(said["x-ms-sgx-ehd"], b64(runtime));
        assert_eq!(said["maa-ehd"], b64(runtime));
        assert_eq!(said["x-ms-sgx-is-debuggable"], false);
        assert_eq!((&said["is-debuggable"], &said["tee"]), (&json!(false), &json!("sgx")));
        assert_eq!(said["x-ms-sgx-isv-extended-product-id"], "e7".repeat(16));
        assert_eq!(said["x-ms-sgx-isv-family-id"], "fa".repeat(16));
        let hash = HEXLOWER.encode(&sha256(&quote));
        assert_eq!(said["x-ms-sgx-collateral"]["quotehash"], hash);
    }
    let domain = intel().quote(&intel().quote_template(QuoteBody::Td4, padded(b"{}"))).unwrap();
    let tdx = json!({"quote": b64(&domain), "runtimeData": {"data": "e30", "dataType": "JSON"}});
    // Names that are the service's in these tokens alone are not a policy's to give another value.
    for (path, body, name) in
        [("SgxEnclave", &sgx, "maa-ehd"), ("TdxVm", &tdx, "dbgstat"), ("TdxVm", &tdx, "intuse")]
    {
        let mut body = body.clone();
        body["draftPolicyForAttestation"] = format!(
            "version=1.0;authorizationrules{{=>permit();}};issuancerules{{=>issue(type=\"{name}\",value=\"x\");}};"
        )
        .into();
        let answer = posted(&site, &format!("/attest/{path}"), &body).await;
        assert_eq!(
            answer.body()["error"]["code"],
            "PolicyEvaluationError",
            "{name} {}",
            answer.text
        );
    }
    let answer = posted(&site, "/attest/TdxVm?api-version=2025-06-01", &tdx).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let said = claims(answer.body()["token"].as_str().unwrap());
    for (name, value) in [
        ("x-ms-attestation-type", json!("tdxvm")),
        ("tdx_mrtd", json!("3d".repeat(48))),
        ("attester_tcb_status", json!("UpToDate")),
        ("dbgstat", json!("disabled")),
        ("tdx_seamsvn", json!(0x0107)),
        ("tdx_td_attributes_septve_disable", json!(true)),
        ("x-ms-runtime", json!({})),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
}

// attacks 35, 40, 62
#[tokio::test]
async fn a_go_sidecar_is_answered_and_what_is_wrong_is_said_in_the_services_words() {
    let (site, guest) = (Site::new().await, guest());
    let served = site.serve_attestation(AttestationRules::default()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let go = |runtime: &[u8], report_data: [u8; 64]| {
        let pem: String = guest
            .hardware
            .attachments
            .iter()
            .map(|der| {
                let body = BASE64.encode(der);
                format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
            })
            .collect();
        let report = json!({
            "SnpReport": BASE64URL.encode(&guest.hardware.report(report_data)),
            "VcekCertChain": BASE64URL.encode(pem.as_bytes()),
        });
        json!({
            "report": BASE64URL.encode(report.to_string().as_bytes()),
            "runtimeData": {"data": BASE64URL.encode(runtime), "dataType": "JSON"},
            "initTimeData": {"data": "", "dataType": ""},
            "nonce": u64::MAX,
        })
        .to_string()
    };
    let runtime = runtime(&guest);
    let path = "/attest/SevSnpVM?api-version=2020-10-01";
    let answer = raw.post(path, &go(&runtime, padded(&runtime))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let said = claims(answer.body()["token"].as_str().unwrap());
    assert_eq!((&said["iss"], &said["nonce"]), (&json!(url), &json!(u64::MAX.to_string())));
    for (path, body, code) in [
        (path, go(&runtime, [0; 64]), "InvalidParameter"),
        (path, "{}".to_owned(), "InvalidParameter"),
        (path, "{\"report\":1}".to_owned(), "InvalidParameter"),
        ("/attest/AzureGuest", "{}".to_owned(), "InvalidParameter"),
        ("/attest/Tpm", "{}".to_owned(), "InvalidOperation"),
        ("/attest/SevSnpVm2", "{}".to_owned(), "NotFound"),
        ("/attest/%2e%2e", "{}".to_owned(), "NotFound"),
    ] {
        let answer = raw.post(path, &body).await;
        assert_eq!(answer.body()["error"]["code"], code, "{path} {}", answer.text);
        assert_eq!(answer.header("x-ms-error-code"), Some(code));
        assert!(answer.status == if code == "NotFound" { 404 } else { 400 });
        assert!(!answer.text.contains("report data"), "{}", answer.text);
    }
    // What others need to check tokens.
    let certs = raw.ask("GET", "/certs", "", "").await.body();
    assert_eq!(certs["keys"][0]["kty"], "RSA");
    let discovery = raw.ask("GET", "/.well-known/openid-configuration", "", "").await.body();
    assert_eq!(discovery["issuer"], "https://claviger.test");
    let named = format!("host: localhost:{}\r\n", url.rsplit(':').next().unwrap());
    // The native document is the one of whoever comes under no name of the face's.
    assert!(discovery["jwks_uri"].as_str().unwrap().ends_with("/.well-known/jwks.json"), "{named}");
    let all = raw.ask("GET", "/.well-known/jwks.json", "", "").await.body();
    let kids: Vec<_> = all["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert!(kids.contains(&&certs["keys"][0]["kid"]) && kids.len() == 2);
}

pub(crate) fn jwt(text: &str) -> String {
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let policy = BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}.", part(json!({"alg": "none"})), part(json!({"AttestationPolicy": policy})))
}

// attacks 55, 61
#[tokio::test]
async fn a_policy_is_set_by_a_principal_who_may_and_signed_where_that_is_wanted() {
    let (site, guest) = (Site::new().await, guest());
    let text =
        "version=1.0;authorizationrules{[type==\"x-ms-sevsnpvm-vmpl\",value==3]=>permit();};";
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\ncontent-type: text/plain\r\n");
    let path = "/policies/SevSnpVm?api-version=2022-08-01";
    let strict = site.serve_attestation(AttestationRules::default()).await;
    let refused = strict.raw().await.ask("PUT", path, &bearer, &jwt(text)).await;
    assert_eq!((refused.status, &refused.body()["error"]["code"]), (403, &json!("Forbidden")));
    let rules = AttestationRules { unsigned_policies: true, ..AttestationRules::default() };
    let served = site.serve_attestation(rules).await;
    let mut raw = served.raw().await;
    for (method, headers) in [("PUT", ""), ("GET", ""), ("PUT", "authorization: Bearer wrong\r\n")]
    {
        let refused = raw.ask(method, path, headers, &jwt(text)).await;
        assert_eq!(refused.status, 401, "{method} {headers}");
    }
    attest(&site, &guest, sound(&guest)).await.unwrap();
    let broken =
        raw.ask("PUT", path, &bearer, &jwt("version=1.0;\nauthorizationrules{ => x(); };")).await;
    assert_eq!(broken.body()["error"]["code"], "PolicyParsingError");
    assert!(broken.body()["error"]["message"].as_str().unwrap().starts_with("line 2, column 24"));
    let set = raw.ask("PUT", path, &bearer, &jwt(text)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let said = claims(set.body()["token"].as_str().unwrap());
    assert_eq!(said["x-ms-policy-result"], "Updated");
    let hash = BASE64URL_NOPAD.encode(&sha256(jwt(text).as_bytes()));
    assert_eq!(said["x-ms-policy-token-hash"], hash);
    let denied = attest(&site, &guest, sound(&guest)).await;
    assert!(matches!(denied, Err(MaaFailure::Denied)));
    // Of this tenant and this type only.
    let other = guest.caller();
    let elsewhere = claviger::flow::Caller { tenant: tenant("other"), ..other };
    let rules = AttestationRules::default();
    site.host.maa_attest(&elsewhere, URL, sound(&guest), &rules).await.unwrap();
    let read = raw.ask("GET", path, &bearer, "").await.body();
    let policy = claims(read["token"].as_str().unwrap());
    assert_eq!(policy["x-ms-policy"], jwt(text));
    let reset = raw.ask("POST", "/policies/SevSnpVm:reset?api-version=1", &bearer, &jwt("")).await;
    let said = claims(reset.body()["token"].as_str().unwrap());
    assert_eq!(said["x-ms-policy-result"], "Removed");
    attest(&site, &guest, sound(&guest)).await.unwrap();
    let changes = site.records().into_iter().filter(|record| record["event"] == "policy-changed");
    assert_eq!(changes.filter(|record| record["principal"] == "tests").count(), 4);
}

/// The whole way over the face: attested here, released here; what a release policy may demand.
#[tokio::test]
async fn a_key_is_released_by_a_token_of_the_hosts_own_unless_a_challenge_is_demanded() {
    let (site, guest) = (Site::new().await, guest());
    let served = site.serve_attestation(AttestationRules::default()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let runtime = runtime(&guest);
    let token = site
        .host
        .maa_attest(&guest.caller(), &url, sound(&guest), &AttestationRules::default())
        .await
        .unwrap()
        .token;
    assert!(!runtime.is_empty());
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    for (name, freshness, status) in [("fresh", "recipient-key", 200), ("strict", "challenge", 403)]
    {
        let policy = json!({"version": "1.0.0", "anyOf": [{
            "authority": url,
            "allOf": [
                {"claim": "x-ms-attestation-type", "equals": "sevsnpvm"},
                {"claim": "x-claviger-freshness", "equals": freshness},
            ],
        }]});
        let key = json!({
            "key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&[7; 32]), "key_ops": ["encrypt", "decrypt"]},
            "hsm": true,
            "attributes": {"exportable": true},
            "release_policy": {"data": BASE64URL_NOPAD.encode(policy.to_string().as_bytes())},
        });
        let path = format!("/keys/{name}?api-version=7.4");
        let made = raw.ask("PUT", &path, &bearer, &key.to_string()).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let path = format!("/keys/{name}/release?api-version=7.4");
        let body = json!({"target": token}).to_string();
        let released = raw.ask("POST", &path, &bearer, &body).await;
        assert_eq!(released.status, status, "{name} {}", released.text);
    }
    let mut forged = token.clone().into_bytes();
    let at = forged.len() - 20;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let body = json!({"target": String::from_utf8(forged).unwrap()}).to_string();
    let refused = raw.ask("POST", "/keys/fresh/release?api-version=7.4", &bearer, &body).await;
    assert!(refused.status >= 400, "{}", refused.text);
}

/// The same where the policy is in Rego: it reads what is fresh of either way.
#[tokio::test]
async fn a_policy_in_rego_that_demands_a_challenge_releases_by_the_native_way_alone() {
    let (site, guest) = (Site::new().await, guest());
    let served = site.serve_attestation(AttestationRules::default()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let rules = AttestationRules::default();
    let token = site.host.maa_attest(&guest.caller(), &url, sound(&guest), &rules).await;
    let target = json!({"target": token.unwrap().token}).to_string();
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    let azure = json!({"version": "1.0.0", "anyOf": [{
        "authority": url, "allOf": [{"claim": "x-ms-ver", "equals": "1.0"}],
    }]});
    let key = json!({
        "key": {"kty": "oct-HSM", "k": BASE64URL_NOPAD.encode(&[7; 32]), "key_ops": ["encrypt", "decrypt"]},
        "hsm": true,
        "attributes": {"exportable": true},
        "release_policy": {"data": BASE64URL_NOPAD.encode(azure.to_string().as_bytes())},
    });
    let made = raw.ask("PUT", "/keys/k?api-version=7.4", &bearer, &key.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    for (fresh, face) in [("challenge", 403), ("recipient-key", 200)] {
        let text = format!(
            "package claviger.release\n\nauthorities := {{\"{url}\"}}\n\n\
             allow if input.freshness == \"{fresh}\"\n\n\
             allow if input.claviger.freshness == \"challenge\"\n"
        );
        let policy = NewReleasePolicy { language: Language::Rego, text, immutable: false };
        site.host.set_release_policy(&guest.caller(), "tests", "k", policy).await.unwrap();
        let released = raw.ask("POST", "/keys/k/release?api-version=7.4", &bearer, &target).await;
        assert_eq!(released.status, face, "{fresh} {}", released.text);
        let native = site.release(&guest, "k").await.unwrap();
        assert_eq!(guest.open(&native.jwe), [7; 32]);
    }
}

/// Microsoft's own client, as it is.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_attests_sets_policies_and_believes_what_it_gets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let Some(python) = python("azure-attestation", &folder.join("azure-attestation.txt")) else {
        return;
    };
    let site = intel_site().await;
    // Of RSA: with others that client fails before it sends anything.
    let size = rcgen::RsaKeySize::_2048;
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let names = vec!["signer.test".to_owned()];
    let signer = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let added = rcgen::generate_simple_self_signed(vec!["added.test".to_owned()]).unwrap();
    let rules = AttestationRules {
        unsigned_policies: true,
        policy_signers: vec![signer.der().to_vec()],
        ..AttestationRules::default()
    };
    let served = site.serve_attestation(rules).await;
    let (url, ca) = served.address();
    let authority = site.ground.path().join("authority.pem");
    std::fs::write(&authority, ca).unwrap();
    let runtime = br#"{"a":1}"#;
    let quote = enclave(padded(runtime));
    let told = json!({
        "url": url,
        "ca": authority,
        "token": ADMINISTRATOR,
        "quote": BASE64.encode(&quote),
        "report": BASE64.encode(&framed(&quote)),
        "runtime": BASE64.encode(runtime),
        "signer": {"key": key.serialize_pem(), "certificate": signer.pem()},
        "added": added.cert.pem(),
    });
    let mut command = Command::new(python);
    command.arg(folder.join("attestation.py"));
    let said = tokio::task::spawn_blocking(move || answer(command, &told.to_string()));
    let said: Value = serde_json::from_str(&said.await.unwrap()).unwrap();
    for step in [
        "sgx",
        "open-enclave",
        "binary",
        "draft",
        "default-policy",
        "set",
        "get",
        "denied",
        "reset",
        "signed",
        "certificates",
        "other-runtime",
    ] {
        assert_eq!(said[step], "ok", "{said:#}");
    }
    assert_eq!(said.as_object().unwrap().len(), 12, "{said:#}");
}
