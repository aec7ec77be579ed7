//! A token that is kept until shortly before it expires, and fetched by one at a time.

use std::future::Future;
use std::sync::{Arc, Mutex as Lock, PoisonError};

use tokio::sync::Mutex;

use super::CredentialError;
use crate::clock::{Clock, Timestamp};
use crate::secret::Secret;

/// A token that was refused is thrown away only when it is so old, in seconds: a service that refuses
/// what was just fetched refuses for another reason.
const FRESH: u64 = 5;

/// After a failure nobody asks again for so long, in seconds.
const PAUSE: u64 = 2;

/// A token as it was fetched.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The token.
    pub(super) secret: Secret,
    /// How long it is good, in seconds.
    pub(super) lifetime: u64,
}

#[derive(Clone)]
struct Kept {
    secret: Secret,
    made: Timestamp,
    renew: Timestamp,
    expires: Timestamp,
}

/// The token that is kept.
pub(super) struct Cache {
    clock: Arc<dyn Clock>,
    kept: Lock<Option<Kept>>,
    /// Held by who fetches; what failed last, and when.
    fetching: Mutex<Option<(Timestamp, CredentialError)>>,
}

impl Cache {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self { clock: Arc::clone(clock), kept: Lock::new(None), fetching: Mutex::new(None) }
    }

    /// The token. Near its end one caller fetches a new one while the others go on with the old; past
    /// its end all wait for the one who fetches.
    pub(super) async fn get<F>(
        &self,
        fetch: impl FnOnce() -> F + Send,
    ) -> Result<Secret, CredentialError>
    where
        F: Future<Output = Result<Token, CredentialError>> + Send,
    {
        let now = self.clock.now();
        let old = self.kept().filter(|kept| now < kept.expires);
        let mut failed = match &old {
            Some(kept) if now < kept.renew => return Ok(kept.secret.clone()),
            Some(kept) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(kept.secret.clone()),
            },
            None => self.fetching.lock().await,
        };
        // Whoever waited may find what the other fetched.
        if let Some(kept) = self.kept().filter(|kept| now < kept.renew) {
            return Ok(kept.secret);
        }
        if let Some((when, error)) = &*failed
            && now.since(*when) < PAUSE
            && now >= *when
        {
            return old.map(|kept| kept.secret).ok_or_else(|| error.clone());
        }
        match fetch().await {
            Ok(token) => {
                *failed = None;
                let kept = Kept {
                    secret: token.secret.clone(),
                    made: now,
                    renew: now.plus(token.lifetime - token.lifetime / 5),
                    expires: now.plus(token.lifetime - token.lifetime / 20),
                };
                *self.lock() = Some(kept);
                Ok(token.secret)
            }
            Err(error) => {
                *failed = Some((now, error.clone()));
                // Near its end is not past it.
                old.map(|kept| kept.secret).ok_or(error)
            }
        }
    }

    /// Throws the token away, unless it is quite new. Whether it did.
    pub(super) fn refused(&self) -> bool {
        let now = self.clock.now();
        let mut kept = self.lock();
        let old = kept.as_ref().is_some_and(|kept| now.since(kept.made) >= FRESH);
        if old {
            *kept = None;
        }
        old
    }

    fn kept(&self) -> Option<Kept> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::FixedClock;

    struct World {
        clock: Arc<FixedClock>,
        cache: Cache,
        fetched: AtomicUsize,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(FixedClock::new(Timestamp(1_000)));
            let shared: Arc<dyn Clock> = clock.clone();
            Self { clock, cache: Cache::new(&shared), fetched: AtomicUsize::new(0) }
        }

        async fn get(&self, works: bool) -> Result<Secret, CredentialError> {
            let fetched = &self.fetched;
            let got = self.cache.get(|| async move {
                tokio::task::yield_now().await;
                let number = fetched.fetch_add(1, Ordering::SeqCst);
                let secret = Secret::new(format!("token-{number}").into_bytes());
                let failure = CredentialError::Unavailable("no".into());
                works.then_some(Token { secret, lifetime: 100 }).ok_or(failure)
            });
            got.await
        }
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_for_all_who_wait() {
        let world = World::new();
        let all = (0..50).map(|_| world.get(true));
        let mut set = Vec::new();
        for one in all {
            set.push(one);
        }
        let (first, second, third) =
            tokio::join!(world.get(true), world.get(true), world.get(true));
        assert!(first.unwrap().matches(b"token-0"));
        assert!(second.unwrap().matches(b"token-0"));
        assert!(third.unwrap().matches(b"token-0"));
        for one in set {
            assert!(one.await.unwrap().matches(b"token-0"));
        }
        assert_eq!(world.fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_its_end_and_never_used_behind_it() {
        let world = World::new();
        assert!(world.get(true).await.unwrap().matches(b"token-0"));
        world.clock.set(Timestamp(1_081));
        // Who fetches gets the new one, and who comes meanwhile the old.
        let (one, other) = tokio::join!(world.get(true), world.get(true));
        assert!(one.unwrap().matches(b"token-1"));
        assert!(other.unwrap().matches(b"token-0"));
        world.clock.set(Timestamp(1_081 + 90));
        assert!(world.get(false).await.unwrap().matches(b"token-1"), "it still holds");
        world.clock.set(Timestamp(1_081 + 96));
        assert!(world.get(false).await.is_err());
    }

    #[tokio::test]
    async fn a_failure_is_not_asked_for_again_at_once() {
        let world = World::new();
        assert!(world.get(false).await.is_err());
        assert!(world.get(true).await.is_err());
        assert_eq!(world.fetched.load(Ordering::SeqCst), 1);
        world.clock.set(Timestamp(1_002));
        assert!(world.get(true).await.is_ok());
    }

    #[tokio::test]
    async fn a_refused_token_is_thrown_away_unless_it_is_new() {
        let world = World::new();
        world.get(true).await.unwrap();
        assert!(!world.cache.refused());
        world.clock.set(Timestamp(1_005));
        assert!(world.cache.refused());
        assert!(world.get(true).await.unwrap().matches(b"token-1"));
    }
}
