//! Endorsements that evidence comes without: asked for at the operator's sources, checked before they
//! are believed, kept in the store for as long as their signers said, and renewed before that ends.
//!
//! Evidence says which chip it is of before anything about it is checked. So whoever sends evidence
//! can have a source asked, and nothing more: how often is bounded, what is not there is remembered
//! for a while, and what comes must be signed by AMD for just that chip.

mod archive;
mod kept;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::quote::{Authority, Want};
use crate::store::SealedStore;
use kept::Kept;
use source::Source;

pub use archive::{Archive, Item};
pub use source::{SourceError, SourceKind, SourcePlan};

/// Endorsements in memory; the store has all.
const REMEMBERED: u64 = 4096;

/// Wants of which it is remembered that nobody has them, and for how long.
const ABSENT: u64 = 4096;
const ABSENT_FOR: Duration = Duration::from_secs(600);

/// Questions to sources in a minute, for all that they may be asked for.
const QUESTIONS_PER_MINUTE: u64 = 120;

/// The sources, and what they gave.
pub struct Endorsements {
    sources: Vec<Source>,
    store: Arc<SealedStore>,
    clock: Arc<dyn Clock>,
    known: Cache<Want, Arc<Kept>>,
    absent: Cache<Want, ()>,
    /// One question at a time for each want: whoever comes second finds the answer.
    asking: DashMap<Want, Arc<Mutex<()>>>,
    /// Until when a source wants to be left alone, by its URL.
    paused: DashMap<String, Timestamp>,
    /// The minute, in the upper bits, and how many questions it had.
    questions: AtomicU64,
}

impl Endorsements {
    /// Over the operator's sources.
    ///
    /// # Errors
    /// A source whose address or certificate authority is none, in words.
    pub fn new(
        sources: &[SourcePlan],
        store: Arc<SealedStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        Ok(Self {
            sources: sources.iter().map(Source::new).collect::<Result<_, _>>()?,
            store,
            clock,
            known: Cache::new(REMEMBERED),
            absent: Cache::builder().max_capacity(ABSENT).time_to_live(ABSENT_FOR).build(),
            asking: DashMap::new(),
            paused: DashMap::new(),
            questions: AtomicU64::new(0),
        })
    }

    /// Gives the authority every revocation list that the store has: evidence that brings an older one, and so
    /// wants nothing, is judged by it too.
    pub fn recall(&self, authority: &Authority) {
        for want in Want::lists() {
            if let Some(kept) = Kept::load(&self.store, &want.to_string()) {
                learn(authority, &want, &kept);
            }
        }
    }

    /// What is wanted, for evidence to be examined once more. Revocation lists are given to the authority
    /// as well.
    ///
    /// # Errors
    /// Why the first that is missing could not be had.
    pub async fn supply(
        self: &Arc<Self>,
        authority: &Arc<Authority>,
        wants: BTreeSet<Want>,
    ) -> Result<Vec<Vec<u8>>, SourceError> {
        let mut supplied = Vec::new();
        for want in wants {
            supplied.extend_from_slice(&self.get(authority, &want).await?.parts);
        }
        Ok(supplied)
    }

    async fn get(
        self: &Arc<Self>,
        authority: &Arc<Authority>,
        want: &Want,
    ) -> Result<Arc<Kept>, SourceError> {
        let now = self.clock.now();
        if let Some(kept) = self.remembered(authority, want, now).await {
            if kept.is_aging(now) {
                self.renew(authority, want);
            }
            return Ok(kept);
        }
        if self.absent.contains_key(want) {
            return Err(SourceError::Absent("no source".to_owned()));
        }
        let turn = Arc::clone(&self.asking.entry(want.clone()).or_default());
        let asked = {
            let _alone = turn.lock().await;
            match self.remembered(authority, want, now).await {
                Some(kept) => Ok(kept),
                None => self.ask(authority, want, now).await,
            }
        };
        self.asking.remove_if(want, |_, turn| Arc::strong_count(turn) <= 2);
        asked
    }

    /// From memory, or from the store; nothing outside its time.
    async fn remembered(
        &self,
        authority: &Authority,
        want: &Want,
        now: Timestamp,
    ) -> Option<Arc<Kept>> {
        if let Some(kept) = self.known.get(want) {
            return kept.holds(now).then_some(kept);
        }
        let (store, name) = (Arc::clone(&self.store), want.to_string());
        let kept = tokio::task::spawn_blocking(move || Kept::load(&store, &name)).await.ok()??;
        let kept = Arc::new(kept);
        // Another host may have had it, which shares the store.
        learn(authority, want, &kept);
        self.known.insert(want.clone(), Arc::clone(&kept));
        kept.holds(now).then_some(kept)
    }

