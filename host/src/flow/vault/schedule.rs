//! What a vault does by the clock: it rotates keys by their policies, and destroys what was deleted and can
//! no longer be recovered. Hosts may share a store: whoever is first to mark a record does it, once.

use std::sync::Arc;

use super::Actor;
use super::record::{KeyRecord, SecretRecord, Shelf, Stored};
use super::rotation::due;
use super::types::Deletion;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::request::Caller;
use crate::permission::Permissions;
use crate::plugin::KmsPlugin;
use crate::tenant::Tenant;

/// Who acts by the clock, in the audit log.
const SCHEDULE: &str = "schedule";

/// Records that are read at a time.
const PAGE: usize = 100;

/// After how many seconds another host may rotate what one began to rotate and did not finish.
const ABANDONED: u64 = 600;

/// What was due and was done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Upkeep {
    /// Keys that were rotated, as `tenant/name`.
    pub rotated: Vec<String>,
    /// Keys and secrets that were destroyed, as `tenant/name`.
    pub purged: Vec<String>,
}

impl Host {
    /// Does what is due in the vaults of all tenants. What fails is logged, and is due again next time.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub async fn vault_upkeep(&self) -> Result<Upkeep, Refusal> {
        let (mut done, kms) = (Upkeep::default(), self.kms()?);
        for tenant in self.parts.vault.tenants()? {
            for name in self.names_in(&tenant, Shelf::Keys(kms.name()))? {
                let kept = self.upkeep_of_key(&kms, &tenant, &name, &mut done).await;
                report(kept, &tenant, &name);
            }
            for name in self.names_in(&tenant, Shelf::Secrets)? {
                let kept = self.upkeep_of_secret(&tenant, &name, &mut done).await;
                report(kept, &tenant, &name);
            }
        }
        Ok(done)
    }

    async fn upkeep_of_key(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
        done: &mut Upkeep,
    ) -> Result<(), Refusal> {
        let shelf = Shelf::Keys(kms.name());
        let Some(stored) = self.parts.vault.read::<KeyRecord>(tenant, shelf, name)? else {
            return Ok(());
        };
        let now = self.parts.clock.now();
        if over(stored.record.deletion, now) {
            self.expire_key(kms, tenant, name, &stored).await?;
            done.purged.push(format!("{tenant}/{name}"));
        } else if due(&stored.record, now) && !is_begun(&stored.record, now) {
            let record = KeyRecord { rotating: Some(now), ..stored.record.clone() };
            self.parts.vault.replace(&stored, &record, name)?;
            let caller = self.by_the_clock(tenant)?;
            let permissions = Permissions::all();
            let actor = Actor { caller: &caller, principal: SCHEDULE, permissions: &permissions };
            self.vault_rotate(actor, name).await?;
            done.rotated.push(format!("{tenant}/{name}"));
        }
        Ok(())
    }

    async fn upkeep_of_secret(
        &self,
        tenant: &Tenant,
        name: &str,
        done: &mut Upkeep,
    ) -> Result<(), Refusal> {
        let Some(stored) = self.parts.vault.read::<SecretRecord>(tenant, Shelf::Secrets, name)?
        else {
            return Ok(());
        };
        if !over(stored.record.deletion, self.parts.clock.now()) {
            return Ok(());
        }
        let caller = self.by_the_clock(tenant)?;
        let entry = self.entry(Event::SecretDeleted, &caller, SCHEDULE, name).detail("for good");
        let gone = name.to_owned();
        let removed = self.change(
            entry,
            |()| None,
            move |host| async move { host.parts.vault.remove(&stored, &gone) },
        );
        removed.await?;
        done.purged.push(format!("{tenant}/{name}"));
        Ok(())
    }

    /// Destroys a key whose time to be recovered is over. It is marked first: a host whose clock is behind
    /// cannot recover it any more while it is being destroyed.
    pub(super) async fn expire_key(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
        stored: &Stored<KeyRecord>,
    ) -> Result<(), Refusal> {
        if let Some(deletion) = stored.record.deletion
            && deletion.purge != Timestamp(0)
        {
            let deletion = Some(Deletion { purge: Timestamp(0), ..deletion });
            let record = KeyRecord { deletion, ..stored.record.clone() };
            self.parts.vault.replace(stored, &record, name)?;
        }
        let caller = self.by_the_clock(tenant)?;
        let entry = self.entry(Event::KeyPurged, &caller, SCHEDULE, name);
        let (kms, tenant, name) = (Arc::clone(kms), tenant.clone(), name.to_owned());
        self.change(
            entry,
            |()| None,
            move |host| async move { host.destroy(&kms, &tenant, &name).await },
        )
        .await
    }

    fn by_the_clock(&self, tenant: &Tenant) -> Result<Caller, Refusal> {
        Ok(Caller { request_id: self.parts.identifier()?, tenant: tenant.clone() })
    }

    /// All names, before anything is done that changes which there are.
    fn names_in(&self, tenant: &Tenant, shelf: Shelf<'_>) -> Result<Vec<String>, Refusal> {
        let mut names: Vec<String> = Vec::new();
        loop {
            let after = names.last().map(String::as_str);
            let more = self.parts.vault.names(tenant, shelf, "", after, PAGE)?;
            if more.is_empty() {
                return Ok(names);
            }
            names.extend(more);
        }
    }
}

/// Whether the time in which a deletion can be taken back is over.
pub(super) fn over(deletion: Option<Deletion>, now: Timestamp) -> bool {
    deletion.is_some_and(|deletion| deletion.purge <= now)
}

/// Whether a host is about to rotate the key.
fn is_begun(record: &KeyRecord, now: Timestamp) -> bool {
    record.rotating.is_some_and(|begun| now < begun.plus(ABANDONED))
}

/// Another host was quicker, or what is due stays so.
fn report(kept: Result<(), Refusal>, tenant: &Tenant, name: &str) {
    match kept {
        Err(refusal) if refusal.code == Code::Conflict => {}
        Err(refusal) => tracing::error!(%tenant, name, %refusal, "upkeep of a vault"),
        Ok(()) => {}
    }
}
