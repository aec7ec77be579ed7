//! `serve`: configuration read, host built, doors opened, signal awaited, requests drained.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use tokio::signal::unix::{SignalKind, signal};

use super::addresses::{Addresses, Announced};
use super::config::tried;
use super::development::Development;
use super::folder::Folder;
use super::reserved::Reserved;
use super::stopping::{Stop, leave};
use crate::assemble::{self, Plan};
use crate::audit::AuditError;
use crate::clock::SystemClock;
use crate::config::{self, Config, ConfigError, Planned};
use crate::files;
use crate::flow::Host;
use crate::foreign::IssuerPlan;
use crate::http::{Administrator, Credential, HttpSettings, Listeners, ServerHandle, serve};
use crate::permission::Permissions;
use crate::plugin::verification::Verification;
use crate::plugin::{LifePlan, ProgressEvent};
use crate::random::{Random, SystemRandomness};
use crate::store::{Embedded, OpenError, private_file};
use crate::telemetry::{self, LogFormat};

/// The largest file of certificate authorities, in bytes.
const LARGEST_AUTHORITY: u64 = 1 << 20;

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
    #[arg(long, requires = "dev", conflicts_with = "config", default_value = "127.0.0.1:8443", value_parser = loopback)]
    listen: SocketAddr,
    /// With --dev: where administration is served
    #[arg(long, requires = "dev", conflicts_with = "config", default_value = "127.0.0.1:8444", value_parser = loopback)]
    listen_admin: SocketAddr,
    /// With --dev: who may sign plugins; where absent, any is let in
    #[arg(long, requires = "dev", conflicts_with = "config", value_name = "FILE")]
    plugin_verification: Option<PathBuf>,
    /// With --dev: load the plugins in this folder, and what is dropped into it
    #[arg(long, requires = "dev", conflicts_with = "config", value_name = "FOLDER")]
    plugin_directory: Option<PathBuf>,
    /// With --dev: believe tokens of this attestation service, whose server this CA (PEM) certifies
    #[arg(long, requires = "dev", conflicts_with = "config", num_args = 2, value_names = ["URL", "CA"])]
    authority: Vec<String>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log: LogFormat,
    /// Threads that serve requests; as many as processors where absent
    #[arg(long)]
    threads: Option<usize>,
}

/// A host that takes simulated hardware for genuine is for this machine alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "wanted is ADDRESS:PORT")?;
    let own = address.ip().to_canonical().is_loopback();
    own.then_some(address).ok_or_else(|| "a development host listens on loopback only".to_owned())
}

