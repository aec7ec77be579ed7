//! What is known of keys and secrets beside their material: one sealed record each, changed by compare
//! and swap.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::LARGEST_PAGE;
use super::types::{Deletion, Described, Operation, Page, Recoverable, RotationPolicy};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::release_policies::StoredPolicy;
use crate::random::Random;
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError, names};
use crate::tenant::Tenant;

/// Where records stand in the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shelf<'a> {
    /// Keys of the connector of this name: a key of that name in another is another key, which this
    /// one's deletion or expiry must not touch.
    Keys(&'a str),
    /// Secrets.
    Secrets,
}

impl Shelf<'_> {
    /// Neither connectors' names nor keys' have a slash.
    fn place(self, tenant: &Tenant, name: &str) -> String {
        match self {
            Self::Keys(connector) => {
                names::of_tenant(tenant, "vault-key", &format!("{connector}/{name}"))
            }
            Self::Secrets => names::of_tenant(tenant, "vault-secret", name),
        }
    }
}

/// The most versions of a secret; of keys the connector keeps count.
pub(super) const MOST_VERSIONS: usize = 100;

/// The store of a host's vaults.
pub struct Vault {
    store: Arc<SealedStore>,
    random: Arc<dyn Random>,
    recoverable: Recoverable,
}

/// A key, beside its material.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    pub(super) kind: String,
    pub(super) hardware: bool,
    pub(super) exportable: bool,
    /// Oldest first.
    pub(super) versions: Vec<KeyVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion: Option<Deletion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotation: Option<RotationPolicy>,
    /// When a host began to rotate it by its policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotating: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyVersion {
    pub(super) id: String,
    /// What the connector calls it.
    pub(super) number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) public: Option<Value>,
    pub(super) operations: Vec<Operation>,
    pub(super) described: Described,
}

/// A secret, its values included: the record is sealed as material is.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretRecord {
    /// Oldest first.
    pub(super) versions: Vec<SecretVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion: Option<Deletion>,
    /// With one, no version is read any more: the secret leaves by release alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) release_policy: Option<StoredPolicy>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretVersion {
    pub(super) id: String,
    pub(super) value: SecretText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    pub(super) described: Described,
}

/// A secret's value in its record: wiped when dropped, and without `Debug`.
#[derive(Clone)]
pub(super) struct SecretText(pub(super) zeroize::Zeroizing<String>);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(zeroize::Zeroizing::new(text)))
    }
}

/// A record as it was read, so that it is changed only where it is still the same.
pub(super) struct Stored<T> {
    pub(super) record: T,
    place: String,
    bytes: Secret,
}

impl Vault {
    /// Over this store.
    #[must_use]
    pub fn new(store: Arc<SealedStore>, random: Arc<dyn Random>, recoverable: Recoverable) -> Self {
        Self { store, random, recoverable }
    }

    /// A deletion that begins now.
    pub(super) fn deletion(&self, tenant: &Tenant, now: Timestamp) -> Deletion {
        Deletion::now(now, self.recoverable.days(tenant))
    }

    /// For how many days what is deleted so can be recovered, or what is not deleted could be.
    pub(super) fn recoverable_days(&self, tenant: &Tenant, deletion: Option<Deletion>) -> u64 {
        deletion.and_then(Deletion::days).unwrap_or_else(|| self.recoverable.days(tenant))
    }

    /// A fresh identifier of a version.
    pub(super) fn identifier(&self) -> Result<String, Refusal> {
        let mut id = [0; 16];
        self.random.fill(&mut id).map_err(|error| internal(&error))?;
        Ok(HEXLOWER.encode(&id))
    }

    /// Random octets.
    pub(super) fn octets(&self, count: usize) -> Result<Secret, Refusal> {
        let mut octets = zeroize::Zeroizing::new(vec![0; count]);
        self.random.fill(&mut octets).map_err(|error| internal(&error))?;
        Ok(Secret::new(std::mem::take(&mut *octets)))
    }

    /// Seals what leaves the host and comes back, for one purpose.
    pub(super) fn seal(&self, purpose: &str, bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.store.seal(purpose, bytes).map_err(unavailable)
    }

    /// Opens what was sealed for this purpose.
    pub(super) fn unseal(&self, purpose: &str, sealed: &[u8]) -> Result<Secret, Refusal> {
        self.store.unseal(purpose, sealed).map_err(|_| {
            Refusal::new(Code::RequestMalformed, "not a backup of this host, tenant and connector")
        })
    }

    pub(super) fn read<T: DeserializeOwned>(
        &self,
        tenant: &Tenant,
        shelf: Shelf<'_>,
        name: &str,
    ) -> Result<Option<Stored<T>>, Refusal> {
        let place = shelf.place(tenant, name);
        let Some(bytes) = self.store.get(&place).map_err(unavailable)? else { return Ok(None) };
        let record = serde_json::from_slice(bytes.expose()).map_err(|error| internal(&error))?;
        Ok(Some(Stored { record, place, bytes }))
    }

    /// Writes a record where there is none.
    pub(super) fn add<T: Serialize>(
        &self,
        tenant: &Tenant,
        shelf: Shelf<'_>,
        name: &str,
        record: &T,
    ) -> Result<(), Refusal> {
        let place = shelf.place(tenant, name);
        self.swap(&place, None, Some(record), name)
    }

    /// Puts a record in the place of the one that was read.
    pub(super) fn replace<T: Serialize>(
        &self,
        stored: &Stored<T>,
        record: &T,
        name: &str,
    ) -> Result<(), Refusal> {
        self.swap(&stored.place, Some(&stored.bytes), Some(record), name)
    }

