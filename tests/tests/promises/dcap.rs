//! The crate `dcap-qvl` judges Intel's quotes as this host does: recorded ones with every collateral,
//! simulated ones at every status, altered ones. It runs in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use claviger::clock::Timestamp;
use claviger::quote::{Authority, Examination};
use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
use claviger_tests::vectors;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::foreign::{answer, made};

const NOW: Timestamp = Timestamp(1_767_225_600);

fn judge() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dcap");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("dcap/Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&target);
    made(cargo, "crate `dcap-qvl`")?;
    Some(target.join("debug/dcap-judge"))
}

/// A quote with its collateral, and the root that is trusted; none: Intel's.
struct Question {
    name: String,
    at: Timestamp,
    root: Option<Vec<u8>>,
    quote: Vec<u8>,
    collateral: Vec<u8>,
}

impl Question {
    fn line(&self) -> String {
        let root = self.root.as_ref().map_or_else(|| "-".to_owned(), |root| HEXLOWER.encode(root));
        let [quote, collateral] =
            [&self.quote, &self.collateral].map(|bytes| HEXLOWER.encode(bytes));
        format!("{} {root} {quote} {collateral}\n", self.at.0)
    }

    /// What this host says, in the same words.
    fn ours(&self) -> String {
        let mut builder = Authority::builder();
        if let Some(root) = &self.root {
            builder = builder.simulated_root(root.clone());
        }
        let examination = Examination::new(builder.build().unwrap().into(), self.at);
        match examination.dcap(self.quote.clone(), std::slice::from_ref(&self.collateral)) {
            Ok(report) => format!("{} {}", report.status.name(), report.advisories.join(",")),
            Err(fault) => format!("refused: {fault}"),
        }
    }
}

fn recorded() -> Vec<Question> {
    let Some(folder) = vectors::folder() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, case) in vectors::cases(&folder) {
        let case = case.unwrap();
        let raw = case.evidence.iter().find(|one| !one.bytes.trim_ascii_start().starts_with(b"{"));
        let Some(quote) = raw.filter(|_| matches!(case.tee(), "tdx" | "sgx")) else { continue };
        for trial in case.trials() {
            if let (Some(collateral), Some(at)) = (trial.collateral, trial.at) {
                let (quote, collateral) = (quote.bytes.clone(), collateral.bytes);
                let name = format!("{name} at {at}");
                let mut quotes = vec![(name.clone(), quote.clone())];
                for at in (0..quote.len().min(1400)).step_by(89) {
                    let mut altered = quote.clone();
                    altered[at] ^= 1 << (at % 8);
                    quotes.push((format!("{name}, byte {at} altered"), altered));
                }
                found.extend(quotes.into_iter().map(|(name, quote)| Question {
                    name,
                    at,
                    root: None,
                    quote,
                    collateral: collateral.clone(),
                }));
            }
        }
    }
    found
}

/// Every status of platform, module and quoting enclave beside every other.
fn simulated() -> Vec<Question> {
    const STATUS: [&str; 7] = [
        "UpToDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDate",
        "OutOfDateConfigurationNeeded",
        "Revoked",
    ];
    const PART: [&str; 3] = ["UpToDate", "OutOfDate", "Revoked"];
    let intel = Intel::mint(NOW).unwrap();
    let root = intel.root();
    let mut found = Vec::new();
    for (kind, tcb, qe) in [
        // Of enclaves it reads version 3 only.
        (QuoteBody::Sgx3, "SGX", "QE"),
        (QuoteBody::Td4, "TDX", "TD_QE"),
        (QuoteBody::Td5, "TDX", "TD_QE"),
        (QuoteBody::Td15, "TDX", "TD_QE"),
    ] {
        let template = intel.quote_template(kind, [3; 64]);
        let mut older = template.clone();
        older.body[2] = 5;
        let quotes = [intel.quote(&template).unwrap(), intel.quote(&older).unwrap()];
        for status in STATUS {
            for module in PART {
                for enclave in PART {
                    let mut tcb = intel.tcb_template(tcb);
                    (tcb.status, tcb.module_status) = (status, module);
                    let mut qe = intel.qe_template(qe);
                    qe.status = enclave;
                    let tcb = intel.tcb_info(&tcb).unwrap();
                    let qe = intel.qe_identity(&qe).unwrap();
                    let collateral = collateral(&intel, &tcb, &qe);
                    for (number, quote) in quotes.iter().enumerate() {
                        found.push(Question {
                            name: format!("{kind:?} {status} {module} {enclave} {number}"),
                            at: NOW,
                            root: Some(root.clone()),
                            quote: quote.clone(),
                            collateral: collateral.clone(),
                        });
                    }
                }
            }
        }
    }
    found
}

/// Collateral for one kind of TEE, in the form of the crate `dcap-qvl`.
pub(crate) fn collateral(intel: &Intel, tcb: &[u8], qe: &[u8]) -> Vec<u8> {
    let text = |document: &[u8], member: &str| {
        let document = String::from_utf8(document.to_vec()).unwrap();
        let start = format!("{{\"{member}\":");
        let (body, rest) =
            document.strip_prefix(&start).unwrap().split_once(",\"signature\":\"").unwrap();
        (body.to_owned(), rest.trim_end_matches("\"}").to_owned())
    };
    let pem = |der: Vec<u8>| {
        let body = BASE64.encode(&der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    };
    let (tcb, tcb_signature) = text(tcb, "tcbInfo");
    let (qe, qe_signature) = text(qe, "enclaveIdentity");
    let [root_list, pck_list] = intel.lists(Revocations::default()).unwrap();
    let signers = pem(intel.tcb_signer()) + &pem(intel.root());
    let authorities = pem(intel.authority()) + &pem(intel.root());
    let json: Value = json!({
        "pck_crl_issuer_chain": authorities,
        "root_ca_crl": HEXLOWER.encode(&root_list),
        "pck_crl": HEXLOWER.encode(&pck_list),
        "tcb_info_issuer_chain": signers,
        "tcb_info": tcb,
        "tcb_info_signature": tcb_signature,
        "qe_identity_issuer_chain": signers,
        "qe_identity": qe,
        "qe_identity_signature": qe_signature,
    });
    json.to_string().into_bytes()
}

#[test]
fn the_crate_dcap_qvl_judges_quotes_as_this_host_does() {
    let Some(judge) = judge() else { return };
    let questions: Vec<Question> = recorded().into_iter().chain(simulated()).collect();
    // What is asked at once and what is answered must fit into a pipe.
    let theirs: Vec<String> = questions
        .chunks(64)
        .flat_map(|some| {
            let told: String = some.iter().map(Question::line).collect();
            let answers = answer(Command::new(&judge), &told);
            answers.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(theirs.len(), questions.len());
    let mut wrong = Vec::new();
    let mut agreed = 0;
    for (question, theirs) in questions.iter().zip(theirs) {
        let ours = question.ours();
        let both_refuse = ours.starts_with("refused") && theirs.starts_with("refused");
        // A policy of its own: this host leaves it to the operator's.
        let policy = theirs.contains("SEPT_VE_DISABLE");
        if ours == theirs || both_refuse {
            agreed += 1;
        } else if !policy {
            wrong.push(format!("{}: ours {ours}, theirs {theirs}", question.name));
        }
    }
    assert!(wrong.is_empty(), "{agreed} agreed; {} not: {wrong:#?}", wrong.len());
    assert!(agreed > 500, "{agreed}");
}
