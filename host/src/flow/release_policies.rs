//! The release policies of all keys: stored with the key's name, compiled once. A policy is that of a key in
//! one connector: a key of that name in another has its own, so that whoever administers cannot put a
//! laxer one upon this one by way of another connector.

use std::sync::Arc;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use super::request::NewReleasePolicy;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::release_policy::{Language, PolicyFault, ReleasePolicy};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError, names};
use crate::tenant::Tenant;

/// Where release policies stand in the store.
const COLLECTION: &str = "release-policy";

/// How much text is kept compiled, in bytes, and what a policy counts beside its text.
const COMPILED: u64 = 4 << 20;
const BESIDE_TEXT: usize = 512;

/// The release policy of one key, as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPolicy {
    /// Called `rule` when there was one language.
    #[serde(alias = "rule")]
    pub(super) language: Language,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) immutable: bool,
    pub(super) created: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl StoredPolicy {
    pub(super) fn new(policy: NewReleasePolicy, created: Timestamp) -> Self {
        let NewReleasePolicy { language, text, immutable } = policy;
        Self { language, text, immutable, created }
    }

    /// `akv:sha256:…`
    pub(super) fn id(&self) -> String {
        ReleasePolicy::id(self.language, &self.text)
    }

    /// Whether they say the same, whenever they were set.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        Self { created: other.created, ..self.clone() } == *other
    }
}

/// A key's release policy as it was read, with the digest of what is stored, so that it can be told
/// from any that takes its place.
#[derive(Debug)]
pub(super) struct KeyPolicy {
    pub(super) stored: StoredPolicy,
    /// `akv:sha256:…`
    pub(super) id: String,
    /// It was compiled before it was stored, by a version of this host that may have been another.
    pub(super) compiled: Result<ReleasePolicy, PolicyFault>,
    digest: Digest,
}

impl PartialEq for KeyPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The release policies of all keys.
pub struct ReleasePolicies {
    store: Arc<SealedStore>,
    compiled: Cache<Digest, Arc<KeyPolicy>>,
}

impl ReleasePolicies {
    /// Over this store.
    #[must_use]
    pub fn new(store: Arc<SealedStore>) -> Self {
        let weight = |_: &Digest, policy: &Arc<KeyPolicy>| {
            u32::try_from(policy.stored.text.len().saturating_add(BESIDE_TEXT)).unwrap_or(u32::MAX)
        };
        Self { store, compiled: Cache::builder().weigher(weight).max_capacity(COMPILED).build() }
    }

    /// The policy of a key: none where there is no such key.
    pub(super) fn read(
        &self,
        tenant: &Tenant,
        connector: &str,
        key: &str,
    ) -> Result<Option<Arc<KeyPolicy>>, Refusal> {
        let stored = self.store.get(&place(tenant, connector, key)?).map_err(unavailable)?;
        stored.map(|stored| self.compiled(key, stored.expose())).transpose()
    }

    /// The policy of a secret, which stands in its record.
    pub(super) fn of_secret(
        &self,
        name: &str,
        policy: &StoredPolicy,
    ) -> Result<Arc<KeyPolicy>, Refusal> {
        self.compiled(name, &written(policy)?)
    }

    fn compiled(&self, key: &str, stored: &[u8]) -> Result<Arc<KeyPolicy>, Refusal> {
        let digest = Digest::of(stored);
        if let Some(known) = self.compiled.get(&digest) {
            return Ok(known);
        }
        // What cannot be read does not allow.
        let stored: StoredPolicy = serde_json::from_slice(stored).map_err(|error| {
            Refusal::new(Code::ReleaseDenied, format!("the release policy of {key}: {error}"))
        })?;
        let compiled = ReleasePolicy::compile(stored.language, &stored.text);
        let policy = Arc::new(KeyPolicy { id: stored.id(), stored, compiled, digest });
        self.compiled.insert(digest, Arc::clone(&policy));
        Ok(policy)
    }

    /// Gives a new key its policy, in place of whatever an earlier one of that name left behind.
    pub(super) fn set(
        &self,
        tenant: &Tenant,
        connector: &str,
        key: &str,
        policy: &StoredPolicy,
    ) -> Result<(), Refusal> {
        self.put(tenant, connector, key, Some(&written(policy)?)).map(drop)
    }

    /// Puts a policy in the place of one that was read before, and of no other. A key that has none
    /// gets none: it may be about to be deleted.
    pub(super) fn replace(
        &self,
        tenant: &Tenant,
        connector: &str,
        key: &str,
        old: &KeyPolicy,
        new: &StoredPolicy,
    ) -> Result<(), Refusal> {
        let (place, new) = (place(tenant, connector, key)?, written(new)?);
        let stored = self.store.get(&place).map_err(unavailable)?;
        let same = |stored: &Secret| Digest::of(stored.expose()) == old.digest;
        let expected = stored.as_ref().map(Secret::expose);
        if stored.as_ref().is_some_and(same)
            && self.store.swap(&place, expected, Some(&new)).map_err(unavailable)?
        {
            return Ok(());
        }
        Err(changed(key))
    }

    /// Takes the policy of a key away; the key cannot be released any more. Answers whether there
    /// was one.
    pub(super) fn remove(
        &self,
        tenant: &Tenant,
        connector: &str,
        key: &str,
    ) -> Result<bool, Refusal> {
        self.put(tenant, connector, key, None)
    }

    fn put(
        &self,
        tenant: &Tenant,
        connector: &str,
        key: &str,
        text: Option<&[u8]>,
    ) -> Result<bool, Refusal> {
        let place = place(tenant, connector, key)?;
        for _ in 0..8 {
            let stored = self.store.get(&place).map_err(unavailable)?;
            let expected = stored.as_ref().map(Secret::expose);
            if expected == text || self.store.swap(&place, expected, text).map_err(unavailable)? {
                return Ok(stored.is_some());
            }
        }
        Err(Refusal::new(Code::StoreUnavailable, format!("the policy of {key} keeps changing")))
    }
}

/// The policy of the key is another one than was read.
pub(super) fn changed(key: &str) -> Refusal {
    Refusal::new(Code::Conflict, format!("the release policy of {key} changed meanwhile"))
}

fn written(policy: &StoredPolicy) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(policy).map_err(|error| Refusal::new(Code::Internal, error.to_string()))
}

/// Connectors' names were checked where they were loaded; neither they nor keys' have a slash.
fn place(tenant: &Tenant, connector: &str, key: &str) -> Result<String, Refusal> {
    let key = check_name(key)?;
    Ok(names::of_tenant(tenant, COLLECTION, &format!("{connector}/{key}")))
}

/// A key's name, or the answer that there is no such key.
pub(super) fn check_name(key: &str) -> Result<&str, Refusal> {
    names::check_key_name(key)
        .map_err(|error| Refusal::new(Code::KeyNotFound, format!("{key:?}: {error}")))
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
