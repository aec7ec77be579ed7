//! What each format costs: the native checks alone, the call of its plugin with them, and the whole
//! verification. What is left between the first two is WebAssembly, an instance of it and the way into it and
//! back; what is left beyond is the gate with its facts, the host's own: `cargo bench --workspace --bench
//! formats`. Processor time, medians of rounds that alternate, so that a machine that changes its speed
//! changes all. Simulated hardware of AMD's and Intel's; recorded evidence of others, where it is there.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first surprise"
)]

mod site;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    ParsedPublicKey,
};
use claviger::clock::Timestamp;
use claviger::flow::{Evidence, examine};
use claviger::plugin::{
    Engine, EngineSettings, Manifest, Settings, VerifierPlugin, VerifierRequest, bundled,
};
use claviger::quote::{
    AWS_NITRO, Authority, DigestAlgorithm, Examination, KeyEncoding, NVIDIA, Revocation,
    SignatureAlgorithm, Span,
};
use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
use claviger_tests::vectors::{self, Case};
use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use site::{NOW, Report, runtime};
use tokio::runtime::Runtime;

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 301;

struct Bench {
    engine: Engine,
    runtime: Runtime,
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let settings = EngineSettings::default();
    let bench = Bench { engine: Engine::new(settings).unwrap(), runtime: runtime(1) };
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>12} {:>8}",
        "", "native µs", "call µs", "whole µs", "WebAssembly", "beyond"
    );
    snp(&bench);
    dcap(&bench);
    if vectors::folder().is_some() {
        nitro(&bench);
        nvidia(&bench);
        azure(&bench);
    }
}

impl Bench {
    /// One row, and the native part's median.
    fn row(
        &self,
        what: &str,
        plugin: &str,
        authority: &Arc<Authority>,
        at: Timestamp,
        evidence: &Evidence,
        native: impl Fn(&Examination) -> bool,
    ) -> f64 {
        let component = bundled::component(plugin).unwrap();
        let anchors: BTreeSet<String> =
            Manifest::read(component).unwrap().anchors.into_iter().collect();
        let settings = Settings { anchors: Arc::new(anchors), ..Settings::default() };
        let verifier = VerifierPlugin::load(&self.engine, plugin, component, settings).unwrap();
        let examination = Examination::new(Arc::clone(authority), at);
        let mut times = [(); 3].map(|()| Vec::with_capacity(ROUNDS));
        for round in 0..ROUNDS + 10 {
            // On this thread: `block_on` polls the call where it was called.
            let examined = examine(&verifier, Arc::clone(authority), evidence.clone(), at);
            let request = VerifierRequest {
                evidence_type: evidence
                    .media_type
                    .clone()
                    .unwrap_or_else(|| verifier.description().evidence_types[0].clone()),
                evidence: evidence.data.clone(),
                attachments: evidence.attachments.clone(),
            };
            let anew = Examination::new(Arc::clone(authority), at).with(&request.attachments);
            let called = verifier.verify(anew, request);
            let all = [
                timed(|| native(&examination)),
                timed(|| self.runtime.block_on(called).is_ok()),
                timed(|| self.runtime.block_on(examined).map_err(|why| panic!("{why}")).is_ok()),
            ];
            if round >= 10 {
                times.iter_mut().zip(all).for_each(|(times, time)| times.push(time));
            }
        }
        let [native, call, whole] = times.map(median);
        let share = |time: f64| 100.0 * time / whole;
        println!(
            "{what:<34} {native:>9.1} {call:>9.1} {whole:>9.1} {:>10.1} % {:>6.1} %",
            share(call - native),
            share(whole - native)
        );
        native
    }
}

fn snp(bench: &Bench) {
    let report = Report::new();
    bench.row("SEV-SNP", "verifier-snp", &report.authority(), NOW, &report.evidence(), |one| {
        one.snp(report.bytes.clone(), &report.certificates).is_ok()
    });
}

