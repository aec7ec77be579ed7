//! `run`: a command with a key. The key is fetched before the command starts, renewed while it runs,
//! and taken away when the host refuses it or the command ends.

mod child;
mod deliver;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use claviger_client::{Client, KeptKey, KeyState, Renewal};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) use deliver::Encoding;

use crate::failure::Exit;
use child::Running;
use deliver::Delivery;

/// From being asked to stop to being killed.
const GRACE: Duration = Duration::from_secs(10);

/// Signals that are passed on to the command.
const PASSED_ON: [SignalKind; 6] = [
    SignalKind::hangup(),
    SignalKind::interrupt(),
    SignalKind::quit(),
    SignalKind::terminate(),
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The key's name
    #[arg(long)]
    key: String,
    /// How the command gets it
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// The file, for `--by file`; without it one in a file system that is in memory
    #[arg(long)]
    file: Option<PathBuf>,
    /// The environment variable that holds the key, or says where it is
    #[arg(long, default_value = "CLAVIGER_KEY")]
    variable: String,
    /// How the key is written; base64 where it stands in the environment
    #[arg(long, value_enum)]
    encoding: Option<Encoding>,
    /// What becomes of the command when the host refuses the key
    #[arg(long, value_enum, default_value_t)]
    on_end: OnEnd,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum By {
    /// In an inherited descriptor of memory (memfd); the variable holds its path
    Descriptor,
    /// In the variable itself; it cannot be renewed or taken back
    Environment,
    /// In a file that only the user may read; the variable holds its path
    #[default]
    File,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum OnEnd {
    /// It runs on, without the file
    Continue,
    /// It is asked to stop, and killed ten seconds later
    #[default]
    Terminate,
}

/// Runs the command and gives its exit code; 77 where the key's life ended first.
pub(crate) async fn run(
    arguments: &Arguments,
    client: Arc<Client>,
    renewal: Renewal,
) -> Result<ExitCode, Exit> {
    let mut signals = PASSED_ON
        .into_iter()
        .map(|kind| Ok((kind, signal(kind)?)))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Exit::failed)?;
    let fetched = tokio::select! {
        fetched = KeptKey::fetch(client, &arguments.key, renewal) => fetched,
        kind = next(&mut signals) => return Ok(child::code_of_signal(kind)),
    };
    let mut kept = fetched.map_err(|error| Exit::from(&error))?;
    let released = kept.current().map_err(Exit::ended)?;
    let encoding = arguments.encoding;
    let mut delivery = match arguments.by {
        By::Descriptor => Delivery::descriptor(encoding),
        By::Environment => Ok(Delivery::environment(encoding)),
        By::File => Delivery::file(arguments.file.as_deref(), encoding),
    }
    .map_err(Exit::failed)?;
    let value = delivery.deliver(&released.secret).map_err(Exit::failed)?;
    drop(released);
    let mut running =
        Running::start(&arguments.command, &arguments.variable, &value).map_err(Exit::failed)?;
    drop(value);
    let mut ended = None;
    let mut deadline = None;
    loop {
        tokio::select! {
            () = running.exited() => break,
            kind = next(&mut signals) => running.signal(kind),
            () = until(deadline) => {
                running.signal(SignalKind::from_raw(9));
                deadline = None;
            }
            state = kept.changed(), if ended.is_none() => match state {
                KeyState::Held(key) => {
                    if let Err(error) = delivery.deliver(&key.secret) {
                        eprintln!("claviger-sidecar: the key is not renewed: {error}");
                    }
                }
                KeyState::Ended(end) => {
                    eprintln!("claviger-sidecar: the key's life has ended: {end}");
                    delivery.forget();
                    if arguments.on_end == OnEnd::Terminate {
                        running.signal(SignalKind::terminate());
                        deadline = tokio::time::Instant::now().checked_add(GRACE);
                    }
                    ended = Some(end);
                }
            },
        }
    }
    delivery.forget();
    let code = running.code().map_err(Exit::failed)?;
    match ended {
        Some(end) if arguments.on_end == OnEnd::Terminate => Err(Exit::ended(end)),
        _ => Ok(code),
    }
}

/// The next signal of any kind.
async fn next(signals: &mut [(SignalKind, Signal)]) -> SignalKind {
    std::future::poll_fn(|context| {
        for (kind, signal) in signals.iter_mut() {
            if signal.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(*kind);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// A moment, or never.
async fn until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
