//! All reference values of all tenants: changed by administrators, read by every decision.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use super::document::Group;
use super::opened::Admitted;
use super::record::{Act, Change, Ended, Event, Reference, State, Stored};
use super::signer::Signers;
use super::snapshot::Snapshot;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError, names};
use crate::tenant::Tenant;

/// Where documents stand in the store, and the bytes that they came as.
const COLLECTION: &str = "reference";
const BYTES: &str = "reference-bytes";

/// The most documents of one tenant, those included that have ended: the history is kept.
const MOST: usize = 8192;

/// The most tenants whose values are remembered at the same time.
const MOST_TENANTS: usize = 1024;

/// The identifier of the values that stand in the configuration.
const CONFIGURED: &str = "configuration";

/// The reference values.
pub struct References {
    store: Arc<SealedStore>,
    signers: Signers,
    configured: Vec<Group>,
    /// Held for writing while the store is changed or read, so that what is remembered is never
    /// older than what the last change has left.
    remembered: RwLock<HashMap<Tenant, Remembered>>,
}

/// A snapshot, and how long it is one.
struct Remembered {
    from: Timestamp,
    /// The first moment at which something begins or is over.
    until: Option<Timestamp>,
    snapshot: Arc<Snapshot>,
}

impl References {
    /// `configured`: values that stand in the configuration; they are every tenant's.
    #[must_use]
    pub fn new(store: Arc<SealedStore>, signers: Signers, configured: Vec<Group>) -> Self {
        Self { store, signers, configured, remembered: RwLock::default() }
    }

    /// Who may sign.
    #[must_use]
    pub fn signers(&self) -> &Signers {
        &self.signers
    }

    /// The values that are good now, where memory has them; none where the store must be asked.
    #[must_use]
    pub fn remembered(&self, tenant: &Tenant, now: Timestamp) -> Option<Arc<Snapshot>> {
        known(&*self.remembered.try_read().ok()?, tenant, now)
    }

    /// The values that are good now; may wait for the store.
    pub fn snapshot(&self, tenant: &Tenant, now: Timestamp) -> Result<Arc<Snapshot>, Refusal> {
        if let Some(snapshot) = self.remembered(tenant, now) {
            return Ok(snapshot);
        }
        let mut remembered = self.lock();
        if let Some(snapshot) = known(&remembered, tenant, now) {
            return Ok(snapshot);
        }
        let found = self.look(tenant, now)?;
        let snapshot = Arc::clone(&found.snapshot);
        if remembered.len() >= MOST_TENANTS {
            remembered.clear();
        }
        remembered.insert(tenant.clone(), found);
        Ok(snapshot)
    }

    fn look(&self, tenant: &Tenant, now: Timestamp) -> Result<Remembered, Refusal> {
        let mut good = vec![(CONFIGURED.to_owned(), self.configured.clone())];
        let (mut from, mut until) = (Timestamp::default(), None::<Timestamp>);
        for (id, stored) in self.all(tenant)? {
            let window = stored.window;
            if self.state(tenant, id, &stored, now) == State::Good {
                good.push((id.to_string(), stored.groups));
            }
            // Both ends of a window belong to it.
            let edges = [window.not_before, window.not_after.map(|end| end.plus(1))];
            for edge in edges.into_iter().flatten() {
                if edge <= now {
                    from = from.max(edge);
                } else {
                    until = Some(until.map_or(edge, |until| until.min(edge)));
                }
            }
        }
        let good = good.iter().map(|(id, groups)| (id.as_str(), groups.as_slice()));
        Ok(Remembered { from, until, snapshot: Arc::new(Snapshot::of(good)) })
    }

