//! The attestation service over the wire: enclaves and trust domains, the Go sidecar's requests, policies, and
//! Microsoft's own client.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use claviger::assemble::Plan;
use claviger::clock::{Clock, SystemClock};
use claviger::flow::{AttestationRules, MaaFailure};
use claviger::reference::Group;
use claviger::simulated::intel::{Intel, QuoteBody};
use claviger_tests::site::{ADMINISTRATOR, Answer, Site, tenant};
use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::attestation::{URL, attest, claims, guest, padded, runtime, sha256, sound};
use crate::dcap::collateral;
use crate::foreign::{answer, python};

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
