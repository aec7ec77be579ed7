//! Keys deleted, so that they can be recovered; recovered, and destroyed.

use std::sync::Arc;

use super::Actor;
use super::keys::{not_found, pick};
use super::record::{KeyRecord, Shelf, Stored};
use super::types::{Deletion, KeyDescription, Page};
use crate::audit::Event;
use crate::error::Refusal;
use crate::flow::host::Host;
use crate::flow::release::refuse_kms;
use crate::flow::release_policies::check_name;
use crate::permission::Permission;
use crate::plugin::{KmsFailure, KmsPlugin};
use crate::tenant::Tenant;

impl Host {
    /// Deletes a key. Nothing uses or releases it any more; for a while it can be recovered.
    pub async fn vault_delete(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<(KeyDescription, Deletion), Refusal> {
        actor.require(Permission::KeysDelete)?;
        let name = check_name(name)?.to_owned();
        let entry = self
            .entry(Event::KeyDeleted, actor.caller, actor.principal, &name)
            .detail("can be recovered");
        let tenant = actor.caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let kms = host.kms()?;
                let held = host.alive(&kms, &tenant, &name).await?;
                let deletion = host.parts.vault.deletion(&tenant, host.parts.clock.now());
                let record = KeyRecord { deletion: Some(deletion), ..held.record.clone() };
                host.parts.vault.replace(&held, &record, &name)?;
                let newest = pick(&record, &name, None)?;
                Ok((host.describe(&kms, &tenant, &name, &record, newest)?, deletion))
            },
        )
        .await
    }

    /// A deleted key.
    pub async fn vault_deleted_key(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<(KeyDescription, Deletion), Refusal> {
        actor.require(Permission::KeysGet)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let (held, deletion) = self.gone(&kms, tenant, name).await?;
        let newest = pick(&held.record, name, None)?;
        Ok((self.describe(&kms, tenant, name, &held.record, newest)?, deletion))
    }

    /// The deleted keys by name.
    pub async fn vault_deleted_keys(
        &self,
        actor: Actor<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(KeyDescription, Deletion)>, Refusal> {
        actor.require(Permission::KeysList)?;
        let (kms, tenant, now) = (self.kms()?, &actor.caller.tenant, self.parts.clock.now());
        let recoverable =
            |record: &KeyRecord| record.deletion.is_some_and(|deletion| now < deletion.purge);
        let shelf = Shelf::Keys(kms.name());
        self.parts.vault.page(tenant, shelf, (after, limit), recoverable, |name, record| {
            let newest = pick(record, name, None)?;
            let deletion = record.deletion.ok_or_else(|| not_found(name))?;
            Ok((self.describe(&kms, tenant, name, record, newest)?, deletion))
        })
    }

    /// Takes a deletion back.
    pub async fn vault_recover(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<KeyDescription, Refusal> {
        actor.require(Permission::KeysRecover)?;
        let name = check_name(name)?.to_owned();
        let entry = self.entry(Event::KeyRecovered, actor.caller, actor.principal, &name);
        let tenant = actor.caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let kms = host.kms()?;
                let (held, _) = host.gone(&kms, &tenant, &name).await?;
                let record = KeyRecord { deletion: None, ..held.record.clone() };
                host.parts.vault.replace(&held, &record, &name)?;
                let newest = pick(&record, &name, None)?;
                host.describe(&kms, &tenant, &name, &record, newest)
            },
        )
        .await
    }

    /// Destroys a deleted key with all its versions.
    pub async fn vault_purge(&self, actor: Actor<'_>, name: &str) -> Result<(), Refusal> {
        actor.require(Permission::KeysPurge)?;
        let name = check_name(name)?.to_owned();
        let entry = self.entry(Event::KeyPurged, actor.caller, actor.principal, &name);
        let tenant = actor.caller.tenant.clone();
        self.change(
            entry,
            |()| None,
            move |host| async move {
                let kms = host.kms()?;
                host.gone(&kms, &tenant, &name).await?;
                host.destroy(&kms, &tenant, &name).await
            },
        )
        .await
    }

    /// A key that was deleted and can be recovered.
    async fn gone(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
    ) -> Result<(Stored<KeyRecord>, Deletion), Refusal> {
        let held = self.holding(kms, tenant, name).await?;
        let deletion = held.record.deletion.ok_or_else(|| not_found(name))?;
        Ok((held, deletion))
    }

    /// The policy first: from then on nothing is released, and what is cut short here can be done again.
    pub(super) async fn destroy(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        name: &str,
    ) -> Result<(), Refusal> {
        self.parts.release_policies.remove(tenant, kms.name(), name)?;
        match kms.delete(tenant, name).await {
            Ok(()) | Err(KmsFailure::NotFound) => {
                self.parts.vault.forget(tenant, Shelf::Keys(kms.name()), name)
            }
            Err(failure) => Err(refuse_kms(kms.name(), failure)),
        }
    }
}
