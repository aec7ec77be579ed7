//! Keys: made, imported, described, listed, changed, rotated.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::holding::{ATTEMPTS, usual};
use super::material;
use super::record::{KeyRecord, KeyVersion, Shelf, Stored};
use super::types::{Attributes, Described, KeyChange, KeyDescription, NewVaultKey, Page};
use super::{Actor, LARGEST_PAGE, rotation};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::administer_policy::{check_policy, in_records};
use crate::flow::host::Host;
use crate::flow::release::refuse_kms;
use crate::flow::release_policies::{StoredPolicy, check_name};
use crate::flow::request::NewReleasePolicy;
use crate::permission::Permission;
use crate::plugin::{KeyReference, KeySummary as KmsKeySummary, KmsPlugin, NewKey as NewKmsKey};
use crate::secret::Secret;
use crate::tenant::Tenant;

impl Host {
    /// Makes or imports a key; where there is one of that name already, it gets a version.
    pub async fn vault_create(
        &self,
        actor: Actor<'_>,
        mut new: NewVaultKey,
    ) -> Result<KeyDescription, Refusal> {
        let imported = new.material.is_some();
        actor.require(if imported { Permission::KeysImport } else { Permission::KeysCreate })?;
        check_name(&new.name)
            .map_err(|refusal| Refusal::new(Code::RequestMalformed, refusal.reason))?;
        let policy = match &new.release_policy {
            None => None,
            Some(policy) => {
                check_policy(policy)?;
                Some(StoredPolicy::new(policy.clone(), self.parts.clock.now()))
            }
        };
        let mut entry = self.entry(Event::KeyCreated, actor.caller, actor.principal, &new.name);
        if let Some(policy) = &policy {
            entry = entry.policy(in_records(&policy.id()));
        }
        let material = self.material_of(actor, &mut new).await?;
        let tenant = actor.caller.tenant.clone();
        self.change(entry, version, move |host| async move {
            let kms = host.kms()?;
            match host.holding(&kms, &tenant, &new.name).await {
                Ok(held) if held.record.deletion.is_some() => Err(deleted(&new.name)),
                // A version does not change what the key is released for.
                Ok(_) if policy.is_some() => {
                    let reason = format!("{}: there is a key of that name", new.name);
                    Err(Refusal::new(Code::Conflict, reason))
                }
                Ok(held) => host.add_version(&kms, &tenant, held, &new, material).await,
                Err(refusal) if refusal.code == Code::KeyNotFound => {
                    host.first_version(&kms, &tenant, new, material, policy).await
                }
                Err(refusal) => Err(refusal),
            }
        })
        .await
    }

    /// What may be known of a version; of the newest where none is named.
    pub async fn vault_key(
        &self,
        actor: Actor<'_>,
        name: &str,
        version: Option<&str>,
    ) -> Result<KeyDescription, Refusal> {
        actor.require(Permission::KeysGet)?;
        let kms = self.kms()?;
        let held = self.alive(&kms, &actor.caller.tenant, name).await?;
        let version = pick(&held.record, name, version)?;
        self.describe(&kms, &actor.caller.tenant, name, &held.record, version)
    }

