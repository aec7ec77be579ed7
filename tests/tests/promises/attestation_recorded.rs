//! Evidence of real hardware over the face of Azure's attestation service: a whole host, its clock at the
//! moment at which the evidence was good, and what the token says of it, claim by claim.
//!
//! Of the recordings only those of Azure's machines bring what their report data is the digest of (the
//! paravisor's runtime data). All others are genuine, and bound to nothing that anybody here knows: they
//! are refused, and the record says that it is for want of a binding.

use std::path::Path;

use claviger::appraisal::SnpPolicy;
use claviger::assemble::Plan;
use claviger::clock::Timestamp;
use claviger::flow::AttestationRules;
use claviger::quote::Revocation;
use claviger::reference::Group;
use claviger_tests::site::{Answer, Site};
use claviger_tests::vectors::{self, Case, Trial};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};

use crate::attestation::claims;
use crate::attestation_wire::framed;

/// Verdicts of evidence that is genuine, whatever a policy says of it.
const GENUINE: [&str; 5] =
    ["valid", "debug", "out_of_date_tcb", "sw_hardening_needed", "config_and_sw_hardening_needed"];

/// A report of the paravisor's: the hardware's 1184 bytes behind a header of 32, five numbers of which the
/// last is the length of the runtime data, and these.
struct Paravisor<'a> {
    report: &'a [u8],
    runtime: &'a [u8],
}

impl<'a> Paravisor<'a> {
    fn of(case: &'a Case) -> Self {
        let bytes = file(case, "hcl_report.bin").unwrap();
        let size = u32::from_le_bytes(bytes[1232..1236].try_into().unwrap()) as usize;
        Self { report: &bytes[32..1216], runtime: &bytes[1236..1236 + size] }
    }
}

fn file<'a>(case: &'a Case, name: &str) -> Option<&'a [u8]> {
    case.files().find(|file| file.name == name).map(|file| file.bytes.as_slice())
}

fn cases(tee: &str) -> Vec<(String, Case)> {
    let Some(folder) = vectors::folder() else { return Vec::new() };
    let cases = vectors::cases(&folder).into_iter();
    let cases = cases.map(|(name, case)| (name, case.unwrap()));
    cases.filter(|(_, case)| case.tee() == tee).collect()
}

/// The end of a window is years away: evidence is judged as somebody would who has just got it.
fn moment(case: &Case, trial: &Trial) -> Timestamp {
    let begins = case.expected.pointer("/window/not_before").and_then(Value::as_str);
    let begins = begins.and_then(claviger_tests::moment::parse);
    match (&trial.collateral, begins) {
        (None, Some(begins)) => begins.plus(86_400),
        _ => trial.at.unwrap(),
    }
}

/// A host that trusts the vendors, has the collateral of one case, and approves what that case measured.
async fn site(case: &Case, trial: &Trial) -> Site {
    let field = |name: &str| case.expected.pointer(&format!("/fields/{name}"))?.as_str();
    let group = |tee: &str, claim: &str, value: &str| Group {
        tee: tee.to_owned(),
        values: [(claim.to_owned(), value.into())].into(),
    };
    let change = |plan: &mut Plan| {
        plan.simulated_roots.clear();
        plan.revocation = Revocation::Waived;
        plan.waive_qe_identity = true;
        plan.endorsements = intels_signers();
        plan.endorsements.extend(trial.collateral.iter().map(|file| file.bytes.clone()));
        let measured = field("measurement").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok());
        plan.snp =
            SnpPolicy { measurements: measured.into_iter().collect(), ..SnpPolicy::default() };
        plan.configured.extend(field("mrtd").map(|value| group("tdx", "mrtd", value)));
        plan.configured.extend(field("mrenclave").map(|value| group("sgx", "mrenclave", value)));
        let verifier = match case.tee() {
            tee if tee.ends_with("snp") => "verifier-snp",
            tee if tee.ends_with("tdx") => "verifier-tdx",
            _ => "verifier-sgx",
        };
        plan.bundled = Some(["kms-local", verifier].map(str::to_owned).into());
    };
    let site = Site::with(|_, plan| change(plan)).await;
    site.ground.clock.set(moment(case, trial));
    site
}

/// Some cases leave out the certificates that sign their collateral.
fn intels_signers() -> Vec<Vec<u8>> {
    let folder = vectors::folder().map(|folder| folder.join("roots/intel"));
    let files = folder.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let pem = |path: &Path| path.extension().is_some_and(|kind| kind == "pem");
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).filter(|one| pem(one)).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

async fn posted(site: &Site, path: &str, body: &Value) -> Answer {
    let served = site.serve_attestation(AttestationRules::default()).await;
    served.raw().await.post(path, &body.to_string()).await
}

