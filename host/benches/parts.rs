//! The parts of a release, each by itself, on simulated hardware: what any of them costs beside the
//! one P-384 verification, the token signature and the key agreement that nobody can avoid.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first surprise"
)]

mod site;

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    ParsedPublicKey,
};
use claviger::audit::{AuditLog, Digest, Event, Record, Settings, SigningKey};
use claviger::clock::{SystemClock, Timestamp};
use claviger::command::floor::P384;
use claviger::flow::{ReportDataInput, examine};
use claviger::keys::{
    RecipientKey, RecipientKind, RecipientPrivateKey, TokenAlgorithm, TokenKeys, WrapHeader,
};
use claviger::plugin::{CacheSettings, Engine, EngineSettings, VerifierPlugin, bundled};
use claviger::quote::{Authority, Examination};
use claviger::secret::Secret;
use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
use claviger::tenant::Tenant;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;
use site::{NOW, Report, runtime};

/// The floor's largest part: the verification that every report needs.
fn signature(criterion: &mut Criterion) {
    let p384 = P384::new().unwrap();
    criterion.bench_function("floor/P-384 verification", |bencher| {
        bencher.iter(|| p384.verify());
    });
}

fn quote(criterion: &mut Criterion) {
    let report = Report::new();
    let warm = Examination::new(report.authority(), NOW);
    let check = |examination: &Examination, bytes: Vec<u8>| {
        examination.snp(bytes, black_box(&report.certificates)).unwrap()
    };
    check(&warm, report.bytes.clone());
    let mut group = criterion.benchmark_group("quote");
    group.bench_function("parse, up to a missing signature", |bencher| {
        let mut unsigned = report.bytes.clone();
        unsigned[0x2a0..0x2a0 + 72].fill(0);
        bencher.iter_batched(
            || unsigned.clone(),
            |bytes| warm.snp(bytes, &report.certificates).unwrap_err(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("chain cached", |bencher| {
        let bytes = || report.bytes.clone();
        bencher.iter_batched(bytes, |bytes| check(&warm, bytes), BatchSize::SmallInput);
    });
    group.bench_function("chain cold", |bencher| {
        bencher.iter_batched(
            || (report.bytes.clone(), Examination::new(report.authority(), NOW)),
            |(bytes, cold)| check(&cold, bytes),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("facts", |bencher| {
        bencher.iter_batched(
            || check(&warm, report.bytes.clone()).statement,
            |statement| statement.facts().len(),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Intel's: warm, only the two signatures that no two quotes share are left.
fn dcap(criterion: &mut Criterion) {
    let intel = Intel::mint(NOW).unwrap();
    let quote = intel.quote(&intel.quote_template(QuoteBody::Td4, [7; 64])).unwrap();
    let [root_list, pck_list] = intel.lists(Revocations::default()).unwrap();
    let collateral = [
        intel.tcb_info(&intel.tcb_template("TDX")).unwrap(),
        intel.qe_identity(&intel.qe_template("TD_QE")).unwrap(),
        intel.tcb_signer(),
        root_list,
        pck_list,
    ];
    let root = intel.root();
    let cold = || {
        let authority = Authority::builder().simulated_root(root.clone()).build().unwrap();
        Examination::new(Arc::new(authority), NOW)
    };
    let check = |examination: &Examination, bytes: Vec<u8>| {
        examination.dcap(bytes, black_box(&collateral)).unwrap()
    };
    let warm = cold();
    check(&warm, quote.clone());
    let mut group = criterion.benchmark_group("dcap");
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let message = [7; 632];
    let signature = pair.sign(&SystemRandom::new(), &message).unwrap();
    let key = pair.public_key().as_ref();
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).unwrap();
    group.bench_function("floor: two P-256 verifications", |bencher| {
        bencher.iter(|| {
            key.verify_sig(black_box(&message), signature.as_ref()).unwrap();
            key.verify_sig(black_box(&message), signature.as_ref()).unwrap();
        });
    });
    group.bench_function("chain and collateral cached", |bencher| {
        let bytes = || quote.clone();
        bencher.iter_batched(bytes, |bytes| check(&warm, bytes), BatchSize::SmallInput);
    });
    group.bench_function("cold", |bencher| {
        bencher.iter_batched(
            || (quote.clone(), cold()),
            |(bytes, cold)| check(&cold, bytes),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn plugin(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let cache = CacheSettings { directory: directory.path().into(), key: Secret::new(vec![7; 32]) };
    let engine =
        |cache| Engine::new(EngineSettings { cache, ..EngineSettings::default() }).unwrap();
    let (compiling, caching) = (engine(None), engine(Some(cache)));
    let load = |engine: &Engine| {
        let component = bundled::component("verifier-snp").unwrap();
        VerifierPlugin::load(engine, "verifier-snp", component, Default::default()).unwrap()
    };
    let verifier = load(&caching);
    let (runtime, report) = (runtime(1), Report::new());
    let authority = report.authority();
    let mut group = criterion.benchmark_group("plugin");
    group.sample_size(10);
    group.bench_function("load, compiled", |bencher| bencher.iter(|| load(&compiling)));
    group.bench_function("load, cached", |bencher| bencher.iter(|| load(&caching)));
    group.sample_size(100);
    group.bench_function("instance and call, refused before the native check", |bencher| {
        bencher.iter(|| {
            let examined =
                examine(&verifier, Arc::clone(&authority), site::evidence(vec![0; 7], &[]), NOW);
            runtime.block_on(examined).unwrap_err()
        });
    });
    group.bench_function("genuine report, gate included", |bencher| {
        bencher.iter_batched(
            || report.evidence(),
            |evidence| {
                let examined = examine(&verifier, Arc::clone(&authority), evidence, NOW);
                runtime.block_on(examined).unwrap()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let header = WrapHeader {
        cty: "application/octet-stream".into(),
        tenant: "default".into(),
        key: "key".into(),
        version: "1".into(),
        challenge: [7; 32],
        audit: None,
    };
    let mut group = criterion.benchmark_group("wrap");
    for kind in
        [RecipientKind::X25519, RecipientKind::P256, RecipientKind::P384, RecipientKind::XWing]
    {
        let private = RecipientPrivateKey::generate(kind).unwrap();
        let public = RecipientKey::from_jwk(private.jwk()).unwrap();
        group.bench_function(format!("{kind:?}"), |bencher| {
            bencher.iter(|| public.wrap(black_box(&[7; 32]), &header).unwrap());
        });
    }
    group.finish();
    let keys = TokenKeys::generate(TokenAlgorithm::Es256, Timestamp(0)).unwrap();
    let claims = json!({ "iss": "https://claviger.example", "claims": vec!["claim"; 64] });
    criterion.bench_function("token/sign", |bencher| {
        bencher.iter(|| keys.sign(black_box(&claims), "eat+jwt").unwrap());
    });
}

fn challenge(criterion: &mut Criterion) {
    let (runtime, ground) = (runtime(1), site::Ground::new());
    let host = runtime.block_on(ground.host());
    let caller = site::caller();
    criterion.bench_function("challenge/issue", |bencher| {
        bencher.iter(|| host.challenge(&caller, &site::purpose()).unwrap());
    });
    let tenant = Tenant::default();
    let input = ReportDataInput {
        host: "claviger",
        tenant: &tenant,
        purpose: "attestation",
        nonce: &[1; 32],
        recipient: &[2; 32],
        companions: &[],
    };
    criterion.bench_function("challenge/report data", |bencher| bencher.iter(|| input.digest()));
}

/// One record by itself: what remains is the disk. In a flow many share one write.
fn audit(criterion: &mut Criterion) {
    let (runtime, folder) = (runtime(1), tempfile::tempdir().unwrap());
    let key = SigningKey::generate().unwrap();
    let clock = Arc::new(SystemClock);
    let log = AuditLog::open(folder.path(), "bench", &key, clock, Settings::default()).unwrap();
    let record = Record::new(NOW, Event::Released).key("key").jwe(Digest::of(b"jwe"));
    criterion.bench_function("audit/one record, durable", |bencher| {
        bencher.iter(|| runtime.block_on(log.record(&record)).unwrap());
    });
    runtime.block_on(log.close()).unwrap();
}

criterion_group!(benches, signature, quote, dcap, plugin, keys, challenge, audit);
criterion_main!(benches);
