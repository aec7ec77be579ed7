//! Recorded evidence of real hardware, and services that answer with what was recorded with it, each in its own
//! form.

use std::collections::BTreeSet;
use std::sync::Arc;

use claviger::clock::{Clock, FixedClock, Timestamp};
use claviger::endorsements::{Endorsements, SourceKind, SourcePlan};
use claviger::quote::{Authority, Examination, Fault, Revocation, Want};
use claviger::random::{Random, SystemRandomness};
use claviger::store::{Embedded, MasterKey, SealedStore};
use claviger_tests::service::{Reply, Service};
use claviger_tests::vectors::{self, Case};
use serde_json::{Value, json};

async fn supplied(
    authority: &Arc<Authority>,
    (kind, prefix): (SourceKind, &str),
    at: Timestamp,
    wants: BTreeSet<Want>,
    answers: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> Result<Vec<Vec<u8>>, String> {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), answers).await;
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let key = MasterKey::ephemeral(&*random).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    let store = Arc::new(SealedStore::open(store, &key, random).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(at));
    let url = format!("{}{prefix}", service.url);
    let source = SourcePlan { kind, url, ca: service.ca.clone() };
    let endorsements = Arc::new(Endorsements::new(&[source], store, clock).unwrap());
    endorsements.supply(authority, wants).await.map_err(|error| error.to_string())
}

fn pem(der: &[u8]) -> String {
    let body = data_encoding::BASE64.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn cases(tee: &str, verdict: &str) -> Vec<(String, Case)> {
    let Some(folder) = vectors::folder() else { return Vec::new() };
    let cases = vectors::cases(&folder).into_iter();
    let cases = cases.filter_map(|(name, case)| Some((name, case.ok()?)));
    cases.filter(|(_, case)| case.tee() == tee && case.verdict() == verdict).collect()
}

/// A certificate in DER, from DER or PEM.
fn der(bytes: &[u8]) -> Option<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    if bytes.starts_with(&[0x30, 0x82]) {
        return Some(bytes.to_vec());
    }
    CertificateDer::from_pem_slice(bytes).ok().map(|der| der.to_vec())
}

#[tokio::test]
async fn genuine_reports_are_checked_with_what_amds_and_azures_services_answer() {
    let builder = Authority::builder().revocation(Revocation::Waived);
    let authority = Arc::new(builder.build().unwrap());
    let mut tried = 0;
    for (name, case) in cases("snp", "valid") {
        let report = case.evidence.iter().find(|file| file.bytes.len() == 1184);
        let Some(report) = report.map(|file| file.bytes.clone()) else { continue };
        let at = case.trials()[0].at.unwrap();
        let examination = Examination::new(Arc::clone(&authority), at);
        let alone = examination.snp(report.clone(), &[]);
        assert!(matches!(alone, Err(Fault::Unavailable(_))), "{name}");
        let vceks = examination.wants().into_iter();
        let wants: BTreeSet<Want> =
            vceks.filter(|want| matches!(want, Want::AmdVcek { .. })).collect();
        // A report of version 2 names no product, and one under a VLEK needs what nobody serves.
        if wants.is_empty() {
            continue;
        }
        let genuine = |vcek: &Vec<u8>| {
            let certificates = std::slice::from_ref(vcek);
            examination.snp(report.clone(), certificates).is_ok()
        };
        let vcek = case.certificates.iter().filter_map(|file| der(&file.bytes)).find(genuine);
        let Some(vcek) = vcek else { continue };
        let thim = json!({ "vcekCert": pem(&vcek), "certificateChain": "", "tcbm": "0" });
        let forms = [
            (SourceKind::AmdKds, vcek.clone(), "/vcek/v1/"),
            (SourceKind::AzureCache, pem(&vcek).into_bytes(), "/SevSnpVM/certificates/"),
            (SourceKind::AzureThim, thim.to_string().into_bytes(), "/metadata/THIM/amd/"),
        ];
        for (kind, body, start) in forms {
            let answer = move |path: &str| match path.starts_with(&format!("/cache{start}")) {
                true => Reply::ok(body.clone()),
                false => Reply::status(404),
            };
            let place = (kind, "/cache");
            let parts = supplied(&authority, place, at, wants.clone(), answer).await;
            let parts = parts.unwrap_or_else(|why| panic!("{name}, {kind:?}: {why}"));
            examination.snp(report.clone(), &parts).unwrap();
        }
        // What THIM says of the machine may come from the guest itself.
        examination.snp(report.clone(), &[thim.to_string().into_bytes()]).unwrap();
        tried += 1;
    }
    assert!(tried > 3 || vectors::folder().is_none(), "{tried}");
}

