//! Reference values under administration: added, listed, replaced, taken back. Recorded as every
//! administrative change is; what is refused before anything is changed is recorded, too.

use std::sync::Arc;

use super::host::{Host, Parts};
use super::record;
use super::release::append;
use super::request::Caller;
use super::waiting::waiting;
use crate::audit::{Digest, Event, Record};
use crate::error::{Code, Refusal};
use crate::reference::{Act, Admitted, Change, Container, Opened, Reference, References, Snapshot};
use crate::tenant::Tenant;

impl Parts {
    /// The reference values of this moment. Where memory does not have them, it waits for the store.
    pub(super) async fn reference_values(
        self: &Arc<Self>,
        tenant: &Tenant,
    ) -> Result<Arc<Snapshot>, Refusal> {
        let now = self.clock.now();
        if let Some(known) = self.references.remembered(tenant, now) {
            return Ok(known);
        }
        let (parts, tenant) = (Arc::clone(self), tenant.clone());
        waiting(move || parts.references.snapshot(&tenant, now)).await
    }
}

/// Documents on one page of a list.
const PAGE: usize = 100;

impl Host {
    /// Adds a reference document, in the place of `replaces` where that is given.
    pub async fn add_reference(
        &self,
        caller: &Caller,
        principal: &str,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<&str>,
    ) -> Result<Reference, Refusal> {
        let entry = self.reference_entry(Event::ReferenceAdded, caller, principal);
        let tenant = caller.tenant.clone();
        let admitted = self
            .with_references(move |references| {
                let opened = Opened::read(container, &bytes)?;
                Ok(opened.admit(references.signers(), &tenant)?)
            })
            .await;
        let replaces = replaces.map(digest).transpose();
        let (admitted, replaces): (Admitted, _) =
            match admitted.and_then(|one| Ok((one, replaces?))) {
                Ok(sound) => sound,
                Err(refusal) => {
                    append(&self.parts.audit, &entry.refusal(&refusal)).await?;
                    return Err(refusal);
                }
            };
        let mut detail = admitted.describe();
        if let Some(replaced) = replaces {
            detail.push_str(&format!(", in the place of {replaced}"));
        }
        let (tenant, act) = (caller.tenant.clone(), self.act(caller, principal));
        self.change(
            entry.detail(detail),
            |_| None,
            move |host| async move {
                host.with_references(move |references| {
                    references.add(&tenant, &admitted, &act, replaces)
                })
                .await
            },
        )
        .await
    }

    /// Takes a reference document back: from the next decision on its values do not count.
    pub async fn revoke_reference(
        &self,
        caller: &Caller,
        principal: &str,
        id: &str,
    ) -> Result<(), Refusal> {
        let id = digest(id)?;
        let entry = self.reference_entry(Event::ReferenceRevoked, caller, principal);
        let (tenant, act) = (caller.tenant.clone(), self.act(caller, principal));
        self.change(
            entry.detail(format!("reference {id}")),
            |()| None,
            move |host| async move {
                host.with_references(move |references| references.revoke(&tenant, id, &act)).await
            },
        )
        .await
    }

    /// The tenant's reference documents, a page at a time, and the cursor of the next page.
    pub async fn list_references(
        &self,
        caller: &Caller,
        cursor: Option<String>,
    ) -> Result<(Vec<Reference>, Option<String>), Refusal> {
        let after = cursor.as_deref().map(digest).transpose()?;
        let (tenant, now) = (caller.tenant.clone(), self.parts.clock.now());
        self.with_references(move |references| {
            let (listed, more) = references.list(&tenant, after, PAGE, now)?;
            let next = listed.last().filter(|_| more).map(|last| last.id.to_string());
            Ok((listed, next))
        })
        .await
    }

    /// One reference document, and the bytes that it came as.
    pub async fn get_reference(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(Reference, Vec<u8>), Refusal> {
        let id = digest(id)?;
        let (tenant, now) = (caller.tenant.clone(), self.parts.clock.now());
        self.with_references(move |references| {
            Ok((references.get(&tenant, id, now)?, references.bytes(&tenant, id)?))
        })
        .await
    }

    /// What happened to the tenant's reference documents, the latest first.
    pub async fn reference_history(&self, caller: &Caller) -> Result<Vec<Change>, Refusal> {
        let tenant = caller.tenant.clone();
        self.with_references(move |references| references.history(&tenant)).await
    }

    /// The store may wait for the disk.
    async fn with_references<T: Send + 'static>(
        &self,
        work: impl FnOnce(&References) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let host = self.clone();
        waiting(move || work(&host.parts.references)).await
    }

    fn reference_entry(&self, event: Event, caller: &Caller, principal: &str) -> Record {
        record::plain(event, caller, self.parts.clock.now()).principal(principal)
    }

    fn act(&self, caller: &Caller, principal: &str) -> Act {
        Act {
            at: self.parts.clock.now(),
            by: principal.to_owned(),
            request: caller.request_id.clone(),
        }
    }
}

/// What is no digest names nothing.
fn digest(id: &str) -> Result<Digest, Refusal> {
    let absent = || Refusal::new(Code::NotFound, format!("no reference document {id:?}"));
    Digest::parse(id).ok_or_else(absent)
}
