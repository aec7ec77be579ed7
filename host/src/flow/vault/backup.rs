//! Backups: a key with all its versions, its record and its policy, sealed under the master key for its
//! tenant and its connector. Only this host, or one over the same master key, brings it back, and only
//! where it came from.

use std::sync::Arc;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Actor;
use super::keys::{deleted, pick};
use super::material;
use super::record::{KeyRecord, KeyVersion, SecretText, Shelf, internal};
use super::types::KeyDescription;
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::record as records;
use crate::flow::release::{append, refuse_kms};
use crate::flow::release_policies::{StoredPolicy, check_name};
use crate::permission::Permission;
use crate::plugin::{KeyReference, KeySummary, KmsFailure, KmsPlugin, NewKey as NewKmsKey};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// The largest backup, in bytes: in base64 it must fit into a request when it comes back.
const LARGEST: usize = 360 << 10;

/// What a backup of a key is sealed for.
fn purpose(tenant: &Tenant, connector: &str) -> String {
    format!("backup/key/{tenant}/{connector}")
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    name: String,
    record: KeyRecord,
    /// Of the one version, in backups from when there was only the newest in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    material: Option<SecretText>,
    /// Of each version, in their order.
    #[serde(default)]
    materials: Vec<SecretText>,
    policy: Option<StoredPolicy>,
}

impl Host {
    /// A sealed copy of a key with all its versions, disabled ones too. Of several versions there is none
    /// where their connector could not take them in again.
    pub async fn vault_backup(&self, actor: Actor<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
        actor.require(Permission::KeysBackup)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let held = self.alive(&kms, tenant, name).await?;
        let now = self.parts.clock.now();
        let mut materials = Vec::with_capacity(held.record.versions.len());
        for version in &held.record.versions {
            let material = whole(&kms, tenant, name, version, held.record.versions.len()).await?;
            materials.push(SecretText(Zeroizing::new(BASE64.encode(material.expose()))));
        }
        let policy = self.parts.release_policies.read(tenant, kms.name(), name)?;
        let backup = Backup {
            name: name.to_owned(),
            record: KeyRecord { rotating: None, ..held.record.clone() },
            material: None,
            materials,
            policy: policy.map(|policy| policy.stored.clone()),
        };
        let bytes = Zeroizing::new(serde_json::to_vec(&backup).map_err(|error| internal(&error))?);
        let sealed = self.parts.vault.seal(&purpose(tenant, kms.name()), &bytes)?;
        if sealed.len() > LARGEST {
            let reason = format!("a backup of {name} with all its versions is too large");
            return Err(Refusal::new(Code::Conflict, reason));
        }
        let entry = records::plain(Event::KeyBackedUp, actor.caller, now)
            .principal(actor.principal)
            .key(name);
        append(&self.parts.audit, &entry).await?;
        Ok(sealed)
    }

    /// Brings a key back under its name, where there is none now: its versions with their identifiers and
    /// states, and the policy that it had when it was copied.
    ///
    /// That policy stands even where the key got an immutable one later, once the key with that one was
    /// purged: nothing is kept of what is purged. While the copy was made its policy could be changed, so
    /// that the copy opens no more than stood open then; whoever may purge and restore can return there.
    pub async fn vault_restore(
        &self,
        actor: Actor<'_>,
        sealed: &[u8],
    ) -> Result<KeyDescription, Refusal> {
        actor.require(Permission::KeysRestore)?;
        let tenant = actor.caller.tenant.clone();
        let kms = self.kms()?;
        let opened = self.parts.vault.unseal(&purpose(&tenant, kms.name()), sealed)?;
        let backup: Backup =
            serde_json::from_slice(opened.expose()).map_err(|error| internal(&error))?;
        let name = check_name(&backup.name)?.to_owned();
        let entry = self.entry(Event::KeyRestored, actor.caller, actor.principal, &name);
        let version = |key: &KeyDescription| Some(key.version.clone());
        self.change(entry, version, move |host| async move {
            match host.holding(&kms, &tenant, &name).await {
                Err(refusal) if refusal.code == Code::KeyNotFound => {}
                Err(refusal) => return Err(refusal),
                Ok(held) if held.record.deletion.is_some() => return Err(deleted(&name)),
                Ok(_) => {
                    let reason = format!("{name}: there is a key of that name");
                    return Err(Refusal::new(Code::Conflict, reason));
                }
            }
            host.bring_back(&kms, &tenant, &name, backup).await
        })
        .await
    }

