//! `serve`: configuration read, host built, doors opened, signal awaited, requests drained.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::development::{self, Development};
use crate::assemble::{self, Plan};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Planned};
use crate::flow::Host;
use crate::http::{Administrator, Credential, HttpSettings, Listeners, ServerHandle, serve};
use crate::plugin::ProgressEvent;
use crate::random::{Random, SystemRandomness};
use crate::store::{Embedded, private_file};
use crate::telemetry::{self, LogFormat};

/// The file in a development host's state folder that says where it listens.
const ADDRESSES: &str = "addresses.json";

/// The shortest administrator's token that is taken from the command line, in bytes: whoever holds
/// a valid one is never made to wait, so it must not be one that is guessed.
const SHORTEST_TOKEN: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, required_unless_present = "dev", conflicts_with = "dev")]
    config: Option<PathBuf>,
    /// A laptop's host: simulated hardware is accepted, NOT FOR PRODUCTION
    #[arg(long)]
    dev: bool,
    /// With --dev: keep state in this folder; in memory where absent
    #[arg(long, requires = "dev", conflicts_with = "config")]
    state: Option<PathBuf>,
    /// With --dev: the administrator's token, instead of a generated one
    #[arg(
        long,
        requires = "dev",
        conflicts_with = "config",
        env = "CLAVIGER_DEV_TOKEN",
        hide_env_values = true
    )]
    dev_token: Option<String>,
    /// With --dev: where workloads are served
    #[arg(long, requires = "dev", conflicts_with = "config", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// With --dev: where administration is served
    #[arg(long, requires = "dev", conflicts_with = "config", default_value = "127.0.0.1:8444")]
    listen_admin: SocketAddr,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
    /// Threads that serve requests; as many as processors where absent
    #[arg(long)]
    threads: Option<usize>,
}

/// A host's addresses, as a development host writes them down for its neighbours.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Addresses {
    pub(super) api: SocketAddr,
    /// None: there is no administration.
    pub(super) admin: Option<SocketAddr>,
    pub(super) process: u32,
}