    /// The keys of the tenant by name, each as its newest version.
    pub async fn vault_keys(
        &self,
        actor: Actor<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyDescription>, Refusal> {
        actor.require(Permission::KeysList)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        if after.is_none() {
            self.adopt(&kms, tenant).await?;
        }
        self.parts.vault.page(
            tenant,
            Shelf::Keys(kms.name()),
            (after, limit),
            |record: &KeyRecord| record.deletion.is_none(),
            |name, record| {
                let version = pick(record, name, None)?;
                self.describe(&kms, tenant, name, record, version)
            },
        )
    }

    /// The versions of a key, oldest first.
    pub async fn vault_versions(
        &self,
        actor: Actor<'_>,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<KeyDescription>, Refusal> {
        actor.require(Permission::KeysList)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let held = self.alive(&kms, tenant, name).await?;
        let limit = limit.clamp(1, LARGEST_PAGE);
        let versions = &held.record.versions;
        let begin = match after {
            None => 0,
            Some(after) => versions
                .iter()
                .position(|version| version.id == after)
                .map(|found| found.saturating_add(1))
                .ok_or_else(|| Refusal::new(Code::RequestMalformed, "not a cursor"))?,
        };
        let page: Vec<_> = versions.iter().skip(begin).take(limit).collect();
        let more = versions.len() > begin.saturating_add(page.len());
        let next = page.last().filter(|_| more).map(|version| version.id.clone());
        let describe =
            |version: &&KeyVersion| self.describe(&kms, tenant, name, &held.record, version);
        Ok(Page { items: page.iter().map(describe).collect::<Result<_, _>>()?, next })
    }

    /// Changes a version, and the key's release policy.
    pub async fn vault_update(
        &self,
        actor: Actor<'_>,
        name: &str,
        version: Option<&str>,
        change: KeyChange,
    ) -> Result<KeyDescription, Refusal> {
        actor.require(Permission::KeysUpdate)?;
        let tenant = actor.caller.tenant.clone();
        let kms = self.kms()?;
        let held = self.alive(&kms, &tenant, name).await?;
        let picked = pick(&held.record, name, version)?.id.clone();
        if change.exportable.is_some_and(|exportable| exportable != held.record.exportable) {
            let reason = "whether a key may be released never changes";
            return Err(Refusal::new(Code::PolicyImmutable, reason));
        }
        if let Some(policy) = change.release_policy.clone() {
            if !held.record.exportable {
                let reason = "a key that is never released has no release policy";
                return Err(Refusal::new(Code::KeyNotExportable, reason));
            }
            self.set_release_policy(actor.caller, actor.principal, name, policy).await?;
        }
        let entry = self
            .entry(Event::KeyUpdated, actor.caller, actor.principal, name)
            .version(picked.as_str());
        let name = name.to_owned();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let held = host.alive(&kms, &tenant, &name).await?;
                let mut record = held.record.clone();
                let now = host.parts.clock.now();
                let found = record.versions.iter_mut().find(|version| version.id == picked);
                let found = found.ok_or_else(|| not_found(&name))?;
                apply(&mut found.described, &change.attributes, change.tags.as_ref(), now);
                if let Some(operations) = change.operations {
                    found.operations = operations;
                }
                let (number, found) = (found.number.clone(), found.clone());
                if let Some(enabled) = change.attributes.enabled {
                    let reference = KeyReference { name: name.clone(), version: Some(number) };
                    let set = kms.set_enabled(&tenant, &reference, enabled).await;
                    set.map_err(|failure| refuse_kms(kms.name(), failure))?;
                }
                host.parts.vault.replace(&held, &record, &name)?;
                host.describe(&kms, &tenant, &name, &record, &found)
            },
        )
        .await
    }

    /// Gives a key a new version, made as the last one was.
    pub async fn vault_rotate(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<KeyDescription, Refusal> {
        actor.require(Permission::KeysRotate)?;
        let name = check_name(name)?.to_owned();
        let entry = self.entry(Event::KeyRotated, actor.caller, actor.principal, &name);
        let tenant = actor.caller.tenant.clone();
        self.change(entry, version, move |host| async move {
            let kms = host.kms()?;
            let held = host.alive(&kms, &tenant, &name).await?;
            let last = pick(&held.record, &name, None)?.clone();
            let now = host.parts.clock.now();
            let policy = held.record.rotation.as_ref();
            let expires = policy.and_then(|policy| rotation::expiry(policy, now));
            let like = NewVaultKey {
                name: name.clone(),
                kind: held.record.kind.clone(),
                hardware: held.record.hardware,
                material: None,
                attributes: Attributes { enabled: None, not_before: None, expires },
                operations: Some(last.operations),
                tags: last.described.tags,
                exportable: held.record.exportable,
                release_policy: None,
            };
            host.add_version(&kms, &tenant, held, &like, None).await
        })
        .await
    }

    async fn first_version(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        new: NewVaultKey,
        material: Option<Secret>,
        policy: Option<StoredPolicy>,
    ) -> Result<KeyDescription, Refusal> {
        let made = NewKmsKey {
            name: new.name.clone(),
            kind: new.kind.clone(),
            // Whether it leaves is for the record and the release policy: the host itself uses it.
            exportable: true,
            material,
        };
        let created = kms.create(tenant, made).await;
        let summary = created.map_err(|failure| refuse_kms(kms.name(), failure))?;
        let kept = async {
            let first = self.version_of(kms, tenant, &summary, &new).await?;
            let record = KeyRecord {
                kind: summary.kind.clone(),
                hardware: new.hardware,
                exportable: new.exportable,
                versions: vec![first.clone()],
                deletion: None,
                rotation: None,
                rotating: None,
            };
            let name = &new.name;
            self.parts.vault.add(tenant, Shelf::Keys(kms.name()), name, &record)?;
            // The key first: one without a policy cannot be released, and can be deleted.
            match policy {
                Some(policy) => {
                    self.parts.release_policies.set(tenant, kms.name(), name, &policy)?;
                }
                None => drop(self.parts.release_policies.remove(tenant, kms.name(), name)?),
            }
            self.describe(kms, tenant, name, &record, &first)
        };
        let kept = kept.await;
        if kept.is_err() {
            // What nobody was told of does not stay.
            self.parts.vault.forget(tenant, Shelf::Keys(kms.name()), &new.name)?;
            let taken_back = kms.delete(tenant, &new.name).await;
            taken_back.map_err(|failure| refuse_kms(kms.name(), failure))?;
        }
        kept
    }

    async fn add_version(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        held: Stored<KeyRecord>,
        new: &NewVaultKey,
        material: Option<Secret>,
    ) -> Result<KeyDescription, Refusal> {
        if held.record.kind != new.kind {
            let reason = format!("{} is a key of another kind ({})", new.name, held.record.kind);
            return Err(Refusal::new(Code::Conflict, reason));
        }
        let added = match material {
            Some(material) => kms.add_version(tenant, &new.name, material).await,
            None => kms.rotate(tenant, &new.name).await,
        };
        let summary = added.map_err(|failure| refuse_kms(kms.name(), failure))?;
        let mut added = self.version_of(kms, tenant, &summary, new).await?;
        for _ in 0..ATTEMPTS {
            // Whoever looks meanwhile sees the version that the connector has, and gives it an identifier.
            let held = self.alive(kms, tenant, &new.name).await?;
            let mut record = held.record.clone();
            let known = record.versions.iter_mut().find(|known| known.number == added.number);
            let known = known.ok_or_else(|| not_found(&new.name))?;
            added.id.clone_from(&known.id);
            *known = added.clone();
            record.rotating = None;
            match self.parts.vault.replace(&held, &record, &new.name) {
                Err(refusal) if refusal.code == Code::Conflict => {}
                Err(refusal) => return Err(refusal),
                Ok(()) => return self.describe(kms, tenant, &new.name, &record, &added),
            }
        }
        Err(Refusal::new(Code::Conflict, format!("{} keeps changing", new.name)))
    }

    /// What is known of a version that the connector has just made.
    async fn version_of(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        summary: &KmsKeySummary,
        new: &NewVaultKey,
    ) -> Result<KeyVersion, Refusal> {
        let material = material::of(kms, tenant, &summary.name, &summary.version).await?;
        let public = material::public(&summary.kind, &material)?;
        let Attributes { enabled, not_before, expires } = new.attributes;
        if enabled == Some(false) {
            let version = Some(summary.version.clone());
            let reference = KeyReference { name: summary.name.clone(), version };
            let disabled = kms.set_enabled(tenant, &reference, false).await;
            disabled.map_err(|failure| refuse_kms(kms.name(), failure))?;
        }
        Ok(KeyVersion {
            id: self.parts.vault.identifier()?,
            number: summary.version.clone(),
            public,
            operations: new.operations.clone().unwrap_or_else(|| usual(&summary.kind)),
            described: Described {
                enabled: enabled.unwrap_or(true),
                not_before,
                expires,
                created: Timestamp(summary.created),
                updated: Timestamp(summary.updated),
                tags: new.tags.clone(),
            },
        })
    }

    pub(super) fn describe(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        name: &str,
        record: &KeyRecord,
        version: &KeyVersion,
    ) -> Result<KeyDescription, Refusal> {
        let policy = self.parts.release_policies.read(tenant, kms.name(), name)?;
        let release_policy = policy.map(|policy| NewReleasePolicy {
            language: policy.stored.language,
            text: policy.stored.text.clone(),
            immutable: policy.stored.immutable,
        });
        Ok(KeyDescription {
            name: name.to_owned(),
            version: version.id.clone(),
            kind: record.kind.clone(),
            hardware: record.hardware,
            public: version.public.clone(),
            operations: version.operations.clone(),
            described: version.described.clone(),
            exportable: record.exportable,
            release_policy,
            recoverable_days: self.parts.vault.recoverable_days(tenant, record.deletion),
        })
    }
}

/// The version of this identifier, or what the connector calls so; the newest where none is named.
pub(super) fn pick<'a>(
    record: &'a KeyRecord,
    name: &str,
    version: Option<&str>,
) -> Result<&'a KeyVersion, Refusal> {
    let found = match version {
        None => record.versions.last(),
        Some(wanted) => record.versions.iter().find(|version| version.id == wanted),
    };
    found.ok_or_else(|| not_found(name))
}

pub(super) fn apply(
    described: &mut Described,
    attributes: &Attributes,
    tags: Option<&BTreeMap<String, String>>,
    now: Timestamp,
) {
    let Attributes { enabled, not_before, expires } = *attributes;
    described.enabled = enabled.unwrap_or(described.enabled);
    described.not_before = not_before.or(described.not_before);
    described.expires = expires.or(described.expires);
    if let Some(tags) = tags {
        described.tags = tags.clone();
    }
    described.updated = now;
}

pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new(Code::KeyNotFound, format!("there is no key {name:?}"))
}

pub(super) fn deleted(name: &str) -> Refusal {
    Refusal::new(Code::KeyDeleted, format!("a deleted key {name:?} can be recovered"))
}

fn version(key: &KeyDescription) -> Option<String> {
    Some(key.version.clone())
}