fn dcap(bench: &Bench) {
    let intel = Intel::mint(NOW).unwrap();
    let [root_list, pck_list] = intel.lists(Revocations::default()).unwrap();
    let floor = floor();
    for (tee, plugin, body, tcb, qe) in [
        ("tdx", "verifier-tdx", QuoteBody::Td4, intel.tcb_template("TDX"), "TD_QE"),
        ("sgx", "verifier-sgx", QuoteBody::Sgx3, intel.tcb_template("SGX"), "QE"),
    ] {
        let quote = intel.quote(&intel.quote_template(body, [7; 64])).unwrap();
        let collateral = vec![
            intel.tcb_info(&tcb).unwrap(),
            intel.qe_identity(&intel.qe_template(qe)).unwrap(),
            intel.tcb_signer(),
            root_list.clone(),
            pck_list.clone(),
        ];
        let builder = Authority::builder().simulated_root(intel.root());
        let bare = Arc::new(builder.build().unwrap());
        let mut builder = Authority::builder().simulated_root(intel.root());
        for one in &collateral {
            builder = builder.collateral(one.clone());
        }
        let keeping = Arc::new(builder.build().unwrap());
        for (what, authority, attachments) in
            [("collateral attached", &bare, &collateral), ("collateral kept", &keeping, &vec![])]
        {
            let evidence = evidence(tee, quote.clone(), attachments);
            let what = format!("{}, {what}", tee.to_uppercase());
            let native = bench.row(&what, plugin, authority, NOW, &evidence, |one| {
                one.dcap(quote.clone(), attachments).is_ok()
            });
            println!(
                "{:<34} {:>9.2} × two P-256 verifications ({floor:.1} µs)",
                "",
                native / floor
            );
        }
    }
}

/// Two P-256 verifications, which no two quotes share.
fn floor() -> f64 {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let message = [7; 632];
    let signature = pair.sign(&SystemRandom::new(), &message).unwrap();
    let key = pair.public_key().as_ref();
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).unwrap();
    let verify = || key.verify_sig(&message, signature.as_ref()).is_ok();
    median((0..ROUNDS).map(|_| timed(|| verify() && verify())).collect())
}

/// A case of recorded evidence by its folder, with its moment; revocation waived, for want of lists.
fn recorded(name: &str) -> Option<(Case, Timestamp, Arc<Authority>)> {
    let mut cases = vectors::cases(&vectors::folder()?).into_iter();
    let case = cases.find(|(found, _)| found == name)?.1.ok()?;
    let at = case.trials()[0].at.unwrap_or(NOW);
    let authority = Authority::builder().revocation(Revocation::Waived).build().unwrap();
    Some((case, at, Arc::new(authority)))
}

fn nitro(bench: &Bench) {
    let Some((case, at, authority)) = recorded("nitro/dstack-2025-12-25") else { return };
    let document = case.evidence[0].bytes.clone();
    let signed = CoseSign1::from_tagged_slice(&document).or(CoseSign1::from_slice(&document));
    let signed = signed.unwrap();
    let payload: ciborium::Value =
        ciborium::from_reader(signed.payload.as_deref().unwrap()).unwrap();
    let member = |name: &str| {
        let members = payload.as_map().unwrap();
        &members.iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1
    };
    let leaf = member("certificate").as_bytes().unwrap().clone();
    let bundle = member("cabundle").as_array().unwrap().iter();
    let above = bundle.map(|one| one.as_bytes().unwrap().clone()).rev();
    let chain: Vec<Vec<u8>> = std::iter::once(leaf).chain(above).collect();
    let message = signed.tbs_data(&[]);
    let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
    let evidence = evidence("nitro", document, &[]);
    bench.row("AWS Nitro", "verifier-nitro", &authority, at, &evidence, |one| {
        let signer = one.chain(&chain, AWS_NITRO).unwrap();
        one.check(&signer, algorithm, message.clone(), &signed.signature).is_ok()
    });
}