    /// Adds a document; `replaces` ends another one, which must be there and not have ended.
    pub fn add(
        &self,
        tenant: &Tenant,
        admitted: &Admitted,
        act: &Act,
        replaces: Option<Digest>,
    ) -> Result<Reference, Refusal> {
        let id = admitted.document.digest;
        if admitted.document.window.is_over(act.at) {
            return Err(Refusal::new(Code::RequestMalformed, "its time is over"));
        }
        let mut remembered = self.lock();
        if let Some(replaced) = replaces {
            self.not_ended(tenant, replaced)?;
        }
        if let Some(known) = self.read(tenant, id)? {
            let state = self.state(tenant, id, &known, act.at).name();
            let reason = format!("{id} was added on {}, and is {state}", known.added.at);
            return Err(Refusal::new(Code::Conflict, reason));
        }
        let stored = Stored::new(admitted, act.clone());
        // The bytes first: a document without the bytes that were signed cannot be shown.
        // Others of the same content may be there, of an addition that was cut short.
        let bytes = place(tenant, BYTES, id);
        let left = self.store.get(&bytes).map_err(unavailable)?;
        self.put(&bytes, left.as_ref().map(Secret::expose), &admitted.bytes)?;
        remembered.remove(tenant);
        self.write(tenant, id, None, &stored)?;
        if let Some(replaced) = replaces {
            self.end(tenant, replaced, Ended { act: act.clone(), by: Some(id) })?;
        }
        Ok(self.reference(tenant, id, stored, act.at))
    }

    /// Takes a document back. From the next decision on its values do not count.
    pub fn revoke(&self, tenant: &Tenant, id: Digest, act: &Act) -> Result<(), Refusal> {
        let mut remembered = self.lock();
        remembered.remove(tenant);
        self.end(tenant, id, Ended { act: act.clone(), by: None })
    }

    /// One document.
    pub fn get(&self, tenant: &Tenant, id: Digest, now: Timestamp) -> Result<Reference, Refusal> {
        let stored = self.read(tenant, id)?.ok_or_else(|| absent(id))?;
        Ok(self.reference(tenant, id, stored, now))
    }

    /// The bytes that a document came as.
    pub fn bytes(&self, tenant: &Tenant, id: Digest) -> Result<Vec<u8>, Refusal> {
        let bytes = self.store.get(&place(tenant, BYTES, id)).map_err(unavailable)?;
        bytes.map(|bytes| bytes.expose().to_vec()).ok_or_else(|| absent(id))
    }

    /// Documents in the order of their identifiers, from behind `after`, and whether there are more.
    pub fn list(
        &self,
        tenant: &Tenant,
        after: Option<Digest>,
        limit: usize,
        now: Timestamp,
    ) -> Result<(Vec<Reference>, bool), Refusal> {
        let mut ids = self.ids(tenant, after, limit.saturating_add(1))?;
        let more = ids.len() > limit;
        ids.truncate(limit);
        let listed = ids.into_iter().map(|id| self.get(tenant, id, now));
        Ok((listed.collect::<Result<_, _>>()?, more))
    }

    /// What happened, the latest first.
    pub fn history(&self, tenant: &Tenant) -> Result<Vec<Change>, Refusal> {
        let mut changes = Vec::new();
        for (id, stored) in self.all(tenant)? {
            let Stored { name, added, ended, .. } = stored;
            if let Some(Ended { act, by }) = ended {
                let event = by.map_or(Event::Revoked, Event::Replaced);
                changes.push(Change { act, event, id, name: name.clone() });
            }
            changes.push(Change { act: added, event: Event::Added, id, name });
        }
        changes.sort_by_key(|change| std::cmp::Reverse((change.act.at, change.id.0)));
        Ok(changes)
    }

    fn state(&self, tenant: &Tenant, id: Digest, stored: &Stored, now: Timestamp) -> State {
        match &stored.ended {
            Some(Ended { by: Some(_), .. }) => State::Replaced,
            Some(Ended { by: None, .. }) => State::Revoked,
            None if stored.window.is_over(now) => State::Expired,
            None if !self.signers.still(&stored.origin, &stored.document(id), tenant) => {
                State::Unlisted
            }
            None if !stored.window.contains(now) => State::NotYet,
            None => State::Good,
        }
    }

    fn reference(&self, tenant: &Tenant, id: Digest, stored: Stored, now: Timestamp) -> Reference {
        let state = self.state(tenant, id, &stored, now);
        let document = stored.document(id);
        let Stored { origin, added, media_type, .. } = stored;
        Reference { id, document, origin, added, state, media_type }
    }