/// What is served, and where.
pub(super) struct Service {
    pub(super) plan: Plan,
    pub(super) settings: HttpSettings,
    pub(super) listeners: Listeners,
    /// The folder for [`Addresses`].
    pub(super) announce: Option<PathBuf>,
    /// Keeps the port of the workloads' listener free until it is listened on.
    pub(super) reserved: Option<Reserved>,
    /// The file that asked for it all.
    pub(super) configuration: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    telemetry::start(arguments.log, arguments.dev);
    if let Some(threads) = arguments.threads {
        ensure!((1..=1024).contains(&threads), "--threads: from 1 to 1024");
    }
    let read = |path: PathBuf| Config::read(&path).map(|config| (config, path));
    let config = arguments.config.clone().map(read).transpose()?;
    let configured_threads = config.as_ref().and_then(|(config, _)| config.host.threads);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = arguments.threads.or(configured_threads) {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build()?;
    let ended = runtime.block_on(async {
        let stop = Stop::new()?;
        match config {
            Some((config, path)) => {
                until_told_to_stop(stop, move || configured(config, path)).await
            }
            None => {
                // Removed in the end, however that comes about.
                let (development, _folder) = development(arguments)?;
                until_told_to_stop(stop, move || development.service()).await
            }
        }
    });
    // What computes on a thread of its own cannot be dropped; it ends as the process is left.
    runtime.shutdown_background();
    leave(ended?)
}

/// A laptop's host, and its folder where it is to have one for this run only. What is wrong with a
/// token is said without the token, which clap would repeat.
fn development(arguments: Arguments) -> anyhow::Result<(Development, Option<Folder>)> {
    let token = arguments.dev_token;
    let long_enough = token.as_ref().is_none_or(|token| token.len() >= SHORTEST_TOKEN);
    ensure!(long_enough, "--dev-token: at least {SHORTEST_TOKEN} bytes, and not to be guessed");
    let (api, admin) = (arguments.listen, arguments.listen_admin);
    let authorities = authorities(&arguments.authority)?;
    if let Some(directory) = arguments.plugin_directory.as_ref().filter(|path| !path.is_dir()) {
        bail!("--plugin-directory: {} is no folder", directory.display());
    }
    let verification = arguments.plugin_verification.as_deref().map(Verification::read);
    let life = LifePlan {
        verification: verification.transpose()?.map(Arc::new),
        directory: arguments.plugin_directory,
        installed: None,
    };
    match arguments.state {
        Some(folder) => {
            private_file::create_directory(&folder)?;
            let kept = true;
            Ok((Development { folder, kept, token, api, admin, life, authorities }, None))
        }
        None => {
            let fresh = Folder::new(&SystemRandomness::default())?;
            let folder = fresh.path().to_owned();
            let kept = false;
            Ok((Development { folder, kept, token, api, admin, life, authorities }, Some(fresh)))
        }
    }
}

/// Attestation services by pairs of URL and file.
fn authorities(pairs: &[String]) -> anyhow::Result<Vec<IssuerPlan>> {
    let plan = |(issuer, ca): (&String, &String)| {
        let ca = files::read_bounded(Path::new(ca), LARGEST_AUTHORITY)
            .with_context(|| format!("--authority: {ca}"))?;
        Ok(IssuerPlan {
            issuer: issuer.clone(),
            audience: None,
            ca: Some(ca),
            jwks: None,
            jwks_host: None,
            max_token_age: 3600,
        })
    };
    let (urls, files) = (pairs.iter().step_by(2), pairs.iter().skip(1).step_by(2));
    urls.zip(files).map(plan).collect()
}

/// A production host.
fn configured(config: Config, path: PathBuf) -> anyhow::Result<Service> {
    let (state, store) = (config.host.state.clone(), config.store());
    // What is wrong with the configuration is found before anything is written.
    let planned = config::plan(config, Arc::new(Embedded::in_memory()?))?;
    let Planned { mut plan, settings, listeners } = planned;
    private_file::create_directory(&state)?;
    plan.store = Arc::new(Embedded::open(&store)?);
    plan.on_progress = Some(Arc::new(|plugin, event| match event {
        ProgressEvent::Compiling { bytes } => tracing::info!(plugin, bytes, "compiling"),
        ProgressEvent::Compiled { took } => tracing::info!(plugin, ?took, "compiled"),
        ProgressEvent::Cached { .. } => {}
    }));
    let (announce, reserved) = (None, None);
    Ok(Service { plan, settings, listeners, announce, reserved, configuration: Some(path) })
}

/// Why a host cannot be put together. Where that is the fault of its configuration, `config check` finds
/// it as well, over nothing that is kept: then it is said, and ends, as there.
fn blamed(error: anyhow::Error, configuration: Option<&Path>) -> anyhow::Error {
    // Trying plugins takes seconds, and what is kept has nothing to do with them.
    if error.is::<OpenError>() || error.is::<AuditError>() {
        return error;
    }
    match configuration.map(tried) {
        Some(Err(wrong)) if wrong.is::<ConfigError>() => wrong,
        _ => error,
    }
}

/// Serves until it is told to stop, and then finishes what it has begun. It ends at once where it is
/// told before it serves, or once more while it finishes. Answers the status to leave with.
async fn until_told_to_stop(
    mut stop: Stop,
    service: impl FnOnce() -> anyhow::Result<Service> + Send + 'static,
) -> anyhow::Result<u8> {
    let mut hangup = signal(SignalKind::hangup())?;
    let serving = tokio::select! {
        serving = open(service) => serving?,
        () = stop.told() => {
            tracing::info!("stopped before it served");
            return Ok(0);
        }
    };
    loop {
        tokio::select! {
            () = stop.told() => break,
            _ = hangup.recv() => {
                if let Err(error) = serving.handle.reload_certificates() {
                    tracing::warn!(%error, "the certificate was not reloaded");
                }
            }
        }
    }
    tracing::info!("draining");
    let clean = tokio::select! {
        clean = serving.stop() => clean?,
        () = stop.told() => false,
    };
    tracing::info!(clean, "stopped");
    Ok(u8::from(!clean))
}

/// A host with its doors open.
pub(super) struct Serving {
    host: Arc<Host>,
    rotating: tokio::task::JoinHandle<()>,
    watching: tokio::task::JoinHandle<()>,
    pub(super) handle: ServerHandle,
    _announced: Option<Announced>,
}

/// Builds what is to be served, off the threads that serve, and opens the doors.
pub(super) async fn open(
    service: impl FnOnce() -> anyhow::Result<Service> + Send + 'static,
) -> anyhow::Result<Serving> {
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let built = {
        let random = Arc::clone(&random);
        tokio::task::spawn_blocking(move || {
            let Service { plan, settings, listeners, announce, reserved, configuration } =
                service()?;
            announce.iter().for_each(|state| Addresses::forget(state));
            let development = plan.development;
            let host = assemble::assemble(plan, Arc::new(SystemClock), random)
                .map_err(|error| blamed(error, configuration.as_deref()))?;
            anyhow::Ok((Arc::new(host), development, settings, listeners, announce, reserved))
        })
    };
    let (host, development, settings, listeners, announce, reserved) = built.await??;
    host.record_start().await?;
    let handle = serve(host.clone(), random, settings, listeners).await?;
    drop(reserved);
    let (api, admin) = (handle.api_address(), handle.admin_address());
    let addresses = Addresses { api, admin, process: std::process::id() };
    let announced = announce.map(|state| addresses.announce(&state)).transpose()?;
    tracing::info!(%api, admin = admin.map(tracing::field::display), development, "serving");
    let rotating = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.keep_rotating().await }
    });
    let watching = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.keep_plugins().await }
    });
    Ok(Serving { host, rotating, watching, handle, _announced: announced })
}

