//! The figures that this host is held to, as ratios of one run: `cargo bench -p claviger --bench
//! ratios`. Processor time, medians of rounds that alternate, so that a machine that changes its
//! speed changes both sides.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first surprise"
)]

mod site;

use std::sync::Arc;
use std::time::Instant;

use claviger::appraisal::{Appraiser, Case};
use claviger::assemble::configured;
use claviger::clock::Timestamp;
use claviger::command::floor::{Floor, P384};
use claviger::flow::{Host, Submission, examine};
use claviger::plugin::{Engine, EngineSettings, VerifierPlugin, bundled};
use claviger::quote::Examination;
use claviger::reference::Snapshot;
use rustix::time::{ClockId, clock_gettime};
use site::{Guest, KEY, NOW, Report, caller, purpose, runtime};

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds of the small parts.
const ROUNDS: usize = 401;

/// Flows of one measurement, and how many are under way at once: one client each.
const FLOWS: usize = 2_000;
const CLIENTS: usize = 64;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    native();
    judgement();
    flow();
    scaling();
}

fn native() {
    let (report, p384) = (Report::new(), P384::new().unwrap());
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let component = bundled::component("verifier-snp").unwrap();
    let verifier =
        VerifierPlugin::load(&engine, "verifier-snp", component, Default::default()).unwrap();
    let (runtime, authority) = (runtime(1), report.authority());
    let warm = Examination::new(Arc::clone(&authority), NOW);
    let mut times = [(); 4].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let (bytes, certificates) = (report.bytes.clone(), report.certificates.clone());
        let cold = Examination::new(report.authority(), NOW);
        let evidence = report.evidence();
        times[0].push(timed(|| p384.verify()));
        times[1].push(timed(|| warm.snp(bytes.clone(), &certificates).is_ok()));
        times[2].push(timed(|| cold.snp(bytes.clone(), &certificates).is_ok()));
        // On this thread: `block_on` polls the call where it was called.
        let examined = examine(&verifier, Arc::clone(&authority), evidence, NOW);
        times[3].push(timed(|| runtime.block_on(examined).is_ok()));
    }
    let [p384, cached, cold, whole] = times.map(median);
    println!("P-384 verification               {p384:8.1} µs");
    row("SNP check, chain cached", cached, cached / p384, "P-384 verification");
    row("SNP check, chain cold", cold, cold / p384, "P-384 verification");
    println!("plugin, gate and facts           {:8.1} µs beyond the native check", whole - cached);
}

/// The built-in appraisal policy over the facts of a report: asked, and remembered.
fn judgement() {
    let (report, runtime) = (Report::new(), runtime(1));
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let component = bundled::component("verifier-snp").unwrap();
    let verifier =
        VerifierPlugin::load(&engine, "verifier-snp", component, Default::default()).unwrap();
    let examined = examine(&verifier, report.authority(), report.evidence(), NOW);
    let verified = runtime.block_on(examined).unwrap();
    let policy = claviger_tests::site::policy();
    let appraiser = Appraiser::new(&policy, None).unwrap();
    let references = Snapshot::of([("configuration", configured(&policy).as_slice())]);
    let mut times = [(); 2].map(|()| Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS {
        // Another moment of expiry is another document, which nobody remembers.
        let case = Case { expires: Timestamp(round as u64), ..verified.case(NOW) };
        for times in &mut times {
            times.push(timed(|| appraiser.appraise(&case, &references).is_ok()));
        }
    }
    let [asked, remembered] = times.map(median);
    println!("appraisal policy, asked          {asked:8.1} µs");
    println!("appraisal policy, remembered     {remembered:8.1} µs");
}

fn flow() {
    let (runtime, ground) = (runtime(2), site::Ground::new());
    let host = runtime.block_on(ground.host());
    let floor = Floor::measure().unwrap();
    let answers = answers(&host, FLOWS);
    let (before, started) = (process_time(), Instant::now());
    runtime.block_on(release_all(&host, answers));
    let (cpu, wall) = (process_time() - before, started.elapsed());
    let floor = floor.lower(Floor::measure().unwrap()).total();
    let before = process_time();
    for _ in 0..FLOWS {
        host.challenge(&caller(), &purpose()).unwrap();
    }
    let challenge = (process_time() - before) / FLOWS as f64;
    let flow = cpu / FLOWS as f64 + challenge;
    println!("floor                            {floor:8.1} µs");
    println!("challenge                        {challenge:8.1} µs");
    row("flow, record durable", flow, flow / floor, "floor");
    println!("flows a second, two threads      {:8.0}", FLOWS as f64 / wall.as_secs_f64());
    runtime.block_on(host.close()).unwrap();
}

fn scaling() {
    let per_second = |threads| {
        let (runtime, ground) = (runtime(threads), site::Ground::new());
        let host = runtime.block_on(ground.host());
        let answers = answers(&host, FLOWS);
        let started = Instant::now();
        runtime.block_on(release_all(&host, answers));
        let rate = FLOWS as f64 / started.elapsed().as_secs_f64();
        runtime.block_on(host.close()).unwrap();
        rate
    };
    let rounds: Vec<_> = (0..5).map(|_| (per_second(1), per_second(2))).collect();
    let one = median(rounds.iter().map(|(one, _)| *one).collect());
    let two = median(rounds.iter().map(|(_, two)| *two).collect());
    println!(
        "flows a second                   {one:8.0} with one thread, {two:.0} with two: {:.2} ×",
        two / one
    );
}

/// Evidence for as many challenges; signing it is the guest's work and not measured.
fn answers(host: &Host, count: usize) -> Vec<Submission> {
    let guest = Guest::new();
    let answer = |_| {
        let challenge = host.challenge(&caller(), &purpose()).unwrap().into();
        guest.answer(&challenge).into()
    };
    (0..count).map(answer).collect()
}

async fn release_all(host: &Host, answers: Vec<Submission>) {
    let mut clients: Vec<Vec<Submission>> = (0..CLIENTS).map(|_| Vec::new()).collect();
    for (index, answer) in answers.into_iter().enumerate() {
        clients[index % CLIENTS].push(answer);
    }
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|answers| {
            let host = host.clone();
            tokio::spawn(async move {
                for answer in answers {
                    host.release_with_evidence(&caller(), KEY, None, answer).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn row(what: &str, time: f64, ratio: f64, of: &str) {
    println!("{what:<32} {time:8.1} µs   {ratio:.2} × {of}");
}

fn timed(work: impl FnOnce() -> bool) -> f64 {
    let before = time(ClockId::ThreadCPUTime);
    assert!(work(), "it must succeed to be measured");
    time(ClockId::ThreadCPUTime) - before
}

fn process_time() -> f64 {
    time(ClockId::ProcessCPUTime)
}

/// In microseconds.
fn time(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