/// A collateral in the form of the crate `dcap-qvl`, as Intel's services answer it.
fn answers(collateral: &Value) -> impl Fn(&str) -> Reply + Send + Sync + use<> {
    let text = |name: &str| collateral.get(name).and_then(Value::as_str).map(str::to_owned);
    let percent = |text: &str| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let one = |byte: u8| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        };
        text.bytes().map(one).collect()
    };
    let signed = |member: &str, name: &str| {
        let (body, signature) = (text(name).unwrap(), text(&format!("{name}_signature")));
        format!("{{\"{member}\":{body},\"signature\":\"{}\"}}", signature.unwrap())
    };
    let tcb = signed("tcbInfo", "tcb_info");
    let qe = signed("enclaveIdentity", "qe_identity");
    let chain = |name: &str| percent(&text(name).unwrap_or_default());
    let (tcb_chain, qe_chain) = (chain("tcb_info_issuer_chain"), chain("qe_identity_issuer_chain"));
    let crl_chain = chain("pck_crl_issuer_chain");
    let (root, pck) = (text("root_ca_crl").unwrap(), text("pck_crl").unwrap());
    move |path| {
        let with = |name, chain: &str, body: &str| Reply {
            headers: vec![(name, chain.to_owned())],
            ..Reply::ok(body.as_bytes().to_vec())
        };
        let path = path.strip_prefix("/metadata/THIM").unwrap_or_default();
        match path {
            path if path.contains("/certification/v4/tcb?") => {
                with("TCB-Info-Issuer-Chain", &tcb_chain, &tcb)
            }
            path if path.ends_with("/certification/v4/qe/identity") => {
                with("SGX-Enclave-Identity-Issuer-Chain", &qe_chain, &qe)
            }
            path if path.starts_with("/sgx/certification/v4/pckcrl?") => {
                with("SGX-PCK-CRL-Issuer-Chain", &crl_chain, &pck)
            }
            "/sgx/certification/v4/rootcacrl" => Reply::ok(root.as_bytes().to_vec()),
            _ => Reply::status(404),
        }
    }
}

#[tokio::test]
async fn genuine_quotes_are_checked_with_what_azures_cache_for_intel_answers() {
    let authority = Arc::new(Authority::builder().build().unwrap());
    let mut tried = 0;
    for (name, case) in cases("tdx", "valid") {
        let json = |bytes: &[u8]| bytes.trim_ascii_start().starts_with(b"{");
        let quote = case.evidence.iter().find(|file| !json(&file.bytes));
        let Some(quote) = quote.map(|file| file.bytes.clone()) else { continue };
        for trial in case.trials() {
            let (Some(collateral), Some(at)) = (trial.collateral, trial.at) else { continue };
            let examination = Examination::new(Arc::clone(&authority), at);
            let whole = std::slice::from_ref(&collateral.bytes);
            if examination.dcap(quote.clone(), whole).is_err() {
                // Not all that is needed was recorded.
                continue;
            }
            let examination = Examination::new(Arc::clone(&authority), at);
            assert!(examination.dcap(quote.clone(), &[]).is_err(), "{name}");
            let collateral: Value = serde_json::from_slice(&collateral.bytes).unwrap();
            let place = (SourceKind::IntelPccs, "/metadata/THIM");
            let wants = examination.wants();
            let parts = supplied(&authority, place, at, wants, answers(&collateral)).await;
            let parts = parts.unwrap_or_else(|why| panic!("{name} at {at}: {why}"));
            examination.dcap(quote.clone(), &parts).unwrap();
            tried += 1;
        }
    }
    assert!(tried > 3 || vectors::folder().is_none(), "{tried}");
}