fn nvidia(bench: &Bench) {
    let Some((case, at, authority)) = recorded("nvidia/hopper-580.159-sdk") else { return };
    let report = HEXLOWER_PERMISSIVE.decode(case.evidence[0].bytes.trim_ascii()).unwrap();
    let pem = &case.certificates[0].bytes;
    let chain: Vec<Vec<u8>> =
        CertificateDer::pem_slice_iter(pem).map(|der| der.unwrap().to_vec()).collect();
    let (message, signature) = report.split_at(report.len() - 96);
    let algorithm = SignatureAlgorithm::EcdsaP384Sha384;
    let evidence = evidence("nvidia", report.clone(), std::slice::from_ref(pem));
    bench.row("NVIDIA", "verifier-nvidia", &authority, at, &evidence, |one| {
        let signer = one.chain(&chain, NVIDIA).unwrap();
        one.check(&signer, algorithm, message.to_vec(), signature).is_ok()
    });
}

fn azure(bench: &Bench) {
    let Some((case, at, authority)) = recorded("az-snp/milan-trustee-v1") else { return };
    let json: Value = serde_json::from_slice(&case.evidence[0].bytes).unwrap();
    let text = |name: &str| json.pointer(name).and_then(Value::as_str).unwrap();
    let in_base64 =
        |name: &str| BASE64URL_NOPAD.decode(text(name).trim_end_matches('=').as_bytes()).unwrap();
    let hcl = in_base64("/hcl_report");
    let report = hcl[32..1216].to_vec();
    let length = u32::from_le_bytes(hcl[1232..1236].try_into().unwrap()) as usize;
    let data = hcl[1236..1236 + length].to_vec();
    // The object of the key: from the brace before its name to the one behind it.
    let name = data.windows(8).position(|bytes| bytes == b"HCLAkPub").unwrap();
    let start = data[..name].iter().rposition(|byte| *byte == b'{').unwrap();
    let end = name + data[name..].iter().position(|byte| *byte == b'}').unwrap() + 1;
    let span = |start: usize, length: usize| Span {
        start: u32::try_from(start).unwrap(),
        length: u32::try_from(length).unwrap(),
    };
    let message = HEXLOWER.decode(text("/tpm_quote/message").as_bytes()).unwrap();
    let signature = HEXLOWER.decode(text("/tpm_quote/signature").as_bytes()).unwrap();
    let registers = json.pointer("/tpm_quote/pcrs").and_then(Value::as_array).unwrap();
    let registers: Vec<u8> = registers
        .iter()
        .flat_map(|one| HEXLOWER.decode(one.as_str().unwrap().as_bytes()).unwrap())
        .collect();
    // As clients send it: all that the host does not know is in the JSON.
    let certificates = [in_base64("/vcek")];
    let evidence = Evidence {
        media_type: Some("application/json".to_owned()),
        ..evidence("az-snp", case.evidence[0].bytes.clone(), &[])
    };
    bench.row("Azure vTPM over SNP", "verifier-az-snp", &authority, at, &evidence, |one| {
        let hardware = one.snp(report.clone(), &certificates).unwrap().statement;
        let digest = DigestAlgorithm::Sha256;
        let runtime = one.vouch(&hardware, span(0x50, 32), digest, data.clone()).unwrap();
        let key = one.adopt(&runtime, span(start, end - start), KeyEncoding::Jwk).unwrap();
        let algorithm = SignatureAlgorithm::RsaPkcs1Sha256;
        let quote = one.check(&key, algorithm, message.clone(), &signature).unwrap();
        let at = span(message.len() - 32, 32);
        one.vouch(&quote, at, digest, registers.clone()).is_ok()
    });
}

fn evidence(tee: &str, data: Vec<u8>, attachments: &[Vec<u8>]) -> Evidence {
    let attachments = attachments.to_vec();
    Evidence { tee: tee.to_owned(), media_type: None, data, attachments }
}

fn timed(work: impl FnOnce() -> bool) -> f64 {
    let before = time();
    assert!(work(), "it must succeed to be measured");
    time() - before
}

/// In microseconds.
fn time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
