//! Keys under administration: made, listed, rotated, disabled, deleted; never read. Each change is
//! recorded before it is answered.

use super::host::Host;
use super::permit::{ReleasePolicies, ReleasePolicy, ReleaseRule, check_name};
use super::record;
use super::release::{append, refuse_kms};
use super::request::{Caller, KeySummary, NewKey};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::plugin::{KeyReference, KeySummary as KmsKeySummary, NewKey as NewKmsKey};

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
        let rule = ReleaseRule::parse(&key.release_policy).ok_or_else(|| {
            let reason = format!("unknown release policy {:?}", key.release_policy);
            Refusal::new(Code::RequestMalformed, reason)
        })?;
        let (kms, tenant) = (self.kms(), &caller.tenant);
        let created = self.parts.clock.now();
        let policies = ReleasePolicies(&self.parts.store);
        // The policy first: a key without one cannot be released, a policy without a key releases
        // nothing.
        policies.create(tenant, &key.name, &ReleasePolicy { rule, created })?;
        let NewKey { name, kind, material, .. } = key;
        let new = NewKmsKey { name: name.clone(), kind, exportable: true, material };
        match kms.create(tenant, new).await {
            Ok(summary) => {
                self.changed(Event::KeyCreated, caller, principal, &name, Some(&summary.version))
                    .await?;
                Ok(summary.into())
            }
            Err(failure) => {
                policies.remove(tenant, &name)?;
                Err(refuse_kms(kms.name(), failure))
            }
        }
    }

    /// A new version of a key; the old ones stay.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<KeySummary, Refusal> {
        check_name(name)?;
        let kms = self.kms();
        let summary = kms
            .rotate(&caller.tenant, name)
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        self.changed(Event::KeyRotated, caller, principal, name, Some(&summary.version)).await?;
        Ok(summary.into())
    }

    /// The keys of the tenant, a page at a time, and the cursor of the next page.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        cursor: Option<String>,
    ) -> Result<(Vec<KeySummary>, Option<String>), Refusal> {
        let kms = self.kms();
        let (keys, next) = kms
            .list(&caller.tenant, cursor.as_deref())
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        Ok((keys.into_iter().map(KeySummary::from).collect(), next))
    }

    /// What may be known of a key.
    pub async fn get_key(&self, caller: &Caller, name: &str) -> Result<KeySummary, Refusal> {
        let (kms, reference) = (self.kms(), reference(name, None)?);
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
        let kms = self.kms();
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
        let (kms, reference) = (self.kms(), reference(name, version)?);
        kms.set_enabled(&caller.tenant, &reference, enabled)
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        let event = if enabled { Event::KeyEnabled } else { Event::KeyDisabled };
        self.changed(event, caller, principal, name, version).await
    }

    /// Deletes a key with all its versions, and its release policy.
    pub async fn delete_key(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        check_name(name)?;
        let kms = self.kms();
        // Recorded first: what is gone cannot be brought back when the record fails.
        self.changed(Event::KeyDeleted, caller, principal, name, None).await?;
        // The policy before the key: where the connector fails, or the host stops in between, the
        // key cannot be released any more, and it can be deleted again.
        ReleasePolicies(&self.parts.store).remove(&caller.tenant, name)?;
        kms.delete(&caller.tenant, name).await.map_err(|failure| refuse_kms(kms.name(), failure))
    }

    async fn changed(
        &self,
        event: Event,
        caller: &Caller,
        principal: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(), Refusal> {
        let mut entry =
            record::plain(event, caller, self.parts.clock.now()).principal(principal).key(key);
        if let Some(version) = version {
            entry = entry.version(version);
        }
        append(&self.parts.audit, &entry).await.map(drop)
    }
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
