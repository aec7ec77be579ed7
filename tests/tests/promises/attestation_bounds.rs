//! What bounds Azure's attestation as this host plays it: who may set policies and who may sign them, how
//! long a token is good and for whom, and that nothing goes out unrecorded.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use claviger::error::Code;
use claviger::flow::{AttestationRules, MaaFailure, MaaRequest};
use claviger::permission::{Permission, Permissions};
use claviger::simulated::report::POLICY_DEBUG;
use claviger_tests::site::{ADMINISTRATOR, Answer, NOW, Raw, Site};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use crate::attestation::{URL, attest, claims, guest, refused, sound};
use crate::attestation_wire::jwt;

const POLICY: &str = "version=1.0;authorizationrules{=>permit();};";
const PATH: &str = "/policies/SevSnpVm?api-version=2022-08-01";

/// Who signs policies.
struct Signer {
    certificate: Vec<u8>,
    pkcs8: Vec<u8>,
    rsa: bool,
}

impl Signer {
    fn new(rsa: bool) -> Self {
        let size = rcgen::RsaKeySize::_2048;
        let key = match rsa {
            true => rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size),
            false => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        };
        let key = key.unwrap();
        let names = vec!["signer.test".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.der().to_vec(), pkcs8: key.serialize_der(), rsa }
    }

    /// A JWT of this signer's, in which another certificate may stand.
    fn signs(&self, claims: &Value, certificate: &[u8], algorithm: &str) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let header = json!({"alg": algorithm, "x5c": [BASE64.encode(certificate)]});
        let input = format!("{}.{}", part(&header), part(claims));
        let random = SystemRandom::new();
        let signature = match self.rsa {
            true => {
                let key = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
            false => {
                let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key = EcdsaKeyPair::from_pkcs8(scheme, &self.pkcs8).unwrap();
                key.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{input}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn policy(&self) -> String {
        let text = BASE64URL_NOPAD.encode(POLICY.as_bytes());
        self.signs(&json!({ "AttestationPolicy": text }), &self.certificate, self.algorithm())
    }

    fn algorithm(&self) -> &'static str {
        if self.rsa { "RS256" } else { "ES256" }
    }

    /// Adds that certificate, or takes it away.
    fn about(&self, certificate: &[u8]) -> String {
        let jwk = json!({"policyCertificate": {"kty": "RSA", "x5c": [BASE64.encode(certificate)]}});
        self.signs(&jwk, &self.certificate, self.algorithm())
    }
}

fn bearer() -> String {
    format!("authorization: Bearer {ADMINISTRATOR}\r\ncontent-type: text/plain\r\n")
}

async fn put(raw: &mut Raw, token: &str) -> Answer {
    raw.ask("PUT", PATH, &bearer(), token).await
}

// attacks 52, 55
#[tokio::test]
async fn a_policy_counts_by_the_signature_of_a_listed_certificate_alone() {
    let site = Site::new().await;
    let (rsa, ec, stranger) = (Signer::new(true), Signer::new(false), Signer::new(true));
    let rules = AttestationRules {
        policy_signers: vec![rsa.certificate.clone(), ec.certificate.clone()],
        ..AttestationRules::default()
    };
    let served = site.serve_attestation(rules).await;
    let mut raw = served.raw().await;
    for signer in [&rsa, &ec] {
        let set = put(&mut raw, &signer.policy()).await;
        assert_eq!(set.status, 200, "{}", set.text);
        let said = claims(set.body()["token"].as_str().unwrap());
        let chain = json!([BASE64.encode(&signer.certificate)]);
        assert_eq!(said["x-ms-policy-signer"]["x5c"], chain);
    }
    let changed = |token: &str| {
        let mut token = token.to_owned().into_bytes();
        let at = token.len() - 12;
        token[at] = if token[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(token).unwrap()
    };
    let body = json!({ "AttestationPolicy": BASE64URL_NOPAD.encode(POLICY.as_bytes()) });
    let (sound, other) = (rsa.policy(), BASE64URL_NOPAD.encode(b"{}"));
    let mut parts = sound.split('.');
    let (head, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
    for (what, token) in [
        ("nobody's", jwt(POLICY)),
        ("nobody's, with a signature", format!("{}AAAA", jwt(POLICY))),
        ("a stranger's", stranger.policy()),
        (
            "a stranger's under a listed certificate",
            stranger.signs(&body, &rsa.certificate, "RS256"),
        ),
        ("another signature", changed(&sound)),
        ("another body", format!("{head}.{other}.{signature}")),
        ("an algorithm of another key", rsa.signs(&body, &rsa.certificate, "ES256")),
        ("an algorithm of another key", ec.signs(&body, &ec.certificate, "RS256")),
        ("a MAC", rsa.signs(&body, &rsa.certificate, "HS256")),
    ] {
        let refused = put(&mut raw, &token).await;
        assert_eq!(refused.status, 403, "{what} {}", refused.text);
        let path = "/policies/SevSnpVm:reset?api-version=2022-08-01";
        let refused = raw.ask("POST", path, &bearer(), &token).await;
        assert_eq!(refused.status, 403, "{what} {}", refused.text);
    }
    // Where unsigned ones are allowed, what carries a signature is none of these.
    let rules = AttestationRules { unsigned_policies: true, ..AttestationRules::default() };
    let served = site.serve_attestation(rules).await;
    let mut raw = served.raw().await;
    assert_eq!(put(&mut raw, &format!("{}AAAA", jwt(POLICY))).await.status, 403);
    assert_eq!(put(&mut raw, &jwt(POLICY)).await.status, 200);
}

// attack 55
#[tokio::test]
async fn who_signs_policies_is_changed_by_a_signer_and_the_operators_own_stay() {
    let site = Site::new().await;
    let (operators, added) = (Signer::new(true), Signer::new(false));
    let rules = AttestationRules {
        policy_signers: vec![operators.certificate.clone()],
        // Of policies; a list of signers is always signed.
        unsigned_policies: true,
        ..AttestationRules::default()
    };
    let served = site.serve_attestation(rules).await;
    let mut raw = served.raw().await;
    let mut ask = async |verb: &str, token: &str| {
        let path = format!("/certificates:{verb}?api-version=2022-08-01");
        raw.ask("POST", &path, &bearer(), token).await
    };
    let unsigned = {
        let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let jwk = json!({"policyCertificate": {"x5c": [BASE64.encode(&added.certificate)]}});
        format!("{}.{}.", part(json!({"alg": "none"})), part(jwk))
    };
    for token in [&unsigned, &added.about(&added.certificate)] {
        assert_eq!(ask("add", token).await.status, 403);
    }
    let told = ask("add", &operators.about(&added.certificate)).await;
    let said = claims(told.body()["token"].as_str().unwrap());
    assert_eq!(said["x-ms-policycertificates-result"], "IsPresent");
    // Who was added may add and take away, himself too; not whom the operator listed.
    let refused = ask("remove", &added.about(&operators.certificate)).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let told = ask("remove", &added.about(&added.certificate)).await;
    let said = claims(told.body()["token"].as_str().unwrap());
    assert_eq!(said["x-ms-policycertificates-result"], "IsAbsent");
    assert_eq!(ask("add", &added.about(&added.certificate)).await.status, 403);
    // No more of them than there is room for.
    for number in 0..33_u8 {
        let certificate = [&added.certificate[..], &[number]].concat();
        let told = ask("add", &operators.about(&certificate)).await;
        let wanted = if number < 32 { 200 } else { 409 };
        assert_eq!(told.status, wanted, "{number} {}", told.text);
    }
}

// attacks 55, 60
#[tokio::test]
async fn policies_are_changed_by_whoever_may_and_read_by_every_principal() {
    let site = Site::new().await;
    let rules = AttestationRules { unsigned_policies: true, ..AttestationRules::default() };
    let others = Permission::ALL.iter().copied().filter(|one| *one != Permission::PoliciesSet);
    let served = site.serve_attestation_to(rules.clone(), others.collect()).await;
    let mut raw = served.raw().await;
    assert_eq!(put(&mut raw, &jwt(POLICY)).await.status, 403);
    for path in ["/policies/SevSnpVm:reset", "/certificates:add", "/certificates:remove"] {
        let path = format!("{path}?api-version=2022-08-01");
        assert_eq!(raw.ask("POST", &path, &bearer(), &jwt(POLICY)).await.status, 403, "{path}");
    }
    for path in [PATH, "/certificates?api-version=2022-08-01"] {
        assert_eq!(raw.ask("GET", path, &bearer(), "").await.status, 200, "{path}");
    }
    let may: Permissions = [Permission::PoliciesSet].into_iter().collect();
    let served = site.serve_attestation_to(rules, may).await;
    let mut raw = served.raw().await;
    assert_eq!(put(&mut raw, &jwt(POLICY)).await.status, 200);
}

// attack 52
#[tokio::test]
async fn a_token_is_good_no_longer_than_operator_evidence_and_policy_say() {
    let (site, guest) = (Site::new().await, guest());
    let by = async |rules: AttestationRules, draft: Option<&str>| {
        let request = MaaRequest { draft: draft.map(str::to_owned), ..sound(&guest) };
        let token = site.host.maa_attest(&guest.caller(), URL, request, &rules).await.unwrap();
        let said = claims(&token.token);
        assert_eq!(said["exp"], token.expires.0);
        assert_eq!((&said["iat"], &said["nbf"]), (&json!(NOW.0), &json!(NOW.0)));
        token.expires.0 - NOW.0
    };
    let seconds = |token_seconds| AttestationRules { token_seconds, ..Default::default() };
    assert_eq!(by(seconds(600), None).await, 600);
    // The lists behind the evidence end before a year is over.
    let all = by(seconds(10 * 365 * 86_400), None).await;
    assert!(all < 366 * 86_400, "{all}");
    let minutes = "version=1.1;configurationrules{=>issueproperty(type=\"report_validity_in_minutes\",\
                   value=2);};authorizationrules{=>permit();};";
    assert_eq!(by(seconds(600), Some(minutes)).await, 120);
    assert_eq!(by(seconds(60), Some(minutes)).await, 60);
}

// attack 52
#[tokio::test]
async fn a_token_of_the_hosts_own_releases_in_its_time_and_to_whoever_may_release() {
    let (site, guest) = (Site::new().await, guest());
    let rules = AttestationRules { token_seconds: 600, ..AttestationRules::default() };
    let served = site.serve_attestation(rules.clone()).await;
    let url = served.address().0;
    let mut raw = served.raw().await;
    served.vault_key("k", &url, json!([{"claim": "x-ms-ver", "equals": "1.0"}])).await;
    let token = site.host.maa_attest(&guest.caller(), &url, sound(&guest), &rules).await.unwrap();
    let target = json!({"target": token.token}).to_string();
    let path = "/keys/k/release?api-version=7.4";
    let headers = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    for (at, status) in [(0, 200), (599, 200), (700, 403), (0, 200), (599, 200)] {
        site.at(at);
        if at == 0 {
            // The host's own key, that signed what the token is judged anew by, is kept for as long.
            site.host.rotate_token_key(&guest.caller(), "tests", false).await.unwrap();
        }
        let released = raw.ask("POST", path, &headers, &target).await;
        assert_eq!(released.status, status, "{at} {}", released.text);
    }
    // From the future: the clock was stepped back since.
    site.ground.clock.set(claviger::clock::Timestamp(NOW.0 - 100));
    assert_eq!(raw.ask("POST", path, &headers, &target).await.status, 403);
    site.at(0);
    // Another's, whose name is the same; what was changed; who may everything but that.
    let other = Site::new().await;
    let theirs = other.host.maa_attest(&guest.caller(), &url, sound(&guest), &rules).await;
    let forged = json!({"target": theirs.unwrap().token}).to_string();
    assert_eq!(raw.ask("POST", path, &headers, &forged).await.status, 403);
    let others = Permission::ALL.iter().copied().filter(|one| *one != Permission::KeysRelease);
    let served = site.serve_attestation_to(rules, others.collect()).await;
    let mut raw = served.raw().await;
    let refused = raw.ask("POST", path, &headers, &target).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert_eq!(refused.body()["error"]["innererror"]["code"], "AccessDenied");
    // A name below the face's that nobody listed is no vault of anybody's.
    let url = served.address().0;
    let port = url.rsplit(':').next().unwrap();
    for path in ["/attest/SevSnpVm", "/certs", path] {
        let headers = format!("host: other.localhost:{port}\r\n{headers}");
        let refused = raw.ask_as("POST", path, &headers, &target).await;
        assert_eq!(refused.status, 404, "{path} {}", refused.text);
    }
}

// invariant 5; attack 56
#[tokio::test]
async fn no_token_goes_out_and_no_refusal_that_is_not_recorded() {
    let (site, guest) = (Site::new().await, guest());
    attest(&site, &guest, sound(&guest)).await.unwrap();
    let mut debugged = self::guest();
    debugged.hardware.template.policy |= POLICY_DEBUG;
    // The log is shorter than the host left it: somebody was at it.
    let log = site.ground.audit().join("audit.jsonl");
    std::fs::write(&log, b"").unwrap();
    assert_eq!(refused(attest(&site, &guest, sound(&guest)).await), Code::AuditUnavailable);
    assert_eq!(refused(attest(&site, &debugged, sound(&debugged)).await), Code::AuditUnavailable);
    let mut unbound = sound(&guest);
    unbound.runtime.bytes.push(b' ');
    assert_eq!(refused(attest(&site, &guest, unbound).await), Code::AuditUnavailable);
    let draft = MaaRequest { draft: Some(POLICY.to_owned()), ..sound(&guest) };
    let refused = attest(&site, &guest, draft).await;
    assert!(matches!(refused, Err(MaaFailure::Refused(why)) if why.code == Code::AuditUnavailable));
}