    fn not_ended(&self, tenant: &Tenant, id: Digest) -> Result<Stored, Refusal> {
        let stored = self.read(tenant, id)?.ok_or_else(|| absent(id))?;
        match stored.ended {
            None => Ok(stored),
            Some(_) => Err(Refusal::new(Code::Conflict, format!("{id} has ended already"))),
        }
    }

    fn end(&self, tenant: &Tenant, id: Digest, ended: Ended) -> Result<(), Refusal> {
        let stored = self.not_ended(tenant, id)?;
        let changed = Stored { ended: Some(ended), ..stored.clone() };
        self.write(tenant, id, Some(&stored), &changed)
    }

    fn all(&self, tenant: &Tenant) -> Result<Vec<(Digest, Stored)>, Refusal> {
        let ids = self.ids(tenant, None, MOST)?;
        let read = |id| Ok((id, self.read(tenant, id)?.ok_or_else(|| absent(id))?));
        ids.into_iter().map(read).collect()
    }

    fn ids(
        &self,
        tenant: &Tenant,
        after: Option<Digest>,
        limit: usize,
    ) -> Result<Vec<Digest>, Refusal> {
        let prefix = names::of_tenant(tenant, COLLECTION, "");
        let after = after.map(|id| place(tenant, COLLECTION, id));
        let keys = self.store.range(&prefix, after.as_deref(), limit).map_err(unavailable)?;
        let id = |key: &String| {
            let id = key.strip_prefix(&prefix).and_then(Digest::parse);
            id.ok_or_else(|| damaged(key, "it is called after no digest"))
        };
        keys.iter().map(id).collect()
    }

    fn read(&self, tenant: &Tenant, id: Digest) -> Result<Option<Stored>, Refusal> {
        let place = place(tenant, COLLECTION, id);
        let Some(stored) = self.store.get(&place).map_err(unavailable)? else { return Ok(None) };
        serde_json::from_slice(stored.expose()).map(Some).map_err(|error| damaged(&place, error))
    }

    fn write(
        &self,
        tenant: &Tenant,
        id: Digest,
        expected: Option<&Stored>,
        stored: &Stored,
    ) -> Result<(), Refusal> {
        if expected.is_none() && self.ids(tenant, None, MOST)?.len() >= MOST {
            let reason = format!("{tenant} has {MOST} reference documents already");
            return Err(Refusal::new(Code::Conflict, reason));
        }
        let text = |stored: &Stored| {
            serde_json::to_vec(stored)
                .map_err(|error| Refusal::new(Code::Internal, error.to_string()))
        };
        let expected = expected.map(text).transpose()?;
        let place = place(tenant, COLLECTION, id);
        self.put(&place, expected.as_deref(), &text(stored)?)
    }

    /// Where another process was quicker, the administrator looks again.
    fn put(&self, place: &str, expected: Option<&[u8]>, value: &[u8]) -> Result<(), Refusal> {
        if self.store.swap(place, expected, Some(value)).map_err(unavailable)? {
            return Ok(());
        }
        Err(Refusal::new(Code::Conflict, format!("{place} was changed meanwhile")))
    }

    fn lock(&self) -> RwLockWriteGuard<'_, HashMap<Tenant, Remembered>> {
        // What is remembered is whole at any time: a panic elsewhere leaves nothing half done.
        self.remembered.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn known(
    remembered: &HashMap<Tenant, Remembered>,
    tenant: &Tenant,
    now: Timestamp,
) -> Option<Arc<Snapshot>> {
    let known = remembered.get(tenant)?;
    let fits = known.from <= now && known.until.is_none_or(|until| now < until);
    fits.then(|| Arc::clone(&known.snapshot))
}

fn place(tenant: &Tenant, collection: &'static str, id: Digest) -> String {
    names::of_tenant(tenant, collection, &id.to_string())
}

fn absent(id: Digest) -> Refusal {
    Refusal::new(Code::NotFound, format!("no reference document {id}"))
}

fn damaged(place: &str, error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::StoreUnavailable, format!("{place}: {error}"))
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
