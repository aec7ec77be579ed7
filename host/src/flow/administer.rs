//! Keys under administration: made, listed, rotated, disabled, deleted; never read.
//!
//! A change is recorded before it is made (no record, no change), and once more with its outcome. It
//! runs to its end whatever becomes of the request: a client that goes away would otherwise leave
//! half of it behind.

use super::administer_policy::{check_policy, in_records};
use super::host::Host;
use super::record;
use super::release::{append, refuse_kms};
use super::release_policies::{StoredPolicy, check_name};
use super::request::{Caller, KeySummary, NewKey};
use crate::audit::{Event, Record};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::plugin::{KeyReference, KeySummary as KmsKeySummary, KmsFailure, NewKey as NewKmsKey};

impl Host {
    /// Makes or imports a key, with its release policy.
    pub async fn create_key(
        &self,
        caller: &Caller,
        principal: &str,
        key: NewKey,
    ) -> Result<KeySummary, Refusal> {
        check_name(&key.name)
            .map_err(|refusal| Refusal::new(Code::RequestMalformed, refusal.reason))?;
        let NewKey { name, kind, material, release_policy } = key;
        check_policy(&release_policy)?;
        let policy = StoredPolicy::new(release_policy, self.parts.clock.now());
        let entry = self
            .entry(Event::KeyCreated, caller, principal, &name)
            .policy(in_records(&policy.id()));
        let tenant = caller.tenant.clone();
        self.change(entry, version, move |host| async move {
            let kms = host.kms()?;
            let new = NewKmsKey { name: name.clone(), kind, exportable: true, material };
            // The key first: one without a policy cannot be released, and can be deleted. A policy
            // without a key would release whatever appears under its name later.
            let created = kms.create(&tenant, new).await;
            let summary = created.map_err(|failure| refuse_kms(kms.name(), failure))?;
            host.parts.release_policies.set(&tenant, kms.name(), &name, &policy)?;
            Ok(summary.into())
        })
        .await
    }

    /// A new version of a key; the old ones stay.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<KeySummary, Refusal> {
        let name = check_name(name)?.to_owned();
        let entry = self.entry(Event::KeyRotated, caller, principal, &name);
        let tenant = caller.tenant.clone();
        self.change(entry, version, move |host| async move {
            let kms = host.kms()?;
            let rotated = kms.rotate(&tenant, &name).await;
            rotated.map(KeySummary::from).map_err(|failure| refuse_kms(kms.name(), failure))
        })
        .await
    }

    /// The keys of the tenant, a page at a time, and the cursor of the next page.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        cursor: Option<String>,
    ) -> Result<(Vec<KeySummary>, Option<String>), Refusal> {
        let kms = self.kms()?;
        let (keys, next) = kms
            .list(&caller.tenant, cursor.as_deref())
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        Ok((keys.into_iter().map(KeySummary::from).collect(), next))
    }

    /// What may be known of a key.
    pub async fn get_key(&self, caller: &Caller, name: &str) -> Result<KeySummary, Refusal> {
        let (kms, reference) = (self.kms()?, reference(name, None)?);
        let summary = kms.get(&caller.tenant, &reference).await;
        summary.map(KeySummary::from).map_err(|failure| refuse_kms(kms.name(), failure))
    }

    /// All versions of a key.
    pub async fn key_versions(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Vec<KeySummary>, Refusal> {
        check_name(name)?;
        let kms = self.kms()?;
        let versions = kms
            .versions(&caller.tenant, name)
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        Ok(versions.into_iter().map(KeySummary::from).collect())
    }

    /// Enables or disables a key, or one version of it.
    pub async fn set_key_enabled(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
        version: Option<&str>,
        enabled: bool,
    ) -> Result<(), Refusal> {
        let reference = reference(name, version)?;
        let event = if enabled { Event::KeyEnabled } else { Event::KeyDisabled };
        let mut entry = self.entry(event, caller, principal, name);
        if let Some(version) = version {
            entry = entry.version(version);
        }
        let tenant = caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let kms = host.kms()?;
                let changed = kms.set_enabled(&tenant, &reference, enabled).await;
                changed.map(drop).map_err(|failure| refuse_kms(kms.name(), failure))
            },
        )
        .await
    }

    /// Deletes a key with all its versions, and its release policy.
    pub async fn delete_key(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        let name = check_name(name)?.to_owned();
        let entry = self.entry(Event::KeyDeleted, caller, principal, &name);
        let tenant = caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                // The policy first: from then on nothing is released, and what is cut short here can be
                // deleted again.
                let (kms, policies) = (host.kms()?, &host.parts.release_policies);
                let had_policy = policies.remove(&tenant, kms.name(), &name)?;
                match kms.delete(&tenant, &name).await {
                    Err(KmsFailure::NotFound) if had_policy => {}
                    deleted => deleted.map_err(|failure| refuse_kms(kms.name(), failure))?,
                }
                host.parts.vault.forget_key(&tenant, kms.name(), &name)
            },
        )
        .await
    }

    /// Records, changes, and records the outcome, in a task of its own.
    pub(super) async fn change<T, F>(
        &self,
        entry: Record,
        version: impl Fn(&T) -> Option<String> + Send + 'static,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Result<T, Refusal>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T, Refusal>> + Send,
    {
        let host = self.clone();
        let task = tokio::spawn(async move {
            append(&host.parts.audit, &entry.clone().begun()).await?;
            let changed = work(host.clone()).await;
            let entry = match &changed {
                Ok(changed) => match version(changed) {
                    Some(version) => entry.version(version),
                    None => entry,
                },
                Err(refusal) => entry.refusal(refusal),
            };
            append(&host.parts.audit, &entry).await?;
            changed
        });
        task.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?
    }

    pub(super) fn entry(
        &self,
        event: Event,
        caller: &Caller,
        principal: &str,
        key: &str,
    ) -> Record {
        record::plain(event, caller, self.parts.clock.now()).principal(principal).key(key)
    }
}

fn version(key: &KeySummary) -> Option<String> {
    Some(key.version.clone())
}

fn reference(name: &str, version: Option<&str>) -> Result<KeyReference, Refusal> {
    let name = check_name(name)?.to_owned();
    Ok(KeyReference { name, version: version.map(ToOwned::to_owned) })
}

impl From<KmsKeySummary> for KeySummary {
    fn from(key: KmsKeySummary) -> Self {
        Self {
            name: key.name,
            version: key.version,
            kind: key.kind,
            enabled: key.enabled,
            created: Timestamp(key.created),
            updated: Timestamp(key.updated),
        }
    }
}