impl Serving {
    /// Finishes what is in flight, and closes the audit log. Whether all was finished in time.
    pub(super) async fn stop(self) -> anyhow::Result<bool> {
        let clean = self.handle.shutdown().await;
        self.rotating.abort();
        self.watching.abort();
        self.host.close().await?;
        Ok(clean)
    }
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
        permissions: Permissions::all(),
        credential: Credential::of_token(token),
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
    async fn a_host_without_administration_serves_and_is_announced_as_long_as_it_does() {
        let (development, folder) = development(parse(&["--dev"]).unwrap()).unwrap();
        let any = ([127, 0, 0, 1], 0).into();
        let development = Development { api: any, admin: any, ..development };
        let serving = open(move || {
            let mut service = development.service()?;
            service.listeners.admin = None;
            Ok(service)
        });
        let serving = serving.await.unwrap();
        let addresses = Addresses::read(folder.as_ref().unwrap().path()).unwrap();
        assert_eq!(addresses.api, serving.handle.api_address());
        // The system chose the port, and what the host calls itself has it.
        let issuer = format!("https://localhost:{}", addresses.api.port());
        assert_eq!(serving.host.discovery()["issuer"], issuer);
        assert_eq!(addresses.admin_url(), None);
        assert!(serving.stop().await.unwrap());
        assert!(Addresses::read(folder.as_ref().unwrap().path()).is_err());
    }

    // attack 61
    #[test]
    fn a_development_host_listens_on_loopback_only() {
        for option in ["--listen", "--listen-admin"] {
            for own in ["127.0.0.1:0", "127.9.9.9:8443", "[::1]:8443", "[::ffff:127.0.0.1]:1"] {
                assert!(parse(&["--dev", option, own]).is_ok(), "{own}");
            }
            for open in ["0.0.0.0:8443", "[::]:8443", "192.0.2.1:8443", "[fe80::1]:1", "8443"] {
                let error = parse(&["--dev", option, open]).unwrap_err();
                assert_eq!(error.exit_code(), 2, "{open}");
            }
        }
    }

    #[test]
    fn a_folder_of_plugins_that_is_not_there_is_refused() {
        let arguments = parse(&["--dev", "--plugin-directory", "/no/such/folder"]).unwrap();
        let refused = development(arguments).err().unwrap().to_string();
        assert_eq!(refused, "--plugin-directory: /no/such/folder is no folder");
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
