//! `bench`: whole flows against a host over TLS keep-alive, bounded in time and number, beside the
//! floor: what one P-384 verification, one token signature and one key agreement with its wrap cost
//! on this machine, in this run, amid the same load. What they cost on the idle machine stands beside
//! it.

mod host;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;

use super::files::read_bounded;
use super::floor::Floor;
use super::guest::{Guest, hardware};
use super::out::out;
use super::stopping::block_on;
use crate::client::{Client, ClientSettings};
use crate::http::{ChallengeRequest, NewKeyRequest};
use host::RunningHost;

/// What is released; see `--state`.
const KEY: &str = "bench-key";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How long, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Clients at the same time, each on a connection of its own
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: u32,
    /// Threads of the host that is started; as many as processors where absent
    #[arg(long)]
    threads: Option<usize>,
    /// The state folder of a development host that runs already; one is started where absent. The
    /// key `bench-key` is made there, and stays
    #[arg(long, requires = "token_file")]
    state: Option<PathBuf>,
    /// With --state: a file with the administrator's token
    #[arg(long, requires = "state")]
    token_file: Option<PathBuf>,
    /// Only ask for challenges, this many in all, instead of whole flows
    #[arg(long)]
    challenges: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was measured. Times in microseconds, memory in MiB.
#[derive(Debug, Serialize)]
struct Figures {
    /// Amid the load.
    floor_us: f64,
    floor: Floor,
    /// Before the load or after it, whichever was less.
    idle_floor_us: f64,
    flow_cpu_us: f64,
    ratio: f64,
    idle_ratio: f64,
    flows_per_second: f64,
    flows: u64,
    failed: u64,
    seconds: f64,
    clients: u32,
    latency_us_median: u64,
    latency_us_p99: u64,
    resident_mib_before: f64,
    resident_mib_after: f64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (load, idle) = block_on(async {
        let host = RunningHost::find(arguments).await?;
        let before = Floor::measure()?;
        let load = load(arguments, &host).await?;
        Ok((load, before.lower(Floor::measure()?)))
    })?;
    let (floor_us, idle_floor_us) = (load.floor.total(), idle.total());
    let flow_cpu_us = load.host_cpu.as_secs_f64() * 1e6 / load.flows.max(1) as f64;
    let at = |quantile: f64| {
        let index = (load.latencies.len().saturating_sub(1)) as f64 * quantile;
        load.latencies.get(index as usize).copied().unwrap_or_default()
    };
    let figures = Figures {
        floor_us,
        idle_floor_us,
        flow_cpu_us,
        ratio: flow_cpu_us / floor_us,
        idle_ratio: flow_cpu_us / idle_floor_us,
        flows_per_second: load.flows as f64 / load.took.as_secs_f64(),
        flows: load.flows,
        failed: load.failed,
        seconds: load.took.as_secs_f64(),
        clients: arguments.clients,
        latency_us_median: at(0.5),
        latency_us_p99: at(0.99),
        resident_mib_before: load.resident_before,
        resident_mib_after: load.resident_after,
        floor: load.floor,
    };
    if arguments.json {
        out!("{}", serde_json::to_string_pretty(&figures)?)?;
    } else {
        print(&figures, arguments.challenges.is_some())?;
    }
    Ok(if figures.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(figures: &Figures, challenges: bool) -> anyhow::Result<()> {
    let what = if challenges { "challenges" } else { "flows" };
    out!(
        "{what:<18} {} in {:.1} s by {} clients, {} failed",
        figures.flows,
        figures.seconds,
        figures.clients,
        figures.failed
    )?;
    out!("per second         {:.0}", figures.flows_per_second)?;
    out!(
        "latency            {} µs median, {} µs p99",
        figures.latency_us_median,
        figures.latency_us_p99
    )?;
    out!("host CPU each      {:.1} µs", figures.flow_cpu_us)?;
    out!(
        "floor              {:.1} µs (P-384 verification {:.1}, ES256 signature {:.1}, X25519 agreement and wrap {:.1})",
        figures.floor_us,
        figures.floor.p384_verify_us,
        figures.floor.es256_sign_us,
        figures.floor.agree_and_wrap_us
    )?;
    out!("floor, idle        {:.1} µs", figures.idle_floor_us)?;
    if !challenges {
        out!("ratio              {:.2} × the floor", figures.ratio)?;
        out!("ratio, idle floor  {:.2} ×", figures.idle_ratio)?;
    }
    out!(
        "resident memory    {:.1} MiB before, {:.1} MiB after",
        figures.resident_mib_before,
        figures.resident_mib_after
    )
}

struct Load {
    flows: u64,
    failed: u64,
    took: Duration,
    host_cpu: Duration,
    floor: Floor,
    /// In microseconds, sorted.
    latencies: Vec<u64>,
    resident_before: f64,
    resident_after: f64,
}

async fn load(arguments: &Arguments, host: &RunningHost) -> anyhow::Result<Load> {
    let authority = read_bounded(&host.state.join("ca.pem"), 1 << 20)?;
    let mut admin = ClientSettings::new(
        host.addresses.admin_url().context("no administration")?,
        authority.clone(),
    );
    admin.token = Some(host.token.clone());
    let admin = Client::new(admin)?;
    if admin.key(KEY).await.is_err() {
        let key = NewKeyRequest {
            name: KEY.to_owned(),
            kind: "oct-256".to_owned(),
            material: None,
            release_policy: "affirming".into(),
        };
        admin.create_key(&key).await?;
    }
    let family = hardware(&host.state)?;
    let first = Guest::new(&family)?;
    let connect = || Client::new(ClientSettings::new(host.addresses.api_url(), authority.clone()));
    // One flow to warm up, and to fail early.
    first.fetch(&connect()?, KEY).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let left = Arc::new(AtomicU64::new(arguments.challenges.unwrap_or(u64::MAX)));
    let resident_before = host.resident()?;
    let (cpu, started) = (host.cpu()?, Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..arguments.clients {
        let guest = Guest::with(first.hardware.clone(), crate::keys::RecipientKind::X25519)?;
        let worker = Worker {
            client: connect()?,
            guest,
            stop: Arc::clone(&stop),
            left: Arc::clone(&left),
            challenges_only: arguments.challenges.is_some(),
        };
        tasks.spawn(worker.run());
    }
    let floor = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || Floor::measure_amid(&stop))
    };
    let deadline = Duration::from_secs(arguments.seconds);
    let mut finished = Vec::new();
    let timer = tokio::time::sleep(deadline);
    tokio::pin!(timer);
    loop {
        tokio::select! {
            () = &mut timer, if !stop.load(Ordering::Relaxed) => stop.store(true, Ordering::Relaxed),
            done = tasks.join_next() => match done {
                None => break,
                Some(done) => finished.push(done?),
            },
        }
    }
    let took = started.elapsed();
    let host_cpu = host.cpu()?.saturating_sub(cpu);
    stop.store(true, Ordering::Relaxed);
    let floor = floor.join().map_err(|_| anyhow!("the floor could not be measured"))??;
    let mut latencies: Vec<_> = finished.iter().flat_map(|done| done.0.iter().copied()).collect();
    latencies.sort_unstable();
    Ok(Load {
        flows: latencies.len() as u64,
        failed: finished.iter().map(|done| done.1).sum(),
        took,
        host_cpu,
        floor,
        latencies,
        resident_before,
        resident_after: host.resident()?,
    })
}

struct Worker {
    client: Client,
    guest: Guest,
    stop: Arc<AtomicBool>,
    left: Arc<AtomicU64>,
    challenges_only: bool,
}

impl Worker {
    /// The latencies of what succeeded, and the number of what failed.
    async fn run(self) -> (Vec<u64>, u64) {
        let (mut latencies, mut failed) = (Vec::new(), 0);
        let take = |left: u64| left.checked_sub(1);
        while !self.stop.load(Ordering::Relaxed)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
        {
            let started = Instant::now();
            let done = if self.challenges_only {
                self.client
                    .challenge(&ChallengeRequest::Release { key: KEY.to_owned() })
                    .await
                    .is_ok()
            } else {
                self.guest.fetch(&self.client, KEY).await.is_ok()
            };
            if done {
                latencies.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
            } else {
                failed += 1;
            }
        }
        (latencies, failed)
    }
}
