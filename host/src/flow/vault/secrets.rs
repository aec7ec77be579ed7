//! Secrets: values that a principal with the permission reads, unless they have a release policy. They stand
//! sealed in the host's own store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Actor;
use super::keys::apply;
use super::record::{
    MOST_VERSIONS, SecretRecord, SecretText, SecretVersion, Shelf, Stored, internal, usable,
};
use super::secret_release::checked;
use super::types::{Attributes, Deletion, Described, Page, SecretDescription};
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::flow::administer_policy::in_records;
use crate::flow::host::Host;
use crate::flow::record as records;
use crate::flow::release::append;
use crate::flow::request::NewReleasePolicy;
use crate::permission::Permission;
use crate::secret::Secret;
use crate::store::names;
use crate::tenant::Tenant;

/// The longest value, in bytes, as Azure Key Vault has it.
const LONGEST: usize = 25 << 10;

/// The longest content type, in bytes.
const LONGEST_TYPE: usize = 255;

/// A value to be stored.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The secret's name. Where there is one already it gets a version.
    pub name: String,
    /// UTF-8.
    pub value: Secret,
    /// What is inside, in its owner's words.
    pub content_type: Option<String>,
    /// Of the version.
    pub attributes: Attributes,
    /// The operator's own words.
    pub tags: BTreeMap<String, String>,
    /// Of a new secret: when it may be released. Then it is never read.
    pub release_policy: Option<NewReleasePolicy>,
}

/// What changes of a version; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct SecretChange {
    /// What is inside.
    pub content_type: Option<String>,
    /// Whether and when it may be read.
    pub attributes: Attributes,
    /// All of them.
    pub tags: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    name: String,
    record: SecretRecord,
}