fn b64(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn runtime_data(runtime: &[u8]) -> Value {
    json!({"data": b64(runtime), "dataType": "JSON"})
}

/// As the service's clients send it: the report, and its chain in PEM.
fn snp(case: &Case, report: &[u8], runtime: &[u8]) -> Value {
    let certificates = case.certificates.iter().map(|file| file.bytes.clone());
    let roots = case.roots.iter().filter_map(|root| root.bytes.clone());
    let chain: String = certificates.chain(roots).map(|one| pem(&one)).collect();
    let report = json!({"SnpReport": b64(report), "VcekCertChain": b64(chain.as_bytes())});
    json!({"report": b64(report.to_string().as_bytes()), "runtimeData": runtime_data(runtime)})
}

fn pem(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(pem) => format!("{}\n", pem.trim()),
        Err(_) => {
            let body = BASE64.encode(bytes);
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        }
    }
}

/// Compares claims with what others read in the evidence.
fn compare(name: &str, said: &Value, wanted: &[(&str, Value)]) {
    for (claim, value) in wanted {
        assert_eq!(&said[claim], value, "{name}: {claim}");
    }
}

#[tokio::test]
async fn recorded_snp_machines_get_a_token_that_says_what_others_read_in_their_reports() {
    let mut tokens = 0;
    for (name, case) in cases("az-snp") {
        let [trial] = case.trials().try_into().unwrap();
        let site = site(&case, &trial).await;
        let Paravisor { report, runtime } = Paravisor::of(&case);
        let body = snp(&case, report, runtime);
        let answer = posted(&site, "/attest/SevSnpVm?api-version=2022-08-01", &body).await;
        assert_eq!(answer.status, 200, "{name}: {} {:?}", answer.text, site.records().pop());
        let said = claims(answer.body()["token"].as_str().unwrap());
        let fields = &case.expected["fields"];
        let mut wanted = vec![
            ("x-ms-attestation-type", json!("sevsnpvm")),
            ("x-ms-runtime", serde_json::from_slice(runtime).unwrap()),
            ("x-ms-sevsnpvm-reportdata", json!(HEXLOWER.encode(&report[80..144]))),
            ("x-ms-sevsnpvm-launchmeasurement", json!(HEXLOWER.encode(&report[144..192]))),
            ("x-claviger-freshness", json!("recipient-key")),
            ("x-claviger-simulated", json!(false)),
            // Milan's keys can be had: its machines are warned of, here as over the native API.
            (
                "x-claviger-status",
                json!(if name.contains("milan") || name.contains("neg-") {
                    "warning"
                } else {
                    "affirming"
                }),
            ),
        ];
        if fields.get("measurement").is_some() {
            wanted.extend([
                ("x-ms-sevsnpvm-bootloader-svn", fields["reported_tcb"]["bl"].clone()),
                ("x-ms-sevsnpvm-guestsvn", fields["guest_svn"].clone()),
                ("x-ms-sevsnpvm-hostdata", fields["host_data"].clone()),
                ("x-ms-sevsnpvm-idkeydigest", fields["id_key_digest"].clone()),
                ("x-ms-sevsnpvm-is-debuggable", fields["debug"].clone()),
                ("x-ms-sevsnpvm-launchmeasurement", fields["measurement"].clone()),
                ("x-ms-sevsnpvm-microcode-svn", fields["reported_tcb"]["ucode"].clone()),
                ("x-ms-sevsnpvm-reportdata", fields["report_data"].clone()),
                ("x-ms-sevsnpvm-snpfw-svn", fields["reported_tcb"]["snp"].clone()),
                ("x-ms-sevsnpvm-tee-svn", fields["reported_tcb"]["tee"].clone()),
                ("x-ms-sevsnpvm-vmpl", fields["vmpl"].clone()),
            ]);
        }
        compare(&name, &said, &wanted);
        tokens += 1;
        // The same report, and runtime data of which one letter is another.
        let mut other = runtime.to_vec();
        let at = other.iter().rposition(|byte| *byte == b'0').unwrap_or(other.len() - 3);
        other[at] = b'1';
        let refused = posted(&site, "/attest/SevSnpVm", &snp(&case, report, &other)).await;
        assert_eq!(refused.body()["error"]["code"], "InvalidParameter", "{name}");
        assert_eq!(site.records().pop().unwrap()["code"], "evidence-not-bound", "{name}");
    }
    assert!(tokens > 3 || vectors::folder().is_none(), "{tokens}");
}

