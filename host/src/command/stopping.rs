//! Being told to stop, so that what was begun is ended and what was made for it is removed.

use std::io::Write;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The command was told to stop before it was done.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
pub(super) struct Stopped;

/// Ctrl-C, or SIGTERM. From its making on, neither ends the process by itself.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Needs a Tokio runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Returns the next time that this process is told to stop.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Does the work, or drops it where the process is told to stop: what was made for the work goes
/// with it.
pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let mut stop = Stop::new()?;
        tokio::select! {
            done = work => done,
            () = stop.told() => Err(Stopped.into()),
        }
    });
    // What computes on a thread of its own cannot be dropped; it ends as the process is left.
    runtime.shutdown_background();
    done
}

/// Ends the process at once, while threads may still compute: without what C libraries do at an orderly
/// exit, which takes from under those threads what they compute with. AWS-LC wipes its random state then,
/// and aborts the process where a thread asks for more.
pub(super) fn leave(status: u8) -> ! {
    // Where nobody reads, nobody is told.
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(i32::from(status))
}
