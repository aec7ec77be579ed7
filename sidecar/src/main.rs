//! `claviger-sidecar`: fetches released keys for the workloads beside it. It gathers the platform's
//! evidence, verifies the host before it believes it, opens what is released, renews it, forgets it when
//! the host says so, and speaks the SKR sidecar's HTTP and gRPC interfaces to neighbours.

#![deny(unsafe_code)]

mod config;
mod context;
mod failure;
mod metadata;
mod platform;
mod run;
mod serve;
mod skr;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use claviger_client::{Client, Platform};
use http::HeaderValue;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use config::{Config, Recipient};
use context::SecurityContext;
use failure::Exit;
use metadata::Metadata;
use platform::Ground;
use serve::{Address, Desk, Listener};
use skr::{Identity, Provider, Skr};

/// What the original calls itself towards attestation services.
const USER_AGENT: &str = "ConfidentialSkrContainer";

/// Fetches released keys for the workloads beside it.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration file (TOML)
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// A program that makes evidence on simulated hardware, with its arguments, separated by blanks;
    /// the report data are appended. For development only: what is released then protects nothing.
    #[arg(long, global = true, value_name = "COMMAND")]
    development_platform: Option<String>,
    /// The kind of key that is wrapped to, instead of `host.recipient`
    #[arg(long, global = true, value_enum)]
    recipient: Option<Recipient>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Attest, check the host's result, and print its token
    Attest,
    /// Fetch a key once and print it
    Fetch {
        /// The key's name; of a secret that has a release policy `secrets/` and its name
        key: String,
        /// How it is written
        #[arg(long, value_enum, default_value = "hex")]
        encoding: run::Encoding,
    },
    /// Run a command with a key, renew the key, take it away
    Run(run::Arguments),
    /// Serve the SKR sidecar's interfaces to this machine
    Serve,
}

fn main() -> ExitCode {
    // Not in a core dump, and not for other processes of the same user to read. A command that is
    // started has its own setting again.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(perform(&arguments));
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Exit::failed(error)),
    };
    outcome.unwrap_or_else(|exit| {
        eprintln!("claviger-sidecar: {exit}");
        ExitCode::from(exit.code)
    })
}

async fn perform(arguments: &Arguments) -> Result<ExitCode, Exit> {
    let config = Config::read(arguments.config.as_deref()).map_err(Exit::usage)?;
    let development: Option<Vec<String>> = arguments
        .development_platform
        .as_ref()
        .map(|command| command.split_ascii_whitespace().map(str::to_owned).collect());
    if development.is_some() {
        eprintln!("claviger-sidecar: DEVELOPMENT: the evidence is of simulated hardware");
    }
    let settings = config.platform.clone();
    let simulated = development.is_some();
    let found =
        tokio::task::spawn_blocking(move || platform::find(&settings, development.as_deref()));
    let ground = found.await.map_err(Exit::failed)?.map_err(Exit::failed)?;
    let context = SecurityContext::new(config.azure.security_context.as_deref());
    let init_data = config.platform.init_data(&context).map_err(Exit::failed)?;
    let ground = ground.with_init_data(init_data);
    match &arguments.verb {
        Verb::Attest => {
            let (client, _) = client(&config, ground, arguments)?;
            let attested = client.attest().await.map_err(|error| Exit::from(&error))?;
            writeln!(std::io::stdout(), "{}", attested.token).map_err(Exit::failed)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Fetch { key, encoding } => {
            let (client, _) = client(&config, ground, arguments)?;
            let released = client.fetch(key, None).await.map_err(|error| Exit::from(&error))?;
            let mut content = encoding.apply(&released.secret);
            if *encoding != run::Encoding::Raw {
                content.push(b'\n');
            }
            std::io::stdout().write_all(&content).map_err(Exit::failed)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Run(command) => {
            let (client, renewal) = client(&config, ground, arguments)?;
            run::run(command, client, renewal).await
        }
        Verb::Serve => serve_until_stopped(&config, ground, simulated).await,
    }
}

fn client(
    config: &Config,
    ground: Ground,
    arguments: &Arguments,
) -> Result<(Arc<Client>, claviger_client::Renewal), Exit> {
    let host = config.host.as_ref();
    let host = host.ok_or_else(|| Exit::usage("the configuration has no section `host`"))?;
    let simulated = arguments.development_platform.is_some();
    let settings = host.settings(simulated, arguments.recipient).map_err(Exit::usage)?;
    let client = Client::new(settings, Arc::new(ground)).map_err(|error| Exit::from(&error))?;
    Ok((Arc::new(client), host.renewal()))
}

async fn serve_until_stopped(
    config: &Config,
    ground: Ground,
    simulated: bool,
) -> Result<ExitCode, Exit> {
    let azure = &config.azure;
    let trust = azure.trust().map_err(Exit::usage)?;
    let tls = trust.tls().map_err(|error| Exit::from(&error))?;
    let url = azure.metadata.as_deref().unwrap_or(metadata::URL);
    let metadata = Metadata::new(url).map_err(Exit::usage)?;
    let user_agent = azure.user_agent.as_deref().unwrap_or(USER_AGENT);
    let status = json!({
        "message": "Status OK",
        "platform": ground.name(),
        "development": simulated,
    });
    let skr = Skr {
        ground,
        provider: Provider::new(
            SecurityContext::new(azure.security_context.as_deref()),
            Some(metadata.clone()),
        ),
        identity: Identity {
            metadata: Some(metadata),
            client_id: azure.client_id.clone(),
            tls: Arc::clone(&tls),
        },
        tls,
        roots: trust.anchors().map_err(|error| Exit::from(&error))?,
        user_agent: HeaderValue::from_str(user_agent).map_err(Exit::usage)?,
    };
    let wrap_keys = config.listen.wrap_keys.clone();
    let desk = Arc::new(Desk { skr: Arc::new(skr), status, wrap_keys });
    let address = Address::parse(&config.listen.address).map_err(Exit::usage)?;
    let listener = Listener::bind(&address).await.map_err(Exit::failed)?;
    eprintln!("claviger-sidecar: listening on {}", listener.name());
    let mut terminated = signal(SignalKind::terminate()).map_err(Exit::failed)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Exit::failed)?;
    tokio::select! {
        () = serve::serve(listener, desk) => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    if let Address::Unix(path) = address {
        let _ = std::fs::remove_file(path);
    }
    Ok(ExitCode::SUCCESS)
}
