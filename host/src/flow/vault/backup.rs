//! Backups: a key with its record and its policy, sealed under the master key for its tenant and its
//! connector. Only this host, or one over the same master key, brings it back, and only where it came from.
//!
//! Connectors import one version of a key: what comes back is the newest.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Actor;
use super::keys::{deleted, pick};
use super::material;
use super::record::{KeyRecord, KeyVersion, SecretText, Shelf, internal, usable};
use super::types::KeyDescription;
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::record as records;
use crate::flow::release::{append, refuse_kms};
use crate::flow::release_policies::{StoredPolicy, check_name};
use crate::permission::Permission;
use crate::plugin::{KeyReference, NewKey as NewKmsKey};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// What a backup of a key is sealed for.
fn purpose(tenant: &Tenant, connector: &str) -> String {
    format!("backup/key/{tenant}/{connector}")
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Backup {
    name: String,
    record: KeyRecord,
    material: SecretText,
    policy: Option<StoredPolicy>,
}

impl Host {
    /// A sealed copy of a key. A disabled version gives none.
    pub async fn vault_backup(&self, actor: Actor<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
        actor.require(Permission::KeysBackup)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let held = self.alive(&kms, tenant, name).await?;
        let newest = pick(&held.record, name, None)?.clone();
        let now = self.parts.clock.now();
        if !newest.described.enabled {
            usable(&newest.described, name, now)?;
        }
        let material = material::of(&kms, tenant, name, &newest.number).await?;
        let policy = self.parts.release_policies.read(tenant, kms.name(), name)?;
        let backup = Backup {
            name: name.to_owned(),
            record: KeyRecord { versions: vec![newest], ..held.record.clone() },
            material: SecretText(Zeroizing::new(BASE64.encode(material.expose()))),
            policy: policy.map(|policy| policy.stored.clone()),
        };
        let bytes = Zeroizing::new(serde_json::to_vec(&backup).map_err(|error| internal(&error))?);
        let sealed = self.parts.vault.seal(&purpose(tenant, kms.name()), &bytes)?;
        let entry = records::plain(Event::KeyBackedUp, actor.caller, now)
            .principal(actor.principal)
            .key(name);
        append(&self.parts.audit, &entry).await?;
        Ok(sealed)
    }

    /// Brings a key back under its name, where there is none now.
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
            let Backup { record, material, policy, .. } = backup;
            let newest = pick(&record, &name, None)?.clone();
            let material =
                BASE64.decode(material.0.as_bytes()).map_err(|error| internal(&error))?;
            let made = NewKmsKey {
                name: name.clone(),
                kind: record.kind.clone(),
                exportable: true,
                material: Some(Secret::new(material)),
            };
            let created = kms.create(&tenant, made).await;
            let summary = created.map_err(|failure| refuse_kms(kms.name(), failure))?;
            if !newest.described.enabled {
                let version = Some(summary.version.clone());
                let reference = KeyReference { name: name.clone(), version };
                let disabled = kms.set_enabled(&tenant, &reference, false).await;
                disabled.map_err(|failure| refuse_kms(kms.name(), failure))?;
            }
            let newest = KeyVersion { number: summary.version, ..newest };
            let record = KeyRecord { versions: vec![newest.clone()], deletion: None, ..record };
            host.parts.vault.add(&tenant, Shelf::Keys(kms.name()), &name, &record)?;
            if let Some(policy) = policy {
                host.parts.release_policies.set(&tenant, kms.name(), &name, &policy)?;
            }
            host.describe(&kms, &tenant, &name, &record, &newest)
        })
        .await
    }
}
