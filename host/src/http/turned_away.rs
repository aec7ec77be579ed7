//! What was turned away, counted: a flood writes one line a second, not one for each request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::error::Code;

/// How long is counted before it is told.
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts what one listener turns away.
#[derive(Clone, Default)]
pub(super) struct TurnedAway(Arc<Counts>);

#[derive(Default)]
struct Counts {
    overloaded: AtomicU64,
    rate_limited: AtomicU64,
    /// Whether somebody will tell.
    counting: AtomicBool,
}

impl TurnedAway {
    /// Counts a refusal with this code; `false` where it is of another kind. Needs a Tokio runtime.
    pub(super) fn count(&self, code: Code) -> bool {
        let counter = match code {
            Code::Overloaded => &self.0.overloaded,
            Code::RateLimited => &self.0.rate_limited,
            _ => return false,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !self.0.counting.swap(true, Ordering::AcqRel) {
            let counts = Arc::clone(&self.0);
            tokio::spawn(async move {
                tokio::time::sleep(INTERVAL).await;
                counts.tell();
            });
        }
        true
    }
}

impl Counts {
    fn tell(&self) {
        self.counting.store(false, Ordering::Release);
        let [overloaded, rate_limited] =
            [&self.overloaded, &self.rate_limited].map(|count| count.swap(0, Ordering::Relaxed));
        if overloaded + rate_limited > 0 {
            tracing::warn!(overloaded, rate_limited, "requests were turned away in one second");
        }
    }
}