    /// Asks the sources in turn; the first good answer is kept.
    async fn ask(
        &self,
        authority: &Arc<Authority>,
        want: &Want,
        now: Timestamp,
    ) -> Result<Arc<Kept>, SourceError> {
        let mut fault = SourceError::Absent("no source".to_owned());
        for source in self.sources.iter().filter(|source| source.serves(want)) {
            match self.ask_one(source, authority, want, now).await {
                Ok(kept) => return Ok(kept),
                Err(error) => {
                    tracing::warn!(%want, "endorsement not had: {error}");
                    fault = error;
                }
            }
        }
        if matches!(fault, SourceError::Absent(_)) {
            self.absent.insert(want.clone(), ());
        }
        Err(fault)
    }

    async fn ask_one(
        &self,
        source: &Source,
        authority: &Arc<Authority>,
        want: &Want,
        now: Timestamp,
    ) -> Result<Arc<Kept>, SourceError> {
        let paused = self.paused.get(source.url()).map(|until| until.0);
        if let Some(left) =
            paused.and_then(|until| until.checked_sub(now.0)).filter(|left| *left > 0)
        {
            let (source_url, pause) = (source.url().to_owned(), Duration::from_secs(left));
            return Err(SourceError::Paused { source_url, pause });
        }
        self.count(now)?;
        let parts = match source.ask(want).await {
            Ok(parts) => parts,
            Err(SourceError::Paused { source_url, pause }) => {
                self.paused.insert(source_url.clone(), Timestamp(now.0 + pause.as_secs()));
                return Err(SourceError::Paused { source_url, pause });
            }
            Err(error) => return Err(error),
        };
        let refused = |why: String| SourceError::Failed(format!("{}: {want}: {why}", source.url()));
        let validity = authority
            .check_endorsement(want, &parts, now)
            .map_err(|fault| refused(fault.to_string()))?;
        let fresh = Kept { parts, validity };
        let before = self.known.get(want);
        if before.is_some_and(|before| before.is_newer_than(&fresh)) {
            return Err(refused("it is older than what is known".to_owned()));
        }
        authority.learn(want, &fresh.parts, now).map_err(|fault| refused(fault.to_string()))?;
        let (store, name, kept) = (Arc::clone(&self.store), want.to_string(), Arc::new(fresh));
        let saved = Arc::clone(&kept);
        let saved = tokio::task::spawn_blocking(move || saved.save(&store, &name)).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(%want, "endorsement not kept: {error}");
        }
        self.known.insert(want.clone(), Arc::clone(&kept));
        tracing::info!(%want, source = source.url(), until = %kept.validity.until, "endorsement had");
        Ok(kept)
    }

    /// Renews in the background what still holds; one at a time.
    fn renew(self: &Arc<Self>, authority: &Arc<Authority>, want: &Want) {
        let turn = Arc::clone(&self.asking.entry(want.clone()).or_default());
        let Ok(alone) = turn.try_lock_owned() else { return };
        let (this, authority, want) = (Arc::clone(self), Arc::clone(authority), want.clone());
        tokio::spawn(async move {
            // What failed is in the log; what is there holds on.
            let _ = this.ask(&authority, &want, this.clock.now()).await;
            drop(alone);
            this.asking.remove_if(&want, |_, turn| Arc::strong_count(turn) <= 1);
        });
    }

    /// Counts a question; no more where this minute has had enough.
    fn count(&self, now: Timestamp) -> Result<(), SourceError> {
        const BITS: u32 = 16;
        let minute = now.0 / 60;
        let counted = self.questions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| {
            let had = if value >> BITS == minute { value & ((1 << BITS) - 1) } else { 0 };
            (had < QUESTIONS_PER_MINUTE).then_some(minute << BITS | (had + 1))
        });
        match counted {
            Ok(_) => Ok(()),
            Err(_) => Err(SourceError::Paused {
                source_url: "every source".to_owned(),
                pause: Duration::from_secs(60),
            }),
        }
    }
}

/// Gives the authority a list that was kept. It was checked when it was had, and what it names stays revoked when
/// its time is over.
fn learn(authority: &Authority, want: &Want, kept: &Kept) {
    if let Err(fault) = authority.learn(want, &kept.parts, kept.validity.from) {
        tracing::warn!(%want, "a kept endorsement is not believed any more: {fault}");
    }
}

impl std::fmt::Debug for Endorsements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endorsements({} sources)", self.sources.len())
    }
}