    async fn bring_back(
        &self,
        kms: &Arc<KmsPlugin>,
        tenant: &Tenant,
        name: &str,
        backup: Backup,
    ) -> Result<KeyDescription, Refusal> {
        let Backup { record, material, materials, policy, .. } = backup;
        takes_in(kms, tenant, name, record.versions.len()).await?;
        let materials: Vec<SecretText> = material.into_iter().chain(materials).collect();
        if materials.len() != record.versions.len() {
            return Err(internal(&"a backup has not as many materials as versions"));
        }
        let mut versions = record.versions.iter().zip(&materials);
        let (oldest, material) =
            versions.next().ok_or_else(|| internal(&"a backup has no version"))?;
        let made = NewKmsKey {
            name: name.to_owned(),
            kind: record.kind.clone(),
            exportable: true,
            material: Some(decoded(material)?),
        };
        let created = kms.create(tenant, made).await;
        let first = created.map_err(|failure| refuse_kms(kms.name(), failure))?;
        let kept = async {
            let mut restored = vec![restored(kms, tenant, oldest, first).await?];
            for (version, material) in versions {
                let added = kms.add_version(tenant, name, decoded(material)?).await;
                let summary = added.map_err(|failure| refuse_kms(kms.name(), failure))?;
                restored.push(self::restored(kms, tenant, version, summary).await?);
            }
            let record = KeyRecord { versions: restored, deletion: None, rotating: None, ..record };
            self.parts.vault.add(tenant, Shelf::Keys(kms.name()), name, &record)?;
            match &policy {
                Some(policy) => {
                    self.parts.release_policies.set(tenant, kms.name(), name, policy)?;
                }
                None => drop(self.parts.release_policies.remove(tenant, kms.name(), name)?),
            }
            let newest = pick(&record, name, None)?;
            self.describe(kms, tenant, name, &record, newest)
        };
        let kept = kept.await;
        if kept.is_err() {
            // Half of it does not stay.
            self.destroy(kms, tenant, name).await?;
        }
        kept
    }
}

/// The material of a version, one of so many. Of a disabled one only a connector gives it that knows what it
/// is for; of one of several too, for no other could bring them back.
async fn whole(
    kms: &KmsPlugin,
    tenant: &Tenant,
    name: &str,
    version: &KeyVersion,
    count: usize,
) -> Result<Secret, Refusal> {
    let reference = KeyReference { name: name.to_owned(), version: Some(version.number.clone()) };
    match kms.open_version(tenant, &reference).await {
        Err(KmsFailure::Unsupported(_)) if count > 1 => Err(takes_none(kms, name, count)),
        Err(KmsFailure::Unsupported(_)) => material::of(kms, tenant, name, &version.number).await,
        opened => opened.map_err(|failure| refuse_kms(kms.name(), failure)),
    }
}

/// Asks whether the connector knows of versions, before the first of several is made: what it put into its
/// service it may not be able to take back.
async fn takes_in(
    kms: &KmsPlugin,
    tenant: &Tenant,
    name: &str,
    count: usize,
) -> Result<(), Refusal> {
    if count <= 1 {
        return Ok(());
    }
    let newest = KeyReference { name: name.to_owned(), version: None };
    match kms.open_version(tenant, &newest).await {
        // There is no such key yet.
        Ok(_) | Err(KmsFailure::NotFound) => Ok(()),
        Err(KmsFailure::Unsupported(_)) => Err(takes_none(kms, name, count)),
        Err(failure) => Err(refuse_kms(kms.name(), failure)),
    }
}

fn takes_none(kms: &KmsPlugin, name: &str, count: usize) -> Refusal {
    let reason = format!("{} takes no versions in, and {name} has {count}", kms.name());
    Refusal::new(Code::KmsUnsupported, reason)
}

/// A version as it was, by the name that its connector gave to it now.
async fn restored(
    kms: &KmsPlugin,
    tenant: &Tenant,
    version: &KeyVersion,
    summary: KeySummary,
) -> Result<KeyVersion, Refusal> {
    if !version.described.enabled {
        let number = Some(summary.version.clone());
        let reference = KeyReference { name: summary.name, version: number };
        let disabled = kms.set_enabled(tenant, &reference, false).await;
        disabled.map_err(|failure| refuse_kms(kms.name(), failure))?;
    }
    Ok(KeyVersion { number: summary.version, ..version.clone() })
}

fn decoded(material: &SecretText) -> Result<Secret, Refusal> {
    let decoded = BASE64.decode(material.0.as_bytes());
    decoded.map(Secret::new).map_err(|error| internal(&error))
}
