//! Release policies of secrets. A secret that has one is read by nobody: like a key it leaves wrapped to an
//! attested recipient, or not at all.

use super::Actor;
use super::record::{SecretRecord, SecretVersion, Shelf, Vault, usable};
use super::schedule::over;
use super::secrets::{not_found, pick};
use super::types::SecretDescription;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::administer_policy::{check_policy, in_records};
use crate::flow::host::Host;
use crate::flow::release_policies::StoredPolicy;
use crate::flow::request::NewReleasePolicy;
use crate::permission::Permission;
use crate::secret::Secret;
use crate::tenant::Tenant;

/// A secret on its way to an attested recipient.
pub(in crate::flow) struct LeavingSecret {
    pub(in crate::flow) value: Secret,
    /// The version's identifier.
    pub(in crate::flow) version: String,
}

impl Vault {
    /// The release policy of a secret; none: it has none, or is not there.
    pub(in crate::flow) fn secret_policy(
        &self,
        tenant: &Tenant,
        name: &str,
        now: Timestamp,
    ) -> Result<Option<StoredPolicy>, Refusal> {
        let stored = self.read::<SecretRecord>(tenant, Shelf::Secrets, name)?;
        let record = stored.map(|stored| stored.record);
        let there = record.filter(|record| !over(record.deletion, now));
        Ok(there.and_then(|record| record.release_policy))
    }

    /// The value of a version, by its identifier or the newest, that is there and within its time.
    pub(in crate::flow) fn secret_to_release(
        &self,
        tenant: &Tenant,
        name: &str,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<LeavingSecret, Refusal> {
        let stored = self.read::<SecretRecord>(tenant, Shelf::Secrets, name)?;
        let record = stored.map(|stored| stored.record);
        let record = record.filter(|record| record.deletion.is_none());
        let record = record.ok_or_else(|| not_found(name))?;
        let version = pick(&record, name, version)?;
        usable(&version.described, &format!("{name}/{}", version.id), now)?;
        let value = Secret::new(version.value.0.as_bytes().to_vec());
        Ok(LeavingSecret { value, version: version.id.clone() })
    }
}

impl Host {
    /// Gives a secret a release policy, or another in the place of the one that it has. From the answer on
    /// nobody reads it.
    pub async fn secret_set_release_policy(
        &self,
        actor: Actor<'_>,
        name: &str,
        policy: NewReleasePolicy,
    ) -> Result<SecretDescription, Refusal> {
        actor.require(Permission::SecretsSet)?;
        let policy = checked(policy, self.parts.clock.now())?;
        let entry = self
            .entry(Event::PolicyChanged, actor.caller, actor.principal, name)
            .policy(in_records(&policy.id()))
            .detail("of a secret");
        let (name, tenant) = (name.to_owned(), actor.caller.tenant.clone());
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let stored = host.living_secret(&tenant, &name)?;
                let old = stored.record.release_policy.as_ref();
                if old.is_some_and(|old| policy.is_as(old)) {
                    return host.describe_newest(&tenant, &name, &stored.record);
                }
                if old.is_some_and(|old| old.immutable) {
                    let reason = format!("the release policy of {name} was made immutable");
                    return Err(Refusal::new(Code::PolicyImmutable, reason));
                }
                let release_policy = Some(policy);
                let record = SecretRecord { release_policy, ..stored.record.clone() };
                host.parts.vault.replace(&stored, &record, &name)?;
                host.describe_newest(&tenant, &name, &record)
            },
        )
        .await
    }

    pub(super) fn describe_newest(
        &self,
        tenant: &Tenant,
        name: &str,
        record: &SecretRecord,
    ) -> Result<SecretDescription, Refusal> {
        let newest = pick(record, name, None)?;
        Ok(self.describe_secret(tenant, name, record, newest))
    }

    pub(super) fn describe_secret(
        &self,
        tenant: &Tenant,
        name: &str,
        record: &SecretRecord,
        version: &SecretVersion,
    ) -> SecretDescription {
        let policy = record.release_policy.as_ref();
        SecretDescription {
            name: name.to_owned(),
            version: version.id.clone(),
            content_type: version.content_type.clone(),
            described: version.described.clone(),
            release_policy: policy.map(|policy| NewReleasePolicy {
                language: policy.language,
                text: policy.text.clone(),
                immutable: policy.immutable,
            }),
            recoverable_days: self.parts.vault.recoverable_days(tenant, record.deletion),
        }
    }
}

/// A policy as it is stored, once it is known to compile.
pub(super) fn checked(policy: NewReleasePolicy, now: Timestamp) -> Result<StoredPolicy, Refusal> {
    check_policy(&policy)?;
    Ok(StoredPolicy::new(policy, now))
}