impl Host {
    /// Stores a value under a name, as its newest version.
    pub async fn secret_set(
        &self,
        actor: Actor<'_>,
        new: NewSecret,
    ) -> Result<SecretDescription, Refusal> {
        actor.require(Permission::SecretsSet)?;
        let malformed = |why: String| Refusal::new(Code::RequestMalformed, why);
        names::check_key_name(&new.name).map_err(|error| malformed(error.to_string()))?;
        if new.value.len() > LONGEST {
            return Err(malformed(format!("a value has at most {LONGEST} bytes")));
        }
        if new.content_type.as_ref().is_some_and(|text| text.len() > LONGEST_TYPE) {
            return Err(malformed(format!("a content type has at most {LONGEST_TYPE} bytes")));
        }
        let text = String::from_utf8(new.value.expose().to_vec())
            .map_err(|_| malformed("a value is text".to_owned()))?;
        let now = self.parts.clock.now();
        let policy = new.release_policy.map(|policy| checked(policy, now)).transpose()?;
        let described = Described {
            enabled: new.attributes.enabled.unwrap_or(true),
            not_before: new.attributes.not_before,
            expires: new.attributes.expires,
            created: now,
            updated: now,
            tags: new.tags,
        };
        let version = SecretVersion {
            id: self.parts.vault.identifier()?,
            value: SecretText(Zeroizing::new(text)),
            content_type: new.content_type,
            described,
        };
        let (name, tenant) = (new.name, actor.caller.tenant.clone());
        let mut entry = self
            .entry(Event::SecretChanged, actor.caller, actor.principal, &name)
            .version(version.id.as_str());
        if let Some(policy) = &policy {
            entry = entry.policy(in_records(&policy.id()));
        }
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let vault = &host.parts.vault;
                match host.secret_record(&tenant, &name)? {
                    None => {
                        let described = version.clone();
                        let record = SecretRecord {
                            versions: vec![version],
                            deletion: None,
                            release_policy: policy,
                        };
                        vault.add(&tenant, Shelf::Secrets, &name, &record)?;
                        Ok(host.describe_secret(&tenant, &name, &record, &described))
                    }
                    Some(stored) if stored.record.deletion.is_some() => {
                        let reason = format!("a deleted secret {name:?} can be recovered");
                        Err(Refusal::new(Code::KeyDeleted, reason))
                    }
                    // A version does not change what the secret is released for.
                    Some(_) if policy.is_some() => {
                        let reason = format!("{name}: there is a secret of that name");
                        Err(Refusal::new(Code::Conflict, reason))
                    }
                    Some(stored) => {
                        let mut record = stored.record.clone();
                        if record.versions.len() >= MOST_VERSIONS {
                            // The oldest makes room.
                            record.versions.remove(0);
                        }
                        record.versions.push(version.clone());
                        vault.replace(&stored, &record, &name)?;
                        Ok(host.describe_secret(&tenant, &name, &record, &version))
                    }
                }
            },
        )
        .await
    }

    /// A value. That it was read is recorded before it is answered.
    pub async fn secret_get(
        &self,
        actor: Actor<'_>,
        name: &str,
        version: Option<&str>,
    ) -> Result<(SecretDescription, Secret), Refusal> {
        actor.require(Permission::SecretsGet)?;
        let tenant = &actor.caller.tenant;
        let stored = self.living_secret(tenant, name)?;
        let version = pick(&stored.record, name, version)?;
        let now = self.parts.clock.now();
        if stored.record.release_policy.is_some() {
            let reason = format!("{name} has a release policy");
            return Err(Refusal::new(Code::SecretNotReadable, reason));
        }
        usable(&version.described, &format!("{name}/{}", version.id), now)?;
        let entry = records::plain(Event::KeyRead, actor.caller, now)
            .principal(actor.principal)
            .key(name)
            .version(version.id.as_str());
        append(&self.parts.audit, &entry).await?;
        let value = Secret::new(version.value.0.as_bytes().to_vec());
        let described = self.describe_secret(tenant, name, &stored.record, version);
        Ok((described, value))
    }

    /// The secrets of the tenant by name, each as its newest version, without values.
    pub async fn secrets(
        &self,
        actor: Actor<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<SecretDescription>, Refusal> {
        actor.require(Permission::SecretsList)?;
        let tenant = &actor.caller.tenant;
        self.parts.vault.page(
            tenant,
            Shelf::Secrets,
            (after, limit),
            |record: &SecretRecord| record.deletion.is_none(),
            |name, record| self.describe_newest(tenant, name, record),
        )
    }

    /// The deleted secrets by name.
    pub async fn deleted_secrets(
        &self,
        actor: Actor<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<(SecretDescription, Deletion)>, Refusal> {
        actor.require(Permission::SecretsList)?;
        let now = self.parts.clock.now();
        let recoverable =
            |record: &SecretRecord| record.deletion.is_some_and(|deletion| now < deletion.purge);
        let tenant = &actor.caller.tenant;
        self.parts.vault.page(
            tenant,
            Shelf::Secrets,
            (after, limit),
            recoverable,
            |name, record| {
                let deletion = record.deletion.ok_or_else(|| not_found(name))?;
                Ok((self.describe_newest(tenant, name, record)?, deletion))
            },
        )
    }

    /// The versions of a secret, oldest first, without values.
    pub async fn secret_versions(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<Vec<SecretDescription>, Refusal> {
        actor.require(Permission::SecretsList)?;
        let tenant = &actor.caller.tenant;
        let record = self.living_secret(tenant, name)?.record;
        let describe = |version| self.describe_secret(tenant, name, &record, version);
        Ok(record.versions.iter().map(describe).collect())
    }

    /// Changes a version; its value never changes.
    pub async fn secret_update(
        &self,
        actor: Actor<'_>,
        name: &str,
        version: Option<&str>,
        change: SecretChange,
    ) -> Result<SecretDescription, Refusal> {
        actor.require(Permission::SecretsSet)?;
        let entry = self
            .entry(Event::SecretChanged, actor.caller, actor.principal, name)
            .detail("attributes");
        let (name, version) = (name.to_owned(), version.map(ToOwned::to_owned));
        let tenant = actor.caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let stored = host.living_secret(&tenant, &name)?;
                let id = pick(&stored.record, &name, version.as_deref())?.id.clone();
                let mut record = stored.record.clone();
                let now = host.parts.clock.now();
                let found = record.versions.iter_mut().find(|version| version.id == id);
                let found = found.ok_or_else(|| not_found(&name))?;
                apply(&mut found.described, &change.attributes, change.tags.as_ref(), now);
                if change.content_type.is_some() {
                    found.content_type = change.content_type;
                }
                let changed = found.clone();
                host.parts.vault.replace(&stored, &record, &name)?;
                Ok(host.describe_secret(&tenant, &name, &record, &changed))
            },
        )
        .await
    }

    /// Deletes a secret; for a while it can be recovered.
    pub async fn secret_delete(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<(SecretDescription, Deletion), Refusal> {
        actor.require(Permission::SecretsDelete)?;
        let entry = self
            .entry(Event::SecretDeleted, actor.caller, actor.principal, name)
            .detail("can be recovered");
        let (name, tenant) = (name.to_owned(), actor.caller.tenant.clone());
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let stored = host.living_secret(&tenant, &name)?;
                let deletion = host.parts.vault.deletion(&tenant, host.parts.clock.now());
                let record = SecretRecord { deletion: Some(deletion), ..stored.record.clone() };
                let described = host.describe_newest(&tenant, &name, &record)?;
                host.parts.vault.replace(&stored, &record, &name)?;
                Ok((described, deletion))
            },
        )
        .await
    }

    /// A deleted secret.
    pub async fn deleted_secret(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<(SecretDescription, Deletion), Refusal> {
        actor.require(Permission::SecretsGet)?;
        let tenant = &actor.caller.tenant;
        let (stored, deletion) = self.gone_secret(tenant, name)?;
        Ok((self.describe_newest(tenant, name, &stored.record)?, deletion))
    }

    /// Takes a deletion back.
    pub async fn secret_recover(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<SecretDescription, Refusal> {
        actor.require(Permission::SecretsRecover)?;
        let entry = self
            .entry(Event::SecretChanged, actor.caller, actor.principal, name)
            .detail("recovered");
        let (name, tenant) = (name.to_owned(), actor.caller.tenant.clone());
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let (stored, _) = host.gone_secret(&tenant, &name)?;
                let record = SecretRecord { deletion: None, ..stored.record.clone() };
                let described = host.describe_newest(&tenant, &name, &record)?;
                host.parts.vault.replace(&stored, &record, &name)?;
                Ok(described)
            },
        )
        .await
    }

    /// Destroys a deleted secret.
    pub async fn secret_purge(&self, actor: Actor<'_>, name: &str) -> Result<(), Refusal> {
        actor.require(Permission::SecretsPurge)?;
        let entry = self
            .entry(Event::SecretDeleted, actor.caller, actor.principal, name)
            .detail("for good");
        let (name, tenant) = (name.to_owned(), actor.caller.tenant.clone());
        self.change(
            entry,
            |()| None,
            move |host| async move {
                let (stored, _) = host.gone_secret(&tenant, &name)?;
                host.parts.vault.remove(&stored, &name)
            },
        )
        .await
    }

    /// A sealed copy of a secret with all its versions.
    pub async fn secret_backup(&self, actor: Actor<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
        actor.require(Permission::SecretsBackup)?;
        let tenant = &actor.caller.tenant;
        let stored = self.living_secret(tenant, name)?;
        let backup = Backup { name: name.to_owned(), record: stored.record };
        let bytes = Zeroizing::new(serde_json::to_vec(&backup).map_err(|error| internal(&error))?);
        let sealed = self.parts.vault.seal(&purpose(tenant), &bytes)?;
        let entry =
            self.entry(Event::KeyBackedUp, actor.caller, actor.principal, name).detail("a secret");
        append(&self.parts.audit, &entry).await?;
        Ok(sealed)
    }

    /// Brings a secret back under its name, where there is none now.
    pub async fn secret_restore(
        &self,
        actor: Actor<'_>,
        sealed: &[u8],
    ) -> Result<SecretDescription, Refusal> {
        actor.require(Permission::SecretsRestore)?;
        let tenant = actor.caller.tenant.clone();
        let opened = self.parts.vault.unseal(&purpose(&tenant), sealed)?;
        let Backup { name, record } =
            serde_json::from_slice(opened.expose()).map_err(|error| internal(&error))?;
        let entry =
            self.entry(Event::KeyRestored, actor.caller, actor.principal, &name).detail("a secret");
        self.change(
            entry,
            |_| None,
            move |host| async move {
                if let Some(stored) = host.secret_record(&tenant, &name)? {
                    let code = match stored.record.deletion {
                        Some(_) => Code::KeyDeleted,
                        None => Code::Conflict,
                    };
                    let reason = format!("{name}: there is a secret of that name");
                    return Err(Refusal::new(code, reason));
                }
                let record = SecretRecord { deletion: None, ..record };
                host.parts.vault.add(&tenant, Shelf::Secrets, &name, &record)?;
                host.describe_newest(&tenant, &name, &record)
            },
        )
        .await
    }

    /// The record, unless its time to be recovered is over.
    fn secret_record(
        &self,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Option<Stored<SecretRecord>>, Refusal> {
        names::check_key_name(name).map_err(|_| not_found(name))?;
        let stored = self.parts.vault.read::<SecretRecord>(tenant, Shelf::Secrets, name)?;
        let now = self.parts.clock.now();
        match stored {
            Some(stored) if stored.record.deletion.is_some_and(|gone| gone.purge <= now) => {
                self.parts.vault.remove(&stored, name)?;
                Ok(None)
            }
            stored => Ok(stored),
        }
    }

    pub(super) fn living_secret(
        &self,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Stored<SecretRecord>, Refusal> {
        let stored = self.secret_record(tenant, name)?;
        stored.filter(|stored| stored.record.deletion.is_none()).ok_or_else(|| not_found(name))
    }

    fn gone_secret(
        &self,
        tenant: &Tenant,
        name: &str,
    ) -> Result<(Stored<SecretRecord>, Deletion), Refusal> {
        let stored = self.secret_record(tenant, name)?.ok_or_else(|| not_found(name))?;
        let deletion = stored.record.deletion.ok_or_else(|| not_found(name))?;
        Ok((stored, deletion))
    }
}

/// What a backup of a secret is sealed for.
fn purpose(tenant: &Tenant) -> String {
    format!("backup/secret/{tenant}")
}

pub(super) fn pick<'a>(
    record: &'a SecretRecord,
    name: &str,
    version: Option<&str>,
) -> Result<&'a SecretVersion, Refusal> {
    let found = match version {
        None => record.versions.last(),
        Some(wanted) => record.versions.iter().find(|version| version.id == wanted),
    };
    found.ok_or_else(|| not_found(name))
}

pub(super) fn not_found(name: &str) -> Refusal {
    Refusal::new(Code::SecretNotFound, format!("there is no secret {name:?}"))
}
