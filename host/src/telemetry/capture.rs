//! What this thread logs, for a test to read.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::Notify;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;

/// Lines of text, gathered until it is dropped.
pub(crate) struct Captured {
    log: Log,
    _guard: DefaultGuard,
}

/// Subscribers that want nothing. As long as there is no more than one, tracing takes it for
/// everybody's: a line that another thread reaches first would be off for good.
static OTHERS: LazyLock<[Dispatch; 2]> =
    LazyLock::new(|| [(); 2].map(|()| Dispatch::new(NoSubscriber::default())));

/// Gathers what this thread logs at `level` and above, as it would be written.
pub(crate) fn capture(level: Level) -> Captured {
    LazyLock::force(&OTHERS);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    Captured { log, _guard: tracing::subscriber::set_default(subscriber) }
}

impl Captured {
    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        self.log.text()
    }

    /// Waits until what was logged so far has `what` in it, and gives that.
    pub(crate) async fn wait_for<T>(&self, what: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let written = self.log.0.written.notified();
            if let Some(found) = what(&self.text()) {
                return found;
            }
            written.await;
        }
    }

    /// Waits for a line with `what` in it.
    pub(crate) async fn wait_for_line(&self, what: &str) -> String {
        let find = |text: &str| text.lines().find(|line| line.contains(what)).map(str::to_owned);
        self.wait_for(find).await
    }
}

/// Where the lines go.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Shared>);

#[derive(Default)]
struct Shared {
    bytes: Mutex<Vec<u8>>,
    written: Notify,
}

impl Log {
    pub(super) fn text(&self) -> String {
        let bytes = self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        self.0.written.notify_waiters();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