    /// Removes the record that was read.
    pub(super) fn remove<T: Serialize>(
        &self,
        stored: &Stored<T>,
        name: &str,
    ) -> Result<(), Refusal> {
        self.swap::<T>(&stored.place, Some(&stored.bytes), None, name)
    }

    /// Removes whatever stands there.
    pub(super) fn forget(
        &self,
        tenant: &Tenant,
        shelf: Shelf<'_>,
        name: &str,
    ) -> Result<(), Refusal> {
        let place = shelf.place(tenant, name);
        for _ in 0..8 {
            let Some(bytes) = self.store.get(&place).map_err(unavailable)? else { return Ok(()) };
            if self.store.swap(&place, Some(bytes.expose()), None).map_err(unavailable)? {
                return Ok(());
            }
        }
        Err(Refusal::new(Code::StoreUnavailable, format!("the record of {name} keeps changing")))
    }

    /// The same of a key that is gone.
    pub(in crate::flow) fn forget_key(
        &self,
        tenant: &Tenant,
        connector: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        self.forget(tenant, Shelf::Keys(connector), name)
    }

    /// Refuses the release of a version that is deleted, never leaves, or is outside its time; of a key that
    /// nothing is known of here, nothing.
    pub(in crate::flow) fn releasable(
        &self,
        tenant: &Tenant,
        connector: &str,
        name: &str,
        number: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let stored = self.read::<KeyRecord>(tenant, Shelf::Keys(connector), name)?;
        let Some(Stored { record, .. }) = stored else {
            return Ok(());
        };
        if record.deletion.is_some() {
            return Err(Refusal::new(Code::KeyNotFound, format!("{name} is deleted")));
        }
        if !record.exportable {
            return Err(Refusal::new(Code::KeyNotExportable, format!("{name} is never released")));
        }
        match record.versions.iter().find(|version| version.number == number) {
            Some(version) => usable(&version.described, &format!("{name}/{}", version.id), now),
            None => Ok(()),
        }
    }

    /// The tenants that have anything in the store.
    pub(super) fn tenants(&self) -> Result<Vec<Tenant>, Refusal> {
        let (mut tenants, mut after) = (Vec::new(), None::<String>);
        loop {
            let found = self.store.range("t/", after.as_deref(), 1).map_err(unavailable)?;
            let name = found.first().and_then(|key| key.strip_prefix("t/")?.split('/').next());
            let Some(name) = name else { return Ok(tenants) };
            // Behind everything of that tenant: no name has a byte behind `~`.
            after = Some(format!("t/{name}/~"));
            match Tenant::parse(name) {
                Ok(tenant) => tenants.push(tenant),
                Err(error) => tracing::error!(name, %error, "a tenant in the store"),
            }
        }
    }

    /// Names behind `after`, at most `limit`.
    pub(super) fn names(
        &self,
        tenant: &Tenant,
        shelf: Shelf<'_>,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Refusal> {
        let prefix = shelf.place(tenant, prefix);
        let after = after.map(|after| format!("{prefix}{after}"));
        let keys = self.store.range(&prefix, after.as_deref(), limit).map_err(unavailable)?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    /// What is wanted on a shelf, by name, from behind `after`.
    pub(super) fn page<R: DeserializeOwned, T>(
        &self,
        tenant: &Tenant,
        shelf: Shelf<'_>,
        (after, limit): (Option<&str>, usize),
        wanted: impl Fn(&R) -> bool,
        describe: impl Fn(&str, &R) -> Result<T, Refusal>,
    ) -> Result<Page<T>, Refusal> {
        let limit = limit.clamp(1, LARGEST_PAGE);
        let (mut items, mut last) = (Vec::new(), after.map(ToOwned::to_owned));
        if let Some(after) = after {
            let cursor = |_| Refusal::new(Code::RequestMalformed, "not a cursor");
            names::check_key_name(after).map_err(cursor)?;
        }
        loop {
            let names = self.names(tenant, shelf, "", last.as_deref(), LARGEST_PAGE)?;
            if names.is_empty() {
                return Ok(Page { items, next: None });
            }
            for name in names {
                let stored = self.read::<R>(tenant, shelf, &name)?;
                if let Some(stored) = stored.filter(|stored| wanted(&stored.record)) {
                    if items.len() == limit {
                        return Ok(Page { items, next: last });
                    }
                    items.push(describe(&name, &stored.record)?);
                }
                last = Some(name);
            }
        }
    }

    fn swap<T: Serialize>(
        &self,
        place: &str,
        was: Option<&Secret>,
        record: Option<&T>,
        name: &str,
    ) -> Result<(), Refusal> {
        let bytes = record.map(serde_json::to_vec).transpose().map_err(|error| internal(&error))?;
        let bytes = bytes.map(Secret::new);
        let (was, now) = (was.map(Secret::expose), bytes.as_ref().map(Secret::expose));
        match self.store.swap(place, was, now).map_err(unavailable)? {
            true => Ok(()),
            false => Err(Refusal::new(Code::Conflict, format!("{name} was changed meanwhile"))),
        }
    }
}

/// Refuses a use outside of the time, or of what is disabled.
pub(super) fn usable(described: &Described, what: &str, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |code, why: &str| Err(Refusal::new(code, format!("{what} {why}")));
    if !described.enabled {
        return refuse(Code::KeyDisabled, "is disabled");
    }
    if described.not_before.is_some_and(|begins| now < begins) {
        return refuse(Code::KeyNotYetValid, "is not valid yet");
    }
    if described.expires.is_some_and(|ends| ends <= now) {
        return refuse(Code::KeyExpired, "has expired");
    }
    Ok(())
}

pub(super) fn internal(error: &impl ToString) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
