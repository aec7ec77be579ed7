//! The thread that advances the engine's epoch every few milliseconds while a plugin runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// How long a plugin computes before its worker thread looks at other work.
pub(super) const TICK: Duration = Duration::from_millis(4);

/// After so many ticks without a call the thread rests, so that an idle host does not wake up.
const IDLE_TICKS: u32 = 25;

/// Ticks until it is dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    resting: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    /// Starts a thread that calls `tick`.
    pub(super) fn start(tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let seen = Arc::clone(&shared);
        let join =
            thread::Builder::new().name("plugin-ticker".into()).spawn(move || run(&seen, tick))?;
        Ok(Self { shared, thread: join.thread().clone(), join: Some(join) })
    }

    /// Keeps the thread ticking while the guard lives.
    pub(super) fn watch(&self) -> Watch {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.resting.swap(false, SeqCst) {
            self.thread.unpark();
        }
        Watch(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // The thread cannot panic; if it did, there is nothing left to stop.
            let _ = join.join();
        }
    }
}

/// A call that runs.
#[derive(Debug)]
pub(super) struct Watch(Arc<Shared>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

fn run(shared: &Shared, tick: impl Fn()) {
    let mut idle = 0;
    while !shared.stopped.load(SeqCst) {
        if shared.running.load(SeqCst) > 0 {
            idle = 0;
        } else {
            idle += 1;
        }
        if idle > IDLE_TICKS {
            rest(shared);
            idle = 0;
        }
        thread::sleep(TICK);
        tick();
    }
}

/// Parks until a call starts. The flag is raised before the count is read again, and a call raises
/// the count before it reads the flag, so one of the two sees the other.
fn rest(shared: &Shared) {
    shared.resting.store(true, SeqCst);
    while shared.resting.load(SeqCst)
        && shared.running.load(SeqCst) == 0
        && !shared.stopped.load(SeqCst)
    {
        thread::park();
    }
    shared.resting.store(false, SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_when_idle_and_ticks_when_a_call_runs() {
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        let ticker = Ticker::start(move || {
            seen.fetch_add(1, SeqCst);
        })
        .unwrap();
        while !ticker.shared.resting.load(SeqCst) {
            thread::sleep(TICK);
        }
        thread::sleep(20 * TICK);
        let rested = count.load(SeqCst);
        thread::sleep(20 * TICK);
        assert_eq!(count.load(SeqCst), rested);

        let watch = ticker.watch();
        while count.load(SeqCst) < rested + 5 {
            thread::sleep(TICK);
        }
        drop(watch);
        drop(ticker);
    }
}
