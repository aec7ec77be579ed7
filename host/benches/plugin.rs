//! What a plugin costs: loading it, an instance with its call, and a whole verification beside the
//! native check alone. The genuine report is recorded evidence (`CLAVIGER_VECTORS`); without it only
//! the first three run.
#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may stop at the first surprise")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use claviger::clock::Timestamp;
use claviger::plugin::{
    CacheSettings, Engine, EngineSettings, Settings, VerifierFailure, VerifierPlugin,
    VerifierRequest, bundled,
};
use claviger::quote::{Authority, Examination, Revocation};
use claviger::secret::Secret;
use criterion::{Criterion, criterion_group, criterion_main};

const REPORT: &str = "application/vnd.amd.sev-snp-report";

fn engine(cache: Option<&Path>) -> Engine {
    let cache = cache.map(|directory| CacheSettings {
        directory: directory.to_owned(),
        key: Secret::new(vec![7; 32]),
    });
    let settings = EngineSettings { cache, ..EngineSettings::default() };
    Engine::new(settings).expect("an engine")
}

fn load(engine: &Engine) -> VerifierPlugin {
    let component = bundled::component("verifier-snp").expect("bundled");
    VerifierPlugin::load(engine, "verifier-snp", component, Settings::default()).expect("loads")
}

fn loading(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let (compiling, caching) = (engine(None), engine(Some(directory.path())));
    load(&caching);
    let mut group = criterion.benchmark_group("plugin/load");
    group.sample_size(10);
    group.bench_function("compiled", |bencher| bencher.iter(|| load(&compiling)));
    group.bench_function("cached", |bencher| bencher.iter(|| load(&caching)));
    group.finish();
}

fn calling(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let plugin = load(&engine(None));
    let nothing = Arc::new(Authority::builder().build().expect("an authority"));
    let request = |evidence, attachments| VerifierRequest {
        evidence_type: REPORT.into(),
        evidence,
        attachments,
    };
    let mut group = criterion.benchmark_group("plugin/call");
    group.bench_function("instance and refusal", |bencher| {
        bencher.iter(|| {
            let examination = Examination::new(Arc::clone(&nothing), Timestamp(0));
            let refused = plugin.verify(examination, request(vec![0; 1183], vec![]));
            let refused = runtime.block_on(refused);
            assert!(matches!(refused, Err(VerifierFailure::Rejected(_))));
        });
    });
    if let Some((authority, report, certificate)) = recorded() {
        let examine = || Examination::new(Arc::clone(&authority), Timestamp(1_780_000_000));
        group.bench_function("genuine report", |bencher| {
            bencher.iter(|| {
                let request = request(report.clone(), vec![certificate.clone()]);
                let verdict = runtime.block_on(plugin.verify(examine(), request));
                verdict.expect("genuine")
            });
        });
        group.bench_function("genuine report, native check alone", |bencher| {
            bencher.iter(|| {
                let certificates = [certificate.clone()];
                examine().snp(report.clone(), &certificates).expect("genuine")
            });
        });
    }
    group.finish();
}

fn recorded() -> Option<(Arc<Authority>, Vec<u8>, Vec<u8>)> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let folder = std::env::var("CLAVIGER_VECTORS").unwrap_or_else(|_| default.into());
    let case = Path::new(&folder).join("snp/genoa-v5-live");
    let report = fs::read(case.join("report.bin")).ok()?;
    let certificate = fs::read(case.join("vcek.der")).ok()?;
    let authority = Authority::builder().revocation(Revocation::Waived).build();
    Some((Arc::new(authority.ok()?), report, certificate))
}

criterion_group!(benches, loading, calling);
criterion_main!(benches);
