//! A key's record beside what its connector says of it now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keys::not_found;
use super::material;
use super::record::{KeyRecord, KeyVersion, Shelf, Stored};
use super::schedule::over;
use super::types::{Described, Operation};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::release::refuse_kms;
use crate::flow::release_policies::check_name;
use crate::plugin::{KeySummary as KmsKeySummary, KmsFailure, KmsPlugin};
use crate::tenant::Tenant;

/// How often a record is read again after another was quicker to change it.
pub(super) const ATTEMPTS: usize = 4;

impl Host {
    /// A key that is not deleted.
    pub(super) async fn alive(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Stored<KeyRecord>, Refusal> {
        let held = self.holding(kms, tenant, name).await?;
        match held.record.deletion {
            None => Ok(held),
            Some(_) => Err(not_found(name)),
        }
    }

    /// What is known of a key, a deleted one too, as its connector has it now: versions that were made or
    /// taken away without this record are seen here first.
    pub(super) async fn holding(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Stored<KeyRecord>, Refusal> {
        check_name(name)?;
        for _ in 0..ATTEMPTS {
            let stored =
                self.parts.vault.read::<KeyRecord>(tenant, Shelf::Keys(kms.name()), name)?;
            let versions = match kms.versions(tenant, name).await {
                Err(KmsFailure::NotFound) => {
                    if stored.is_some() {
                        self.parts.vault.forget(tenant, Shelf::Keys(kms.name()), name)?;
                    }
                    return Err(not_found(name));
                }
                versions => versions.map_err(|failure| refuse_kms(kms.name(), failure))?,
            };
            let Some(stored) = stored else {
                let adopted = self.reconciled(kms, tenant, None, &versions).await?;
                let added = self.parts.vault.add(tenant, Shelf::Keys(kms.name()), name, &adopted);
                again_on_conflict(added)?;
                continue;
            };
            if over(stored.record.deletion, self.parts.clock.now()) {
                self.expire_key(kms, tenant, name, &stored).await?;
                return Err(not_found(name));
            }
            let record = self.reconciled(kms, tenant, Some(&stored.record), &versions).await?;
            if record == stored.record {
                return Ok(stored);
            }
            again_on_conflict(self.parts.vault.replace(&stored, &record, name))?;
        }
        Err(Refusal::new(Code::Conflict, format!("{name} keeps changing")))
    }

    /// Writes down what the connector has of which nothing is known here: keys that were made before there
    /// were such records, or past them.
    pub(super) async fn adopt(&self, kms: &Arc<KmsPlugin>, tenant: &Tenant) -> Result<(), Refusal> {
        let mut cursor = None;
        loop {
            let (keys, next) = match kms.list(tenant, cursor.as_deref()).await {
                Err(KmsFailure::Unsupported(_)) => return Ok(()),
                page => page.map_err(|failure| refuse_kms(kms.name(), failure))?,
            };
            for key in keys {
                let shelf = Shelf::Keys(kms.name());
                if self.parts.vault.read::<KeyRecord>(tenant, shelf, &key.name)?.is_none() {
                    // One that is gone meanwhile, or does not come into the host's hands, is not listed.
                    if let Err(refusal) = self.holding(kms, tenant, &key.name).await {
                        tracing::warn!(%tenant, key = key.name, %refusal, "not adopted");
                    }
                }
            }
            match next {
                Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }

    async fn reconciled(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        known: Option<&KeyRecord>,
        versions: &[KmsKeySummary],
    ) -> Result<KeyRecord, Refusal> {
        let kind = versions.first().map(|version| version.kind.clone()).unwrap_or_default();
        let mut record = known.cloned().unwrap_or_else(|| KeyRecord {
            kind: kind.clone(),
            hardware: false,
            exportable: true,
            versions: Vec::new(),
            deletion: None,
            rotation: None,
            rotating: None,
        });
        let mut kept = Vec::with_capacity(versions.len());
        for summary in versions {
            let known = record.versions.iter().find(|known| known.number == summary.version);
            let mut version = match known {
                Some(known) => known.clone(),
                None => KeyVersion {
                    id: self.parts.vault.identifier()?,
                    number: summary.version.clone(),
                    public: None,
                    operations: usual(&kind),
                    described: Described {
                        enabled: summary.enabled,
                        not_before: None,
                        expires: None,
                        created: Timestamp(summary.created),
                        updated: Timestamp(summary.updated),
                        tags: BTreeMap::new(),
                    },
                },
            };
            version.described.enabled = summary.enabled;
            if version.public.is_none() && !kind.starts_with("oct-") && summary.enabled {
                let material = material::of(kms, tenant, &summary.name, &summary.version).await?;
                version.public = material::public(&kind, &material)?;
            }
            kept.push(version);
        }
        record.versions = kept;
        Ok(record)
    }
}

/// What a kind of key can do.
pub(super) fn usual(kind: &str) -> Vec<Operation> {
    use Operation as O;
    match kind.split('-').next() {
        Some("rsa") => {
            vec![O::Decrypt, O::Encrypt, O::Sign, O::UnwrapKey, O::Verify, O::WrapKey]
        }
        Some("oct") => vec![O::Decrypt, O::Encrypt, O::UnwrapKey, O::WrapKey],
        _ => vec![O::Sign, O::Verify],
    }
}

fn again_on_conflict(done: Result<(), Refusal>) -> Result<(), Refusal> {
    match done {
        Err(refusal) if refusal.code == Code::Conflict => Ok(()),
        done => done,
    }
}
