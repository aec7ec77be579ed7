//! What an SNP check costs, beside the one P-384 verification that nobody can avoid.
//!
//! Needs the recorded evidence (`CLAVIGER_VECTORS`); skips aloud without it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first surprise"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use claviger::clock::Timestamp;
use claviger::quote::{Authority, Examination, Revocation};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// 2025-06-01T00:00:00Z, when the recorded chain is valid.
const AT: Timestamp = Timestamp(1_748_736_000);

struct Evidence {
    report: Vec<u8>,
    vcek: Vec<u8>,
}

fn evidence() -> Option<Evidence> {
    let folder = std::env::var_os("CLAVIGER_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let read = |name| std::fs::read(folder.join("snp/milan-v3-oak-oc-release").join(name));
    match (read("report.bin"), read("vcek.der")) {
        (Ok(report), Ok(vcek)) => Some(Evidence { report, vcek }),
        _ => {
            eprintln!("SKIPPED: no recorded evidence at {}", folder.display());
            None
        }
    }
}

fn authority() -> Arc<Authority> {
    let authority = Authority::builder().revocation(Revocation::Waived).build();
    Arc::new(authority.expect("the built-in roots hold"))
}

fn snp(criterion: &mut Criterion) {
    let Some(Evidence { report, vcek }) = evidence() else {
        return;
    };
    let certificates = [vcek];
    let warm = Examination::new(authority(), AT);
    let checked = warm.snp(report.clone(), &certificates).expect("the evidence is genuine");

    let mut group = criterion.benchmark_group("snp");
    group.bench_function("floor: one P-384 verification", |bencher| {
        let key = floor_key(&certificates[0]);
        let signature = big_endian_signature(&report);
        bencher.iter(|| {
            key.verify_sig(black_box(&report[..0x2a0]), black_box(&signature)).expect("holds")
        });
    });
    group.bench_function("chain cached", |bencher| {
        bencher.iter_batched(
            || report.clone(),
            |report| warm.snp(report, black_box(&certificates)).expect("holds"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("chain cold", |bencher| {
        bencher.iter_batched(
            || (report.clone(), Examination::new(authority(), AT)),
            |(report, cold)| cold.snp(report, black_box(&certificates)).expect("holds"),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("report parse, up to a missing signature", |bencher| {
        let mut unsigned = report.clone();
        unsigned[0x2a0..0x2a0 + 72].fill(0);
        bencher.iter_batched(
            || unsigned.clone(),
            |report| warm.snp(report, black_box(&certificates)).expect_err("is refused"),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("facts", |bencher| {
        bencher.iter_batched(
            || warm.snp(report.clone(), &certificates).expect("holds").statement,
            |statement| statement.facts().len(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("trust path in words", |bencher| {
        bencher.iter(|| checked.statement.path());
    });
    group.finish();
}

fn big_endian_signature(report: &[u8]) -> Vec<u8> {
    let number = |at: usize| report[at..at + 48].iter().rev().copied().collect::<Vec<u8>>();
    [number(0x2a0), number(0x2a0 + 72)].concat()
}

/// The certificate's point, found by the curve's identifier before it.
fn floor_key(vcek: &[u8]) -> ParsedPublicKey {
    let before = [0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00];
    let found = vcek.windows(before.len()).position(|bytes| bytes == before);
    let at = found.expect("a P-384 key") + before.len();
    ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &vcek[at..at + 97]).expect("a P-384 key")
}

criterion_group!(benches, snp);
criterion_main!(benches);
