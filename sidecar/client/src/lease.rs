//! A key that is kept: renewed ahead of its time, and given up where the host refuses it or cannot be
//! asked for too long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::{Client, ReleasedKey};
use crate::error::ClientError;
use crate::retry::fraction;

/// The longest that a lifetime or an interval counts.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// How long a key may be used without asking the host again; no more than a year.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// From a release to the moment at which the key is given up unless it was released again. It is
    /// what a revocation takes at most, where the host is cut off.
    pub lifetime: Duration,
    /// From a release to the next; a tenth of it is left to chance, so that a fleet does not come all
    /// at once.
    pub interval: Duration,
}

impl Renewal {
    /// Asks at two thirds of the lifetime.
    #[must_use]
    pub fn of(lifetime: Duration) -> Self {
        let lifetime = lifetime.min(LONGEST);
        Self { lifetime, interval: lifetime.mul_f64(2.0 / 3.0) }
    }

    fn bounded(self) -> Self {
        Self { lifetime: self.lifetime.min(LONGEST), interval: self.interval.min(LONGEST) }
    }

    fn wait(&self) -> Duration {
        self.interval.mul_f64(0.9 + 0.1 * fraction())
    }
}

/// Why a key's life ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// The host refuses it now, with this code: `release-denied`, `key-disabled`, `not-affirming`.
    Refused(String),
    /// The host could not be asked within the key's lifetime.
    Unreachable(String),
    /// Evidence, answer or key do not hold: no longer the same platform, or not the same host.
    Failed(String),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "refused: {code}"),
            Self::Unreachable(reason) => write!(f, "the host cannot be asked: {reason}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// A key as it is at the moment.
#[derive(Clone, Debug)]
pub enum KeyState {
    /// It may be used.
    Held(Arc<ReleasedKey>),
    /// It may not be used any more. Nothing follows.
    Ended(End),
}

/// A key that renews itself until it ends; dropped, it is forgotten.
#[derive(Debug)]
pub struct KeptKey {
    state: watch::Receiver<KeyState>,
    task: JoinHandle<()>,
}

impl Drop for KeptKey {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeptKey {
    /// Fetches a key and keeps it.
    ///
    /// # Errors
    /// [`ClientError`] of the first fetch.
    pub async fn fetch(
        client: Arc<Client>,
        key: &str,
        renewal: Renewal,
    ) -> Result<Self, ClientError> {
        let asked = Instant::now();
        let first = Arc::new(client.fetch(key, None).await?);
        let (sender, state) = watch::channel(KeyState::Held(first));
        let (key, renewal) = (key.to_owned(), renewal.bounded());
        let task = tokio::spawn(async move {
            let end = keep(&client, &key, renewal, asked, &sender).await;
            sender.send_replace(KeyState::Ended(end));
        });
        Ok(Self { state, task })
    }

    /// The key, as long as it may be used.
    ///
    /// # Errors
    /// Why it may not.
    pub fn current(&self) -> Result<Arc<ReleasedKey>, End> {
        match &*self.state.borrow() {
            KeyState::Held(key) => Ok(Arc::clone(key)),
            KeyState::Ended(end) => Err(end.clone()),
        }
    }

    /// Waits until it was renewed or has ended.
    pub async fn changed(&mut self) -> KeyState {
        // The sender is gone only after the key has ended.
        let _ = self.state.changed().await;
        self.state.borrow_and_update().clone()
    }
}

/// Renews until there is nothing more to renew. A moment counts from before the host was asked.
async fn keep(
    client: &Client,
    key: &str,
    renewal: Renewal,
    mut asked: Instant,
    sender: &watch::Sender<KeyState>,
) -> End {
    let mut wait = renewal.wait();
    loop {
        let ends = asked + renewal.lifetime;
        tokio::time::sleep(wait.min(renewal.lifetime)).await;
        let began = Instant::now();
        match tokio::time::timeout_at(ends, client.fetch(key, None)).await {
            Ok(Ok(released)) => {
                sender.send_replace(KeyState::Held(Arc::new(released)));
                asked = began;
                wait = renewal.wait();
            }
            Ok(Err(error)) if error.is_temporary() => {
                if Instant::now() >= ends {
                    return End::Unreachable(error.to_string());
                }
                wait = (renewal.interval / 10).max(Duration::from_millis(100));
                wait = wait.min(ends.saturating_duration_since(Instant::now()));
            }
            Ok(Err(ClientError::Refused(problem))) => return End::Refused(problem.code),
            Ok(Err(error)) => return End::Failed(error.to_string()),
            Err(_) => return End::Unreachable("no answer in time".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_without_measure_is_a_year() {
        let renewal = Renewal::of(Duration::MAX);
        assert_eq!(renewal.lifetime, LONGEST);
        let given = Renewal { lifetime: Duration::MAX, interval: Duration::MAX }.bounded();
        assert!(given.wait() <= LONGEST);
    }
}