#[tokio::test]
async fn recorded_trust_domains_get_a_token_as_far_as_their_firmware_is_up_to_date() {
    let (mut tokens, mut refusals) = (0, 0);
    for (name, case) in cases("az-tdx") {
        for mut trial in case.trials() {
            if trial.collateral.is_none() {
                // Made of what others have: their platform's collateral is its, too.
                let (_, other) = cases("az-tdx")
                    .into_iter()
                    .find(|(_, case)| case.verdict() == "valid")
                    .unwrap();
                let [of_other] = other.trials().try_into().unwrap();
                trial = Trial { verdict: trial.verdict, ..of_other };
            }
            let site = site(&case, &trial).await;
            let quote = file(&case, "td_quote.bin").unwrap();
            let Paravisor { runtime, .. } = Paravisor::of(&case);
            let body = json!({"quote": b64(quote), "runtimeData": runtime_data(runtime)});
            let answer = posted(&site, "/attest/TdxVm?api-version=2025-06-01", &body).await;
            let record = site.records().pop().unwrap();
            if trial.verdict != "valid" {
                let wanted = match trial.verdict.as_str() {
                    "out_of_date_tcb" => ("InvalidOperation", "not-affirming"),
                    _ => ("InvalidParameter", "evidence-not-bound"),
                };
                let code = answer.body()["error"]["code"].clone();
                let seen = (code.as_str().unwrap(), record["code"].as_str().unwrap());
                assert_eq!(seen, wanted, "{name} {}", answer.text);
                assert_eq!(answer.header("x-ms-error-code"), code.as_str(), "{name}");
                refusals += 1;
                continue;
            }
            assert_eq!(answer.status, 200, "{name}: {} {record}", answer.text);
            let said = claims(answer.body()["token"].as_str().unwrap());
            let fields = &case.expected["fields"];
            let same = ["mrconfigid", "mrowner", "mrownerconfig", "mrseam", "mrsignerseam", "mrtd"]
                .iter()
                .chain(&["report_data", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "tee_tcb_svn", "xfam"]);
            for field in same {
                assert_eq!(said[format!("tdx_{field}")], fields[field], "{name}: {field}");
            }
            compare(
                &name,
                &said,
                &[
                    ("attester_tcb_status", json!("UpToDate")),
                    ("dbgstat", json!("disabled")),
                    ("tdx_td_attributes", fields["td_attr"].clone()),
                    ("tdx_td_attributes_debug", json!(false)),
                    ("x-claviger-simulated", json!(false)),
                    ("x-ms-attestation-type", json!("tdxvm")),
                    ("x-ms-runtime", serde_json::from_slice(runtime).unwrap()),
                ],
            );
            tokens += 1;
        }
    }
    assert!(tokens > 0 && refusals > 1 || vectors::folder().is_none(), "{tokens} {refusals}");
}

// attack 8
#[tokio::test]
async fn recorded_evidence_of_which_nobody_knows_what_it_binds_is_refused() {
    let mut unbound = 0;
    for tee in ["snp", "tdx", "sgx"] {
        for (name, case) in cases(tee) {
            let Some(evidence) = evidence(&case) else { continue };
            for trial in case.trials() {
                // What lacks collateral, or a moment, is refused for that.
                if trial.at.is_none() || tee != "snp" && trial.collateral.is_none() {
                    continue;
                }
                let site = site(&case, &trial).await;
                let runtime = br#"{"keys":[]}"#;
                let quote = json!({"quote": b64(&evidence), "runtimeData": runtime_data(runtime)});
                let bodies = match tee {
                    "snp" => vec![("SevSnpVm", snp(&case, &evidence, runtime))],
                    "tdx" => vec![("TdxVm", quote)],
                    _ => {
                        let mut open = quote.clone();
                        open["report"] = b64(&framed(&evidence)).into();
                        vec![("SgxEnclave", quote), ("OpenEnclave", open)]
                    }
                };
                for (kind, body) in bodies {
                    let answer = posted(&site, &format!("/attest/{kind}"), &body).await;
                    let code = site.records().pop().unwrap()["code"].clone();
                    assert!(answer.status >= 400, "{name} {}", answer.text);
                    assert_eq!(answer.body()["error"]["code"], "InvalidParameter", "{name} {code}");
                    if GENUINE.contains(&trial.verdict.as_str()) {
                        assert_eq!(code, "evidence-not-bound", "{name}");
                        unbound += 1;
                    } else if case.trials().len() == 1 && !name.contains("wrong-generation") {
                        // A chain of another generation is passed over: the host has AMD's own.
                        assert_ne!(code, "evidence-not-bound", "{name}");
                    }
                }
            }
        }
    }
    assert!(unbound > 20 || vectors::folder().is_none(), "{unbound}");
}

/// Bare bytes, without what some recordings have behind them.
fn evidence(case: &Case) -> Option<Vec<u8>> {
    let files = case.evidence.iter().map(|file| &file.bytes);
    let bytes = files.into_iter().find(|bytes| !bytes.trim_ascii_start().starts_with(b"{"))?;
    let digits = bytes.trim_ascii_end();
    Some(HEXLOWER_PERMISSIVE.decode(digits).unwrap_or_else(|_| bytes.clone()))
}
