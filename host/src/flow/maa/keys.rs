//! The service's signing keys, in memory and in the sealed store.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;

use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::foreign::Issuer;
use crate::keys::{CertifiedKeys, TokenKeyError};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError};

/// Where the keys stand in the store.
const PLACE: &str = "host/attestation-keys";

/// Who took a key in hand just before it was replaced has signed by then, in seconds.
const IN_HAND: u64 = 60;

/// How many of its URLs are kept: tenants have one each, or a few.
const URLS: usize = 256;

/// The keys, made when they are first asked for.
pub(in crate::flow) struct Keys {
    store: Arc<SealedStore>,
    keys: ArcSwapOption<CertifiedKeys>,
}

/// The service as an authority, by its URL: the same for as long as its keys are.
#[derive(Default)]
pub(in crate::flow) struct Published(RwLock<BTreeMap<String, Arc<Known>>>);

struct Known {
    keys: Arc<CertifiedKeys>,
    token_seconds: u64,
    from: Timestamp,
    until: Option<Timestamp>,
    issuer: Arc<Issuer>,
}

impl Published {
    /// With these keys, as many of them as are believed now.
    pub(super) fn issuer(
        &self,
        url: &str,
        keys: &Arc<CertifiedKeys>,
        token_seconds: u64,
        now: Timestamp,
    ) -> Result<Arc<Issuer>, String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        if let Some(known) = known
            && Arc::ptr_eq(&known.keys, keys)
            && known.token_seconds == token_seconds
            && known.from <= now
            && known.until.is_none_or(|until| now < until)
        {
            return Ok(Arc::clone(&known.issuer));
        }
        let jwks = keys.jwks(now).to_string().into_bytes();
        let issuer = Arc::new(Issuer::own(url.to_owned(), jwks, token_seconds)?);
        let (keys, until) = (Arc::clone(keys), keys.fewer_from(now));
        let known = Known { keys, token_seconds, from: now, until, issuer: Arc::clone(&issuer) };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // The URLs are the operator's, so that there are no more of them but where he changes them.
        if kept.len() >= URLS {
            kept.clear();
        }
        kept.insert(url.to_owned(), Arc::new(known));
        Ok(issuer)
    }
}

/// From what age on a key is replaced, and how long a token is good, both in seconds.
type Lifetimes = (u64, u64);

impl Keys {
    pub(super) fn new(store: Arc<SealedStore>) -> Self {
        Self { store, keys: ArcSwapOption::empty() }
    }

    /// The keys, where they are in memory and the one that signs is young enough.
    pub(super) fn at_hand(
        &self,
        now: Timestamp,
        (age, _): Lifetimes,
    ) -> Option<Arc<CertifiedKeys>> {
        self.keys.load_full().filter(|keys| now.since(keys.created()) < age)
    }

    /// The keys of the store, whose signing key is made or replaced where it must be. Waits.
    pub(super) fn open(
        &self,
        issuer: &str,
        now: Timestamp,
        lifetimes: Lifetimes,
    ) -> Result<Arc<CertifiedKeys>, Refusal> {
        let (age, token) = lifetimes;
        for _ in 0..8 {
            let kept = self.store.get(PLACE).map_err(unavailable)?;
            let keys = kept.as_ref().map(CertifiedKeys::from_stored).transpose().map_err(failed)?;
            let made = match keys {
                Some(keys) if now.since(keys.created()) < age => {
                    let keys = Arc::new(keys);
                    self.keys.store(Some(Arc::clone(&keys)));
                    return Ok(keys);
                }
                Some(keys) => keys.rotated(issuer, now, now.plus(token).plus(IN_HAND)),
                None => CertifiedKeys::generate(issuer, now),
            };
            let stored = made.and_then(|made| made.to_stored()).map_err(failed)?;
            let old = kept.as_ref().map(Secret::expose);
            // Whether ours or another replica's won, the store has them.
            self.store.swap(PLACE, old, Some(stored.expose())).map_err(unavailable)?;
        }
        Err(Refusal::new(Code::StoreUnavailable, "the attestation keys keep changing"))
    }
}

fn failed(error: TokenKeyError) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 13
    #[test]
    fn a_key_that_is_believed_no_more_is_in_no_issuer_that_is_kept() {
        let (url, made) = ("https://a.example", Timestamp(1_000));
        let first = Arc::new(CertifiedKeys::generate(url, made).unwrap());
        let published = Published::default();
        let issuer = |keys: &Arc<CertifiedKeys>, now: u64| {
            published.issuer(url, keys, 300, Timestamp(now)).unwrap()
        };
        let kept = issuer(&first, 1_000);
        assert!(Arc::ptr_eq(&kept, &issuer(&first, 5_000)));
        // Another key signs; the first is believed until 7,000.
        let second = first.rotated(url, Timestamp(6_000), Timestamp(7_000)).unwrap();
        let second = Arc::new(second);
        let both = issuer(&second, 6_000);
        assert!(!Arc::ptr_eq(&kept, &both));
        assert!(Arc::ptr_eq(&both, &issuer(&second, 6_999)));
        let one = issuer(&second, 7_000);
        assert!(!Arc::ptr_eq(&both, &one));
        // Where the clock goes back, so do they.
        assert!(!Arc::ptr_eq(&one, &issuer(&second, 6_500)));
        // Tokens that are good for longer are another matter.
        assert!(!Arc::ptr_eq(
            &one,
            &published.issuer(url, &second, 600, Timestamp(7_000)).unwrap()
        ));
    }
}