impl Addresses {
    pub(super) fn read(state: &Path) -> anyhow::Result<Self> {
        let path = state.join(ADDRESSES);
        let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn write(&self, state: &Path) -> anyhow::Result<()> {
        // Whoever waits for the file must not read half of it.
        let (path, new) = (state.join(ADDRESSES), state.join("addresses.json.new"));
        std::fs::write(&new, serde_json::to_vec(self)?)?;
        Ok(std::fs::rename(&new, &path)?)
    }

    pub(super) fn api_url(&self) -> String {
        format!("https://{}", self.api)
    }

    pub(super) fn admin_url(&self) -> Option<String> {
        self.admin.map(|address| format!("https://{address}"))
    }
}

/// What is served, and where.
pub(super) struct Service {
    pub(super) plan: Plan,
    pub(super) settings: HttpSettings,
    pub(super) listeners: Listeners,
    /// The folder for [`Addresses`].
    pub(super) announce: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::start(arguments.log, arguments.dev);
    keep_out_of_core_dumps();
    if let Some(threads) = arguments.threads {
        ensure!((1..=1024).contains(&threads), "--threads: from 1 to 1024");
    }
    let mut threads = arguments.threads;
    let service = match &arguments.config {
        Some(path) => {
            let config = Config::read(path)?;
            threads = threads.or(config.host.threads);
            configured(config)?
        }
        None => {
            let development = development(arguments)?;
            development::service(&development, &SystemClock, &SystemRandomness::default())?
        }
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(until_told_to_stop(service))
}

/// A laptop's host. What is wrong with a token is said without the token, which clap would repeat.
fn development(arguments: Arguments) -> anyhow::Result<Development> {
    let token = arguments.dev_token;
    let long_enough = token.as_ref().is_none_or(|token| token.len() >= SHORTEST_TOKEN);
    ensure!(long_enough, "--dev-token: at least {SHORTEST_TOKEN} bytes, and not to be guessed");
    Ok(Development {
        state: arguments.state,
        token,
        api: arguments.listen,
        admin: arguments.listen_admin,
    })
}

/// A production host.
fn configured(config: Config) -> anyhow::Result<Service> {
    private_file::create_directory(&config.host.state)?;
    let store = Embedded::open(&config.store())?;
    let Planned { mut plan, settings, listeners } = config::plan(config, Arc::new(store))?;
    plan.on_progress = Some(Arc::new(|plugin, event| match event {
        ProgressEvent::Compiling { bytes } => tracing::info!(plugin, bytes, "compiling"),
        ProgressEvent::Compiled { took } => tracing::info!(plugin, ?took, "compiled"),
        ProgressEvent::Cached { .. } => {}
    }));
    Ok(Service { plan, settings, listeners, announce: None })
}

async fn until_told_to_stop(service: Service) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (host, handle) = open(service).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                if let Err(error) = handle.reload_certificates() {
                    tracing::warn!(%error, "the certificate was not reloaded");
                }
            }
        }
    }
    tracing::info!("draining");
    let clean = handle.shutdown().await;
    host.close().await?;
    tracing::info!(clean, "stopped");
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the host and opens its doors.
pub(super) async fn open(service: Service) -> anyhow::Result<(Arc<Host>, ServerHandle)> {
    let Service { plan, settings, listeners, announce } = service;
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let development = plan.development;
    let built = {
        let random = Arc::clone(&random);
        tokio::task::spawn_blocking(move || assemble::assemble(plan, clock, random)).await??
    };
    let host = Arc::new(built);
    host.record_start().await?;
    let handle = serve(host.clone(), random, settings, listeners).await?;
    let admin = handle.admin_address();
    let shown = admin.map(tracing::field::display);
    tracing::info!(api = %handle.api_address(), admin = shown, development, "serving");
    if let Some(state) = announce {
        let addresses = Addresses { api: handle.api_address(), admin, process: std::process::id() };
        addresses.write(&state)?;
    }
    Ok((host, handle))
}

/// A random bearer token: 256 bits, base64url.
pub(super) fn new_token(random: &dyn Random) -> anyhow::Result<String> {
    let mut token = zeroize::Zeroizing::new([0; 32]);
    random.fill(&mut *token)?;
    Ok(BASE64URL_NOPAD.encode(&*token))
}

/// One administrator with all permissions, by token.
pub(super) fn administrator(token: &str) -> Administrator {
    Administrator {
        name: "development".to_owned(),
        tenant: None,
        credential: Credential::of_token(token),
    }
}

/// Secrets stay out of core dumps and away from debuggers of the same user (invariant 9).
fn keep_out_of_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "debuggers could not be kept out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let line = ["serve"].iter().chain(arguments);
        Line::try_parse_from(line).map(|line| line.arguments)
    }

    #[tokio::test]
    async fn a_host_without_administration_serves() {
        let state = tempfile::tempdir().unwrap();
        let any = ([127, 0, 0, 1], 0).into();
        let development = Development {
            state: Some(state.path().join("state")),
            token: None,
            api: any,
            admin: any,
        };
        let random = SystemRandomness::default();
        let mut service = development::service(&development, &SystemClock, &random).unwrap();
        service.listeners.admin = None;
        let (host, handle) = open(service).await.unwrap();
        let addresses = Addresses::read(&state.path().join("state")).unwrap();
        assert_eq!(addresses.api, handle.api_address());
        assert_eq!(addresses.admin_url(), None);
        assert!(handle.shutdown().await);
        host.close().await.unwrap();
    }

    // attacks 55 and 62
    #[test]
    fn a_token_that_can_be_guessed_is_refused_and_not_repeated() {
        let with = |token: &str| development(parse(&["--dev", "--dev-token", token]).unwrap());
        let refused = with("hunter2-hunter2").err().unwrap().to_string();
        assert!(refused.contains("16 bytes") && !refused.contains("hunter2"), "{refused}");
        assert!(with("hunter2-hunter2-").is_ok());
    }
}
